/**
 * recv() and send() in a loop: what a server that takes bulk data does, and a client that has it.
 *
 * *Modelled*: one call copies what is there, or what there is room for, up to the caller's buffer; the calling task sleeps
 * where that is nothing; the copy has preemption points, unless the kernel can be preempted anyway.
 *
 * @module
 */

import { Op, Routine, Step } from "../../../hw/sim/activity.ts";
import { LongCall } from "../sched/long_call.ts";
import type { Task } from "../sched/task.ts";
import type { NetStack } from "./stack.ts";
import type { TcpConnection } from "./tcp.ts";

/** Where a loop stands: before a call, behind its work or a part of that, before the next part. */
const At = Object.freeze({ Call: 0, Copied: 1, Rest: 2 });

/** What reading and writing differ in. */
interface SocketEnd {
  /** What a frame's copy costs, ns. */
  readonly frameNs: number;
  /** Frames that a call could copy now. */
  copyable(): number;
  /** The call has copied so many. */
  copied(frames: number): void;
  /** There is nothing to copy: sees to it that `task` is woken when there is. False: nothing will come. */
  wait(task: Task): boolean;
}

/**
 * One end of a connection, as its task's system calls see it, until there is nothing to copy and nothing will come. Every
 * frame of a run comes by here. It is one class for both ends, as `InterruptHandler` is one for all interrupts.
 */
export class SocketLoop extends Routine {
  declare readonly task: Task;
  declare readonly stack: NetStack;
  declare readonly limit: number;
  readonly #side: SocketEnd;
  readonly #call: LongCall;
  readonly #preemptible: boolean;
  #frames = 0;
  #at: number = At.Call;

  /** @param limit frames that fit the caller's buffer @param name of the call's step */
  constructor(task: Task, stack: NetStack, side: SocketEnd, limit: number, name: string) {
    super();
    this.task = task;
    this.stack = stack;
    this.limit = limit;
    this.#side = side;
    const { kernel, costs } = stack;
    this.#preemptible = kernel.release.realTime;
    this.#call = new LongCall(new Step(Op.Work, name, kernel.kernelLayer, 0, false), costs.preemptionPoint);
  }

  next(): Step | null {
    const cpu = this.stack.kernel.cpus[this.task.cpu]!;
    for (;;) {
      switch (this.#at) {
        case At.Call: {
          const call = this.#begin();
          if (call !== null) return call;
          if (!this.#side.wait(this.task)) return null;
          const away = cpu.prepareSleep() ? cpu.schedule() : null;
          if (away !== null) return away;
          break;
        }
        case At.Copied: {
          if (this.#call.restNs > 0) { // it was cut at a preemption point
            this.#at = At.Rest;
            const away = cpu.needResched ? cpu.schedule() : null; // cond_resched()
            if (away !== null) return away;
            break;
          }
          this.#end();
          const away = cpu.preemptible ? cpu.schedule() : null;
          if (away !== null) return away;
          break;
        }
        default:
          this.#at = At.Copied;
          this.#call.step.ns = this.#call.restNs;
          this.#call.restNs = 0;
          return this.#call.step;
      }
    }
  }

  /** Begins a call: its work, or null where there is nothing to copy. */
  #begin(): Step | null {
    const frames = this.#frames = Math.min(this.limit, this.#side.copyable());
    if (frames <= 0) return null;
    const { task } = this;
    const call = this.#call;
    call.step.ns = this.stack.costs.call + frames * this.#side.frameNs;
    if (!this.#preemptible) {
      task.preemptCount++;
      task.longCall = call;
    }
    this.#at = At.Copied;
    return call.step;
  }

  /** The call returns. */
  #end(): void {
    if (!this.#preemptible) {
      this.task.preemptCount--;
      this.task.longCall = null;
    }
    this.#at = At.Call;
    this.#side.copied(this.#frames);
  }
}

/** The reading end of `connection`; `limit`: frames that fit the caller's buffer. */
export function socketReader(task: Task, connection: TcpConnection, limit: number): SocketLoop {
  return new SocketLoop(task, connection.receiver!, new ReadingEnd(connection), limit, "tcp_recvmsg");
}

class ReadingEnd implements SocketEnd {
  declare readonly connection: TcpConnection;
  declare readonly frameNs: number;

  constructor(connection: TcpConnection) {
    this.connection = connection;
    this.frameNs = connection.receiver!.costs.copy;
  }

  copyable(): number {
    return this.connection.readable;
  }

  /** Frames are read, the window may open. */
  copied(frames: number): void {
    this.connection.consume(frames);
  }

  wait(task: Task): boolean {
    const { connection } = this;
    connection.reading = connection.finished ? null : task;
    return !connection.finished;
  }
}

/** The writing end of a simulated sender, whose caller has no more to write at `untilNs`. */
export function socketWriter(
  task: Task,
  connection: TcpConnection,
  limit: number,
  untilNs: number,
): SocketLoop {
  return new SocketLoop(task, connection.sender, new WritingEnd(connection, untilNs), limit, "tcp_sendmsg");
}

class WritingEnd implements SocketEnd {
  declare readonly connection: TcpConnection;
  declare readonly untilNs: number;
  declare readonly frameNs: number;

  constructor(connection: TcpConnection, untilNs: number) {
    this.connection = connection;
    this.untilNs = untilNs;
    this.frameNs = connection.sender.costs.write;
  }

  copyable(): number {
    const { connection } = this;
    return connection.sender.kernel.nowNs < this.untilNs ? connection.writable : 0;
  }

  /** Frames leave. */
  copied(frames: number): void {
    this.connection.write(frames);
  }

  wait(task: Task): boolean {
    const { connection } = this;
    const ended = connection.sender.kernel.nowNs >= this.untilNs;
    connection.writing = ended ? null : task;
    return !ended;
  }
}
