/**
 * The local APIC's timer: arithmetic of a counter that nobody ticks.
 *
 * *Document*: Intel SDM vol. 3A, "APIC Timer". The counter starts when the initial count (TMICT) is written,
 * counts down at the APIC's bus clock divided by the divide configuration (TDCR), and causes the LVT timer's
 * vector when it reaches 0; in periodic mode it starts again.
 *
 * *Modelled*: one-shot, periodic and TSC-deadline mode, TMICT, TMCCT, TDCR; both answers to a change of TDCR while the
 * counter runs, about which the manual says nothing: it takes effect with the next start, or rescales what is left.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";
import { NEVER } from "./sim/engine.ts";

/** LVT timer modes, bits 18:17 of the LVT timer register. */
export const TimerMode = Object.freeze({ OneShot: 0, Periodic: 1, TscDeadline: 2 });

/** A clock as an exact ratio: `ticks` in `ns` nanoseconds. */
export interface ClockRatio {
  /** Ticks in … */
  readonly ticks: number;
  /** … so many nanoseconds. */
  readonly ns: number;
}

/** The clock of `hz` hertz, in lowest terms. */
export function clockRatio(hz: number): ClockRatio {
  let a = hz, b = 1_000_000_000;
  while (b !== 0) [a, b] = [b, a % b];
  return { ticks: hz / a, ns: 1_000_000_000 / a };
}

/** TDCR bits 3, 1 and 0 choose the divisor: 000 is 2, … 110 is 128, 111 is 1. */
export function timerDivisor(tdcr: number): number {
  const code = (tdcr & 3) | ((tdcr & 8) >>> 1);
  return code === 7 ? 1 : 2 << code;
}

/** Counter state: when it was started, with which count, at which pace. */
export class LapicTimer {
  declare readonly bus: ClockRatio;
  declare readonly tsc: ClockRatio;
  /** TMICT as last written. */
  initialCount = 0;
  /** TDCR as last written. */
  divideConfiguration = 0;
  /** One of {@linkcode TimerMode}. */
  mode: number = TimerMode.OneShot;
  /** When the count now running was started. */
  startNs = 0;
  /** When it reaches 0; {@linkcode NEVER} where it stands still. */
  expiresNs: number = NEVER;
  /** IA32_TSC_DEADLINE, as TSC ticks; 0: disarmed. */
  deadline = 0;
  /** The shortest period of periodic mode, ns: an emulation may limit what its host has to serve. */
  minimumPeriodNs = 0;
  /** Divisor of the count that runs. */
  #divisor = 2;
  /** The exact start is `startNs + #carry / bus.ticks`: a period's end need not be a whole ns. */
  #carry = 0;

  /** @param bus the APIC's bus clock @param tsc the time-stamp counter's clock */
  constructor(bus: ClockRatio, tsc: ClockRatio) {
    this.bus = bus;
    this.tsc = tsc;
  }

  /** Starts the counter by a write of TMICT; 0 stops it. */
  start(count: number, nowNs: number): void {
    this.initialCount = count >>> 0;
    this.#divisor = timerDivisor(this.divideConfiguration);
    this.#startAt(nowNs, 0);
  }

  /** Starts the counter where it stood: `count` of the initial count are left. The state of a saved APIC. */
  resume(count: number, nowNs: number): void {
    this.#divisor = timerDivisor(this.divideConfiguration);
    this.#startAt(nowNs, 0);
    const period = this.expiresNs - nowNs;
    const left = Math.ceil((count * this.#divisor * this.bus.ns) / this.bus.ticks);
    if (this.expiresNs === NEVER || left >= period) return;
    this.expiresNs = nowNs + left;
    this.startNs = this.expiresNs - period;
  }

  /**
   * A new divisor, for what is left of the count as well. Of a one-shot count that has run out nothing is left: it runs
   * out once more, at once.
   *
   * @returns whether the counter expires elsewhen
   */
  rescale(divideConfiguration: number, nowNs: number): boolean {
    const before = this.#divisor;
    this.divideConfiguration = divideConfiguration;
    const after = this.#divisor = timerDivisor(divideConfiguration);
    if (after === before || this.mode === TimerMode.TscDeadline || this.initialCount === 0) return false;
    const left = this.expiresNs === NEVER ? 0 : Math.floor(((this.expiresNs - nowNs) * after) / before);
    this.#startAt(nowNs, 0);
    const period = this.expiresNs - nowNs;
    this.expiresNs = nowNs + left;
    this.startNs = this.expiresNs - period;
    return true;
  }

  #startAt(startNs: number, carry: number): void {
    this.startNs = startNs;
    this.#carry = carry;
    const count = this.initialCount;
    if (count === 0 || this.mode > TimerMode.Periodic) {
      this.expiresNs = NEVER;
      return;
    }
    const ns = Math.ceil((count * this.#divisor * this.bus.ns + carry) / this.bus.ticks);
    this.expiresNs = startNs + (this.mode === TimerMode.Periodic ? Math.max(ns, this.minimumPeriodNs) : ns);
  }

  /**
   * Arms the TSC-deadline timer; 0 disarms it. Other modes ignore it.
   *
   * @param offset how far the counter of the deadline is ahead of the clock: a guest's may be, by its TSC offset
   */
  startDeadline(deadline: number, nowNs: number, offset = 0): void {
    if (this.mode !== TimerMode.TscDeadline) return;
    this.deadline = deadline;
    this.expiresNs = deadline === 0
      ? NEVER
      : Math.max(nowNs, Math.ceil(((deadline - offset) * this.tsc.ns) / this.tsc.ticks));
  }

  /** It stands still; initial count and deadline keep their values. */
  halt(): void {
    this.expiresNs = NEVER;
  }

  /** Stops it, as a change of mode does. */
  stop(): void {
    this.initialCount = 0;
    this.deadline = 0;
    this.expiresNs = NEVER;
  }

  /** The counter has reached 0: goes on in periodic mode, without drift; stands still otherwise. */
  expired(): void {
    this.deadline = 0;
    if (this.mode !== TimerMode.Periodic) {
      this.expiresNs = NEVER;
      return;
    }
    const { startNs, expiresNs, initialCount } = this;
    const carry = initialCount * this.#divisor * this.bus.ns + this.#carry -
      (expiresNs - startNs) * this.bus.ticks;
    this.#startAt(expiresNs, carry <= -this.bus.ticks ? 0 : carry); // a tick or more: the shortest period was in force
  }

  /** TMCCT: what is left at `nowNs`. */
  currentCount(nowNs: number): number {
    if (this.expiresNs === NEVER || this.mode === TimerMode.TscDeadline) return 0;
    const elapsed = (nowNs - this.startNs) * this.bus.ticks - this.#carry;
    return Math.max(0, this.initialCount - Math.floor(elapsed / (this.bus.ns * this.#divisor)));
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.initialCount).word(this.divideConfiguration).word(this.mode).number(this.startNs);
    hash.number(this.expiresNs).number(this.deadline).word(this.#divisor).number(this.#carry);
  }
}
