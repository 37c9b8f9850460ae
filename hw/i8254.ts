/**
 * The 8254 programmable interval timer: three counters that nobody ticks.
 *
 * *Document*: Intel 8254 data sheet, "Programming the 8254", "Mode Definitions", "Counter Latch Command", "Read-Back
 * Command".
 *
 * *Modelled*: control words, the modes 0 to 5 with their counts and outputs, accesses by low byte, high byte and both in
 * turn, latched counts, latched status, gates.
 *
 * *Not modelled*: counting in BCD (the bit is kept); that a new count of the periodic modes waits for the end of the
 * present period, and that one of the others takes a clock to load.
 *
 * A write answers with the counter that it has started anew; {@linkcode Pit8254.schedule} says when its output rises. Who
 * owns the chip arms an alarm for that.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";

/** The clock of a PC's PIT, Hz. */
export const PIT_HZ = 1_193_182;
/** Ports: three counters and the control word. */
export const PIT_PORTS = Object.freeze({ base: 0x40, control: 3, count: 4 });

/** Counters. */
export const COUNTERS = 3;
/** A count of 0 stands for all 16 bits. */
const FULL_COUNT = 0x1_0000;
/** Bits 5:4 of a control word. */
const Access = Object.freeze({ Latch: 0, Low: 1, High: 2, Both: 3 });
/** Bits 7:6 of a control word: the read-back command. */
const READ_BACK = 3;

/** When a counter's output rises: once, again and again, or never. */
export interface Schedule {
  /** How often. */
  readonly kind: "once" | "periodic" | "never";
  /** Clocks from the load to the rise, and from rise to rise. */
  readonly counts: number;
}

/** All that a counter holds. */
export interface CounterState {
  /** 0 to 5; -1: not programmed yet. */
  readonly mode: number;
  /** Which bytes an access means: 1 the low one, 2 the high one, 3 both in turn. */
  readonly access: number;
  /** It counts in BCD. */
  readonly bcd: boolean;
  /** Clocks of a count; 0 stands for 65536. */
  readonly count: number;
  /** When it was loaded, ns. */
  readonly loadNs: number;
  readonly gate: boolean;
  /** The low byte of a count whose high byte is missing, or -1. */
  readonly low: number;
  /** The next read of a count of two bytes gets the high one. */
  readonly readHigh: boolean;
  /** The latched count, or -1. */
  readonly latched: number;
  /** The latched status, or -1. */
  readonly status: number;
}

/** Clocks up to `ns`. */
export function pitClocks(ns: number): number {
  const seconds = Math.floor(ns / 1_000_000_000);
  return seconds * PIT_HZ + Math.floor(((ns - seconds * 1_000_000_000) * PIT_HZ) / 1_000_000_000);
}

/** The first ns in which the chip has counted `clocks` since time 0. */
function firstNs(clocks: number): number {
  const seconds = Math.floor(clocks / PIT_HZ);
  return seconds * 1_000_000_000 + Math.ceil(((clocks - seconds * PIT_HZ) * 1_000_000_000) / PIT_HZ);
}

/** The duration of `counts` clocks, ns; truncated. */
export function pitNs(counts: number): number {
  return Math.floor((counts * 1_000_000_000) / PIT_HZ);
}

/** One counter. */
class Counter {
  /** Undefined after power-up: it does not count before its first control word. */
  mode = -1;
  access: number = Access.Both;
  bcd = false;
  count = FULL_COUNT;
  loadNs = 0;
  gate = true;
  /** The low byte of a count has been written, the high one not yet. */
  #low = -1;
  /** The next read of a 16-bit count gets the high byte. */
  #readHigh = false;
  #latched = -1;
  #status = -1;

  program(control: number): void {
    const access = (control >>> 4) & 3;
    this.access = access;
    const mode = (control >>> 1) & 7;
    this.mode = mode > 5 ? mode - 4 : mode; // bit 3 means nothing for modes 2 and 3
    this.bcd = (control & 1) !== 0;
    this.#low = this.#latched = this.#status = -1;
    this.#readHigh = false;
  }

  /** @returns whether a whole count has been written */
  write(value: number, nowNs: number): boolean {
    switch (this.access) {
      case Access.Low:
        return this.load(value, nowNs);
      case Access.High:
        return this.load(value << 8, nowNs);
      default:
        if (this.#low < 0) {
          this.#low = value;
          return false;
        }
        value = this.#low | (value << 8);
        this.#low = -1;
        return this.load(value, nowNs);
    }
  }

  load(count: number, nowNs: number): boolean {
    this.count = count === 0 ? FULL_COUNT : count;
    this.loadNs = nowNs;
    return true;
  }

  elapsed(nowNs: number): number {
    return pitClocks(nowNs) - pitClocks(this.loadNs);
  }

  value(nowNs: number): number {
    const elapsed = this.elapsed(nowNs);
    switch (this.mode) {
      case 2:
        return (this.count - elapsed % this.count) & 0xffff;
      case 3: // counts down by two
        return (this.count - (2 * elapsed) % this.count) & 0xffff;
      default: // counts on below 0
        return (this.count - elapsed) & 0xffff;
    }
  }

  output(nowNs: number): boolean {
    const elapsed = this.elapsed(nowNs);
    switch (this.mode) {
      case 1:
        return elapsed >= this.count;
      case 2:
        return elapsed % this.count !== this.count - 1;
      case 3:
        return elapsed % this.count < (this.count + 1) >>> 1;
      case 4:
      case 5:
        return elapsed !== this.count;
      default:
        return elapsed >= this.count;
    }
  }

