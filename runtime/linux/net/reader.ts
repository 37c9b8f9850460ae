/**
 * recv() in a loop: what a server that takes bulk data does.
 *
 * *Modelled*: one call copies what is there, up to the caller's buffer; the calling task sleeps where nothing is; the copy
 * has preemption points, unless the kernel can be preempted anyway.
 *
 * @module
 */

import { Op, Step } from "../../../hw/sim/activity.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import { LongCall } from "../long_call.ts";
import type { Task } from "../task.ts";
import type { TcpConnection } from "./tcp.ts";

/** The reading end of a connection. */
export class SocketReader {
  readonly #call: LongCall;
  readonly #preemptible: boolean;
  #frames = 0;

  /** @param limit frames that fit the caller's buffer */
  constructor(readonly task: Task, readonly connection: TcpConnection, readonly limit: number) {
    const { kernel, costs } = connection.receiver!;
    this.#preemptible = kernel.release.realTime;
    this.#call = new LongCall(
      new Step(Op.Work, "tcp_recvmsg", kernel.kernelLayer, 0, false),
      costs.preemptionPoint,
    );
  }

  /** Begins a call: its work, or null where there is nothing to read. */
  begin(): Step | null {
    const { connection, task } = this;
    const { costs } = connection.receiver!;
    const frames = this.#frames = Math.min(this.limit, connection.readable);
    if (frames === 0) return null;
    this.#call.step.ns = costs.call + frames * costs.copy;
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

  /** The call returns: frames are read, the window may open. */
  end(): void {
    if (!this.#preemptible) {
      this.task.preemptCount--;
      this.task.longCall = null;
    }
    this.connection.consume(this.#frames);
  }
}
