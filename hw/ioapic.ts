/**
 * The I/O APIC: 24 interrupt lines, each with an entry of the redirection table that makes a message of it.
 *
 * *Document*: Intel 82093AA I/O Advanced Programmable Interrupt Controller (IOAPIC), data sheet, "IOAPIC Registers";
 * Intel SDM vol. 3A, "Signaling Interrupt Servicing Completion" (EOI broadcast).
 *
 * *Modelled*: the index and data registers, identification, version and arbitration registers, the redirection table with
 * mask, trigger mode and remote IRR, edges, levels, the end of a level-triggered interrupt.
 *
 * *Not modelled*: the APIC bus (messages arrive at once, delivery status stays idle), the EOI register of later chips,
 * the polarity bit, which keeps its value: lines are given as asserted or not.
 *
 * Nothing here delivers a message. {@linkcode IoApic.assert} and {@linkcode IoApic.service} answer with what leaves;
 * whoever carries it says with {@linkcode IoApic.accepted} that a local APIC has taken a level-triggered one.
 *
 * @module
 */

import { field, register, reserved, u32 } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

/** Interrupt lines of an 82093AA. */
export const IOAPIC_PINS = 24;
/** Where the first one of a PC has its registers. */
export const IOAPIC_BASE = 0xfec0_0000;
/** Offset of the index register. */
export const IOREGSEL = 0x00;
/** Offset of the data register. */
export const IOWIN = 0x10;
/** Offset of the EOI register, which chips from version 0x20 on have. */
export const IOEOI = 0x40;

const ID_INDEX = 0x00;
const VERSION_INDEX = 0x01;
const ARBITRATION_INDEX = 0x02;
const TABLE_INDEX = 0x10;
/** Implementation version of an 82093AA. */
const VERSION = 0x11;
/** Implementation version of the chips in Intel's hubs, which have an EOI register. */
export const VERSION_WITH_EOI = 0x20;

// An entry has 64 bits: two tables, the halves as software accesses them.
const ENTRY_LOW = register("Redirection Table (low)", TABLE_INDEX, 0x0001_0000, 32, [
  field("vector", 8),
  field("deliveryMode", 3),
  field("destinationMode", 1, "rw", { 0: "physical", 1: "logical" }),
  field("deliveryStatus", 1, "ro"),
  field("polarity", 1, "unmodelled"),
  field("remoteIrr", 1, "ro"),
  field("trigger", 1, "rw", { 0: "edge", 1: "level" }),
  field("mask", 1),
  reserved(15),
]);
const ENTRY_HIGH = register("Redirection Table (high)", TABLE_INDEX + 1, 0, 32, [
  reserved(24),
  field("destination", 8),
]);

const MASK = ENTRY_LOW.field("mask").mask;
const LEVEL = ENTRY_LOW.field("trigger").mask;
const REMOTE_IRR = ENTRY_LOW.field("remoteIrr").mask;
const READ_ONLY = u32(REMOTE_IRR | ENTRY_LOW.field("deliveryStatus").mask);

/** What an entry sends. */
export interface IoApicMessage {
  /** The line it comes from. */
  readonly pin: number;
  /** Interrupt vector. */
  readonly vector: number;
  /** Delivery mode, bits 10:8. */
  readonly mode: number;
  /** APIC id or logical destination, 8 bits. */
  readonly destination: number;
  /** Whether the destination is logical. */
  readonly logical: boolean;
  /** Whether the line is level-triggered. */
  readonly level: boolean;
}

/** What became of an asserted line: a message, or the reason why there is none. */
export type LineResult =
  | IoApicMessage
  /** The entry is masked. */
  | "masked"
  /** Level-triggered, and its last message waits for the EOI. */
  | "waiting"
  /** Edge-triggered, and the line was asserted already. */
  | "noEdge";

/** An I/O APIC. */
export class IoApic {
  /** The index register. */
  select = 0;
  /** Identification, 4 bits. */
  id = 0;
  /** Lines that are asserted, a bit each. */
  lines = 0;
  readonly #low = new Uint32Array(IOAPIC_PINS);
  readonly #high = new Uint32Array(IOAPIC_PINS);
  readonly #writableHigh: number;

  /**
   * @param reservedKept whether bits 55:32 of an entry keep what is written: emulations, and chips that remapping needs it of
   * @param version what the version register reads
   */
  constructor(readonly reservedKept = false, readonly version: number = VERSION) {
    this.#writableHigh = reservedKept ? 0xffff_ffff : ENTRY_HIGH.writableMask;
    this.reset();
  }

  /** After power-up every entry is masked. */
  reset(): void {
    this.select = this.id = this.lines = 0;
    this.#low.fill(ENTRY_LOW.reset);
    this.#high.fill(ENTRY_HIGH.reset);
  }