  /** Clocks from the load to the next change of the output; Infinity: there is none. */
  nextChange(nowNs: number): number {
    const elapsed = this.elapsed(nowNs), { count } = this;
    const within = elapsed % count, period = elapsed - within;
    switch (this.mode) {
      case 0:
      case 1:
        return elapsed < count ? count : Infinity;
      case 2:
        return period + (within < count - 1 ? count - 1 : count);
      case 3: {
        const half = (count + 1) >>> 1;
        return period + (within < half ? half : count);
      }
      case 4:
      case 5:
        return elapsed < count ? count : elapsed === count ? count + 1 : Infinity;
      default:
        return Infinity;
    }
  }

  latchCount(nowNs: number): void {
    if (this.#latched < 0) this.#latched = this.value(nowNs);
  }

  latchStatus(nowNs: number): void {
    if (this.#status >= 0) return;
    const output = this.output(nowNs) ? 0x80 : 0;
    this.#status = output | (this.access << 4) | ((Math.max(this.mode, 0) & 7) << 1) | Number(this.bcd);
  }

  read(nowNs: number): number {
    if (this.#status >= 0) {
      const status = this.#status;
      this.#status = -1;
      return status;
    }
    const value = this.#latched >= 0 ? this.#latched : this.value(nowNs);
    const whole = this.access === Access.Both;
    const high = whole ? this.#readHigh : this.access === Access.High;
    if (whole) this.#readHigh = !this.#readHigh;
    if (!whole || high) this.#latched = -1;
    return high ? value >>> 8 : value & 0xff;
  }

  get state(): CounterState {
    const { mode, access, bcd, count, loadNs, gate } = this;
    const [low, readHigh, latched, status] = [this.#low, this.#readHigh, this.#latched, this.#status];
    return { mode, access, bcd, count, loadNs, gate, low, readHigh, latched, status };
  }

  set state(state: CounterState) {
    this.mode = state.mode;
    this.access = state.access;
    this.bcd = state.bcd;
    this.gate = state.gate;
    this.#low = state.low;
    this.#readHigh = state.readHigh;
    this.#latched = state.latched;
    this.#status = state.status;
    this.load(state.count, state.loadNs);
  }

  hashInto(hash: StateHash): void {
    hash.number(this.mode).word(this.access).word(this.count).number(this.loadNs).flag(this.gate);
    hash.number(this.#low).number(this.#latched).number(this.#status).flag(this.#readHigh).flag(this.bcd);
  }
}

/** An 8254. */
export class Pit8254 {
  readonly #counters = Array.from({ length: COUNTERS }, () => new Counter());

  /**
   * Writes a port, 0 to 3 from the chip's first one.
   *
   * @returns the counter that starts anew, or -1
   */
  write(port: number, value: number, nowNs: number): number {
    if (port < COUNTERS) return this.#counters[port]!.write(value & 0xff, nowNs) ? port : -1;
    const select = (value >>> 6) & 3;
    if (select === READ_BACK) {
      for (const [number, counter] of this.#counters.entries()) {
        if ((value & (2 << number)) === 0) continue;
        if ((value & 0x20) === 0) counter.latchCount(nowNs);
        if ((value & 0x10) === 0) counter.latchStatus(nowNs);
      }
      return -1;
    }
    const counter = this.#counters[select]!;
    if (((value >>> 4) & 3) === Access.Latch) counter.latchCount(nowNs);
    else counter.program(value);
    return -1;
  }

  /** Reads a port. The control word cannot be read. */
  read(port: number, nowNs: number): number {
    return port < COUNTERS ? this.#counters[port]!.read(nowNs) : 0;
  }

  /** When the output of `counter` rises, from its load on. */
  schedule(counter: number): Schedule {
    const { mode, count } = this.#counters[counter]!;
    switch (mode) {
      case 2:
      case 3:
        return { kind: "periodic", counts: count };
      case 0:
      case 1:
      case 4:
        return { kind: "once", counts: count };
      default: // mode 5 waits for its gate
        return { kind: "never", counts: 0 };
    }
  }

  /** The level of a counter's output. */
  output(counter: number, nowNs: number): boolean {
    return this.#counters[counter]!.output(nowNs);
  }

  /** The first ns behind `nowNs` in which the output of `counter` is another; Infinity: it stays. */
  nextChangeNs(counter: number, nowNs: number): number {
    const clocks = this.#counters[counter]!.nextChange(nowNs);
    return clocks === Infinity ? Infinity : firstNs(pitClocks(this.#counters[counter]!.loadNs) + clocks);
  }

  /** A counter's gate. Its rise starts the modes 1, 2, 3 and 5 anew. */
  setGate(counter: number, high: boolean, nowNs: number): void {
    const { mode, gate } = this.#counters[counter]!;
    if (high && !gate && mode !== 0 && mode !== 4) this.#counters[counter]!.loadNs = nowNs;
    this.#counters[counter]!.gate = high;
  }

  /** Whether a counter's gate is high. */
  gate(counter: number): boolean {
    return this.#counters[counter]!.gate;
  }

  /** What `counter` holds. */
  state(counter: number): CounterState {
    return this.#counters[counter]!.state;
  }

  /** Gives `counter` its state. */
  setState(counter: number, state: CounterState): void {
    this.#counters[counter]!.state = state;
  }

  /** Adds the counters to `hash`. */
  hashInto(hash: StateHash): void {
    for (const counter of this.#counters) counter.hashInto(hash);
  }
}
