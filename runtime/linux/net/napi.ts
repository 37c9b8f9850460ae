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

import { Op, Step } from "../../../hw/sim/activity.ts";
import type { EthernetPort } from "../../../hw/ethernet.ts";
import type { RandomStream } from "../../../hw/sim/random.ts";
import type { KernelCpu, TopHalf } from "../kernel_cpu.ts";
import type { Softirq } from "../irq/softirqs.ts";
import type { NetStack } from "./stack.ts";

/** Frames of one poll (`NAPI_POLL_WEIGHT`). */
const WEIGHT = 64;
/** Frames of one run of net_rx_action() (`netdev_budget`). */
const BUDGET = 300;
/** Those that a run can take: its last poll may go beyond the budget. */
const RUN = Math.ceil(BUDGET / WEIGHT) * WEIGHT;
/** Runs of a softirq before ksoftirqd takes over (`MAX_SOFTIRQ_RESTART`). */
const MAX_RESTART = 10;

/** Where a softirq stands. */
const State = Object.freeze({ Poll: 0, Deliver: 1, Packets: 2, Packet: 3, Done: 4 });

/** The driver's part of a queue. */
export interface PolledQueue {
  /** The poll has emptied the ring: enables the interrupt again. @param frames how many the interrupt has brought */
  completed(frames: number): void;
}

/** The poll of one queue, and the handler of its interrupt. */
export class Napi implements Softirq, TopHalf {
  declare readonly stack: NetStack;
  declare readonly port: EthernetPort;
  declare readonly queue: PolledQueue;
  /** Scheduled, or running. */
  scheduled = false;
  readonly #work: Step;
  readonly #jitter: RandomStream;
  #state: number = State.Poll;
  /** Frames of the run under way. */
  #frames = 0;
  /** Its last poll has filled its weight: there may be more. */
  #full = false;
  #packet: ((cpu: KernelCpu) => void) | null = null;
  #runs = 0;
  #handed = 0;

  /** @param queue of `port`, whose ring is polled */
  constructor(stack: NetStack, port: EthernetPort, queue: PolledQueue) {
    this.stack = stack;
    this.port = port;
    this.queue = queue;
    const { kernel } = stack;
    this.#work = new Step(Op.Work, "net_rx_action", kernel.kernelLayer, 0, false);
    this.#jitter = kernel.engine.random.stream(`${kernel.name}.napi`);
  }

  /** napi_schedule(), in the device's handler. */
  act(cpu: KernelCpu): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.begin();
    cpu.softirqs.raise(this);
  }

  /** Nothing has been polled since the interrupt. */
  begin(): void {
    this.#runs = 0;
    this.#handed = 0;
  }

  /** The softirq: a run of polls, then what they brought that is no bulk data, until the ring is empty. */
  next(cpu: KernelCpu): Step | null {
    const { stack, port: { ring } } = this;
    for (;;) {
      switch (this.#state) {
        case State.Poll: {
          const { frame, frameJitter } = stack.costs;
          const frameNs = frame * (1 + frameJitter * (2 * this.#jitter.uniform() - 1));
          // A poll that fills its weight is followed by the next one, until nothing waits or the budget is reached.
          this.#frames = ring.takable(stack.engine.nowNs, frameNs, RUN);
          this.#full = this.#frames === RUN;
          this.#state = State.Deliver;
          if (this.#frames === 0) break;
          this.#work.ns = Math.round(this.#frames * frameNs);
          return this.#work;
        }
        case State.Deliver:
          this.#handed += this.#frames;
          for (let left = this.#frames; left > 0;) {
            const { payload } = ring;
            const frames = ring.take(left);
            left -= frames;
            stack.receive(payload, frames, cpu);
          }
          if (stack.unacknowledged !== null) stack.acknowledge();
          this.#state = State.Packets;
          break;
        case State.Packets: {
          const packet = stack.backlog.length === 0 ? undefined : stack.backlog.shift();
          if (packet !== undefined) {
            this.#packet = packet;
            this.#state = State.Packet;
            return stack.small;
          }
          this.#state = State.Done;
          if (!stack.woken) break;
          stack.woken = false;
          return stack.kernel.steps.wakeUp;
        }
        case State.Packet:
          this.#packet!(cpu);
          this.#state = State.Packets;
          break;
        default:
          this.#state = State.Poll;
          if (this.#full || this.#frames >= BUDGET) {
            if (++this.#runs < MAX_RESTART) break;
            this.#runs = 0;
            // A thread of its own goes on itself.
            if (!stack.kernel.release.realTime) stack.ksoftirqd(cpu, this);
          } else {
            this.scheduled = false;
            this.queue.completed(this.#handed);
          }
          return null;
      }
    }
  }
}
