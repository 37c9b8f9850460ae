/**
 * recv() and send() in a loop: what a server that takes bulk data does, and a client that has it.
 *
 * *Modelled*: one call copies what is there, or what there is room for, up to the caller's buffer; the calling task sleeps
 * where that is nothing; the copy has preemption points, unless the kernel can be preempted anyway.
 *
 * @module
 */

import { Op, Step } from "../../../hw/sim/activity.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import { LongCall } from "../long_call.ts";
import type { Task } from "../task.ts";
import type { NetStack } from "./stack.ts";
import type { TcpConnection } from "./tcp.ts";

/** One end of a connection, as its task's system calls see it. */
abstract class SocketLoop {
  declare readonly task: Task;
  declare readonly stack: NetStack;
  declare readonly limit: number;
  readonly #call: LongCall;
  readonly #preemptible: boolean;
  #frames = 0;

  /** @param limit frames that fit the caller's buffer @param name of the call's step */
  constructor(task: Task, stack: NetStack, limit: number, name: string) {
    this.task = task;
    this.stack = stack;
    this.limit = limit;
    const { kernel, costs } = stack;
    this.#preemptible = kernel.release.realTime;
    this.#call = new LongCall(new Step(Op.Work, name, kernel.kernelLayer, 0, false), costs.preemptionPoint);
  }

  /** Frames that a call could copy now. */
  protected abstract get copyable(): number;
  /** What a frame's copy costs, ns. */
  protected abstract readonly frameNs: number;
  /** The call has copied so many. */
  protected abstract copied(frames: number): void;

  /** Begins a call: its work, or null where there is nothing to copy. */
  begin(): Step | null {
    const { task } = this;
    const frames = this.#frames = Math.min(this.limit, this.copyable);
    if (frames <= 0) return null;
    this.#call.step.ns = this.stack.costs.call + frames * this.frameNs;
    if (!this.#preemptible) {
      task.preemptCount++;
      task.longCall = this.#call;
    }
    return this.#call.step;
  }

  /** After its work: the rest of it, where it was cut at a preemption point; null: it is done. */
  get rest(): Step | null {
    if (this.#call.restNs === 0) return null;
    this.#call.step.ns = this.#call.restNs;
    this.#call.restNs = 0;
    return this.#call.step;
  }

  /** Yields at a preemption point: the switch, or null where nobody else is to run. */
  condResched(cpu: KernelCpu): Step | null {
    return cpu.needResched ? cpu.schedule() : null;
  }

  /** The call returns. */
  end(): void {
    if (!this.#preemptible) {
      this.task.preemptCount--;
      this.task.longCall = null;
    }
    this.copied(this.#frames);
  }
}

/** The reading end. */
export class SocketReader extends SocketLoop {
  declare readonly connection: TcpConnection;
  protected readonly frameNs: number;

  /** @param limit frames that fit the caller's buffer */
  constructor(task: Task, connection: TcpConnection, limit: number) {
    super(task, connection.receiver!, limit, "tcp_recvmsg");
    this.connection = connection;
    this.frameNs = this.stack.costs.copy;
  }

  protected get copyable(): number {
    return this.connection.readable;
  }

  /** Frames are read, the window may open. */
  protected copied(frames: number): void {
    this.connection.consume(frames);
  }
}

/** The writing end of a simulated sender. */
export class SocketWriter extends SocketLoop {
  protected readonly frameNs: number;

  /** @param limit frames that fit the caller's buffer @param untilNs when the caller has no more */
  constructor(task: Task, readonly connection: TcpConnection, limit: number, readonly untilNs: number) {
    super(task, connection.sender, limit, "tcp_sendmsg");
    this.frameNs = this.stack.costs.write;
  }

  protected get copyable(): number {
    return this.stack.kernel.nowNs < this.untilNs ? this.connection.writable : 0;
  }

  /** Frames leave. */
  protected copied(frames: number): void {
    this.connection.write(frames);
  }
}
