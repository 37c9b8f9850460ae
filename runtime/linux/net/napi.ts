/**
 * NAPI: a device's interrupt schedules a poll, and the poll takes what has arrived, with the interrupt disabled.
 *
 * *Document*: Linux 3.4 `net/core/dev.c` (`net_rx_action`), `kernel/softirq.c` (`__do_softirq`).
 *
 * *Modelled*: the weight of a poll, the budget of a run, restarts of the softirq and ksoftirqd after them, completion that
 * enables the interrupt again.
 *
 * *Deviations*: polls that follow each other are one step, as nothing can look between them; what arrives during it is
 * reckoned with the step's typical length.
 *
 * @module
 */

import { type Activity, Op, Step } from "../../../hw/sim/activity.ts";
import type { EthernetPort } from "../../../hw/ethernet.ts";
import type { RandomStream } from "../../../hw/sim/random.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { NetStack } from "./stack.ts";

/** Frames of one poll (`NAPI_POLL_WEIGHT`). */
const WEIGHT = 64;
/** Frames of one run of net_rx_action() (`netdev_budget`). */
const BUDGET = 300;
/** Runs of a softirq before ksoftirqd takes over (`MAX_SOFTIRQ_RESTART`). */
const MAX_RESTART = 10;

/** The poll of one queue. */
export class Napi {
  /** Scheduled, or running. */
  scheduled = false;
  readonly #work: Step;
  readonly #jitter: RandomStream;
  #runs = 0;
  #handed = 0;
  #cpu: KernelCpu | null = null;
  // One closure for all polls: taking frames allocates nothing.
  readonly #deliver = (payload: unknown, frames: number): void => {
    this.#handed += frames;
    this.stack.receive(payload, frames, this.#cpu!);
  };

  /** @param completed tells the driver that the ring is empty, and how many frames the interrupt has brought */
  constructor(
    readonly stack: NetStack,
    readonly port: EthernetPort,
    readonly completed: (frames: number) => void,
  ) {
    const { kernel } = stack;
    this.#work = new Step(Op.Work, "net_rx_action", kernel.kernelLayer, 0, false);
    this.#jitter = kernel.engine.random.stream(`${kernel.name}.napi`);
  }

  /** napi_schedule(), in the device's handler. */
  schedule(cpu: KernelCpu): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.#runs = 0;
    this.#handed = 0;
    cpu.softirqs.push(this);
  }

  /** The softirq. */
  *run(cpu: KernelCpu): Activity {
    const { stack, port: { ring } } = this;
    const { frame, frameJitter } = stack.costs;
    for (;;) {
      const frameNs = frame * (1 + frameJitter * (2 * this.#jitter.uniform() - 1));
      const frames = this.#plan(stack.kernel.nowNs, frameNs);
      this.#work.ns = Math.round(frames * frameNs);
      if (frames > 0) yield this.#work;
      this.#cpu = cpu;
      ring.take(frames, this.#deliver);
      for (let work = stack.backlog.shift(); work !== undefined; work = stack.backlog.shift()) {
        yield stack.small;
        work(cpu);
      }
      if (stack.woken) {
        stack.woken = false;
        yield stack.kernel.steps.wakeUp;
      }
      if (frames < BUDGET && !this.#full) break;
      if (++this.#runs < MAX_RESTART) continue;
      this.#runs = 0;
      stack.ksoftirqd(cpu, this.run(cpu));
      return;
    }
    this.scheduled = false;
    this.completed(this.#handed);
  }

  /** The last poll has filled its weight: there may be more. */
  #full = false;

  /** How many frames the polls of one run take, if each frame costs `frameNs`. */
  #plan(nowNs: number, frameNs: number): number {
    const { ring } = this.port;
    let taken = 0;
    this.#full = true;
    while (this.#full && taken < BUDGET) {
      let polled = 0;
      for (;;) {
        const there = ring.waiting(nowNs + Math.floor((taken + polled) * frameNs)) - taken;
        const more = Math.min(WEIGHT, there);
        if (more <= polled) break;
        polled = more;
        if (polled === WEIGHT) break;
      }
      taken += polled;
      this.#full = polled === WEIGHT;
    }
    return taken;
  }
}