  /** The two halves of an entry. */
  entry(pin: number): { low: number; high: number } {
    return { low: this.#low[pin]!, high: this.#high[pin]! };
  }

  /** Puts an entry into the table, all bits of it: the state of a saved chip. */
  setEntry(pin: number, low: number, high: number): void {
    this.#low[pin] = low;
    this.#high[pin] = high;
  }

  /** The message of an entry, whatever its mask. */
  message(pin: number): IoApicMessage {
    const low = this.#low[pin]!;
    return {
      pin,
      vector: ENTRY_LOW.get(low, "vector"),
      mode: ENTRY_LOW.get(low, "deliveryMode"),
      destination: ENTRY_HIGH.get(this.#high[pin]!, "destination"),
      logical: ENTRY_LOW.get(low, "destinationMode") === 1,
      level: (low & LEVEL) !== 0,
    };
  }

  /** Whether an entry is masked. */
  masked(pin: number): boolean {
    return (this.#low[pin]! & MASK) !== 0;
  }

  /** Whether a level-triggered interrupt of an entry waits for its EOI. */
  remoteIrr(pin: number): boolean {
    return (this.#low[pin]! & REMOTE_IRR) !== 0;
  }

  /** Whether any entry waits for an EOI. */
  get waiting(): boolean {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) if (this.remoteIrr(pin)) return true;
    return false;
  }

  /** Whether a line is asserted. */
  asserted(pin: number): boolean {
    return (this.lines & (1 << pin)) !== 0;
  }

  // ---- lines ----

  /** A line is asserted: an edge, or a level. */
  assert(pin: number): LineResult {
    const before = this.lines;
    this.lines |= 1 << pin;
    if ((this.#low[pin]! & LEVEL) === 0 && before === this.lines) return "noEdge";
    return this.service(pin);
  }

  /** A line is no longer asserted. */
  deassert(pin: number): void {
    this.lines &= ~(1 << pin);
  }

  /** The message that an asserted line sends now. */
  service(pin: number): LineResult {
    if (this.masked(pin)) return "masked";
    if ((this.#low[pin]! & (LEVEL | REMOTE_IRR)) === (LEVEL | REMOTE_IRR)) return "waiting";
    return this.message(pin);
  }

  /** A local APIC has taken the message of a level-triggered line. */
  accepted(pin: number): void {
    if ((this.#low[pin]! & LEVEL) !== 0) this.#low[pin]! |= REMOTE_IRR;
  }

  /** Lines whose entry has `vector`, ascending: an EOI broadcast of it means them, and so does the EOI register. */
  pinsOf(vector: number): number[] {
    const pins: number[] = [];
    for (let pin = 0; pin < IOAPIC_PINS; pin++) if ((this.#low[pin]! & 0xff) === vector) pins.push(pin);
    return pins;
  }

  /** The interrupt of a level-triggered line is over. @returns whether the line is asserted still, and so interrupts anew */
  endOfInterrupt(pin: number): boolean {
    this.#low[pin]! &= ~REMOTE_IRR;
    return !this.masked(pin) && this.asserted(pin);
  }

  // ---- registers ----

  /** Reads the register at `offset`: the index, or what it points to. Others read 0. */
  read(offset: number): number {
    if (offset === IOREGSEL) return this.select;
    if (offset !== IOWIN) return 0;
    switch (this.select) {
      case ID_INDEX:
      case ARBITRATION_INDEX:
        return this.id << 24;
      case VERSION_INDEX:
        return ((IOAPIC_PINS - 1) << 16) | this.version;
      default: {
        const pin = (this.select - TABLE_INDEX) >>> 1;
        if (pin >= IOAPIC_PINS) return 0xffff_ffff;
        return (this.select & 1) === 1 ? this.#high[pin]! : this.#low[pin]!;
      }
    }
  }

  /**
   * Writes the register at `offset`.
   *
   * @returns the line whose entry has changed, or -1; a level-triggered one that is asserted may interrupt now
   */
  write(offset: number, value: number): number {
    if (offset === IOREGSEL) this.select = value & 0xff;
    if (offset !== IOWIN) return -1;
    if (this.select === ID_INDEX) this.id = (value >>> 24) & 0xf;
    const pin = this.select < TABLE_INDEX ? -1 : (this.select - TABLE_INDEX) >>> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return -1;
    if ((this.select & 1) === 1) {
      this.#high[pin] = value & this.#writableHigh;
      return pin;
    }
    const writable = this.reservedKept ? u32(~READ_ONLY) : ENTRY_LOW.writableMask;
    let low = u32((this.#low[pin]! & ~writable) | (value & writable));
    if ((low & LEVEL) === 0) low &= ~REMOTE_IRR; // remote IRR means nothing for an edge
    this.#low[pin] = low;
    return pin;
  }

  /** Adds the whole state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.select).word(this.id).word(this.lines).words(this.#low).words(this.#high);
  }
}
