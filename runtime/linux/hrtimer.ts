/**
 * High-resolution timers of one CPU: a list ordered by expiry, of which the first is in the clock-event device.
 *
 * Modelled after `kernel/hrtimer.c`: a timer that becomes the first, and the removal of the first, make the device
 * be programmed anew. Whether that register write exits to a hypervisor is not known here.
 *
 * @module
 */

import type { Step } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/** A timer. Made once, started many times. */
export class HrTimer {
  declare readonly name: string;
  declare step: Step;
  declare readonly callback: (timer: HrTimer, cpu: KernelCpu) => void;
  /** Belongs to its CPU: ends with it instead of moving to another one. */
  declare readonly pinned: boolean;
  /** When it expires, ns of the kernel's clock. */
  expiresNs = 0;
  /** The CPU's base it is queued on. */
  base: HrTimerBase | null = null;

  /**
   * @param name in traces and the state hash
   * @param step the cost of its callback, paid before the callback runs; read at each expiry
   * @param callback what happens, on the CPU where it expires; may start the timer again
   * @param pinned whether it ends when its CPU goes offline; others move
   */
  constructor(name: string, step: Step, callback: (timer: HrTimer, cpu: KernelCpu) => void, pinned = false) {
    this.name = name;
    this.step = step;
    this.callback = callback;
    this.pinned = pinned;
  }
}

/** The timers of one CPU. */
export class HrTimerBase {
  readonly #queue: HrTimer[] = [];
  /** The expiry the clock-event device is programmed for; Infinity: none. */
  programmedNs = Infinity;

  /** The first timer to expire. */
  get first(): HrTimer | undefined {
    return this.#queue[0];
  }

  /** Queues `timer` for `expiresNs`, behind those of equal expiry. */
  start(timer: HrTimer, expiresNs: number): void {
    const queue = this.#queue;
    let i = queue.length;
    if (timer.base === this) i = queue.indexOf(timer); // it moves from where it is
    else {
      timer.base?.cancel(timer);
      timer.base = this;
      queue[i] = timer; // push() of a queue that has been empty goes through V8's slow way
    }
    timer.expiresNs = expiresNs;
    for (; i > 0 && queue[i - 1]!.expiresNs > expiresNs; i--) queue[i] = queue[i - 1]!;
    for (; i + 1 < queue.length && queue[i + 1]!.expiresNs <= expiresNs; i++) queue[i] = queue[i + 1]!;
    queue[i] = timer;
  }

  /** Takes `timer` off the queue; nothing happens where it is not on it. */
  cancel(timer: HrTimer): void {
    if (timer.base !== this) return;
    timer.base = null;
    this.#removeAt(this.#queue.indexOf(timer));
  }

  /** Takes the first timer that has expired at `nowNs`. */
  takeExpired(nowNs: number): HrTimer | null {
    const first = this.#queue[0];
    if (first === undefined || first.expiresNs > nowNs) return null;
    this.#removeAt(0);
    first.base = null;
    return first;
  }

  #removeAt(index: number): void {
    const queue = this.#queue; // a handful of timers: moving them by hand is faster than splice()
    const last = queue.length - 1;
    for (let i = index; i < last; i++) queue[i] = queue[i + 1]!;
    queue.pop();
  }

  /** Whether the device has to be programmed for the first timer: it expires at another time than programmed. */
  get stale(): boolean {
    const first = this.#queue[0];
    return first !== undefined && first.expiresNs !== this.programmedNs;
  }

  /** All queued timers, first to expire first. */
  timers(): readonly HrTimer[] {
    return this.#queue;
  }

  /** Adds queue and device state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.number(this.programmedNs).word(this.#queue.length);
    for (const timer of this.#queue) hash.text(timer.name).number(timer.expiresNs);
  }
}
