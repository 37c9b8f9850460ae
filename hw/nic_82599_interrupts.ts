/**
 * The interrupt causes of one function of an 82599, one per MSI-X vector: cause, enable, auto-clear, auto-mask and
 * throttling.
 *
 * *Document*: Intel 82599 10 GbE Controller Datasheet, "Interrupt Registers", "Interrupt Moderation".
 *
 * A vector's message leaves when its cause is set and enabled, an event has happened that no message has told of yet,
 * and the interval in EITR has passed since the last one. Enabling a cause that is set counts as an event: software
 * that enables after its last poll does not miss what came in between.
 *
 * A function with an interrupt pin and MSI-X switched off tells by its line: that is asserted while a cause that has been
 * told of is set and enabled, and a message's auto-clear and auto-mask do not apply. With MSI in the line's place a message
 * leaves when the line would be asserted.
 *
 * @module
 */

import type { MsiXTable } from "./msi.ts";
import type { PciFunction } from "./pci.ts";
import { NO_EFFECTS, type PciEffect } from "./pci_configuration.ts";
import { field, register, reserved } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

const EITR = register("EITR", 0, 0, 32, [
  reserved(3),
  field("interval", 9),
  reserved(3),
  field("lowLatencyModeration", 1, "unmodelled"),
  field("lowLatencyCredit", 5, "unmodelled"),
  field("counter", 7, "unmodelled"),
  reserved(3),
  field("counterWriteDisable", 1),
]);

const INTERVAL = EITR.field("interval");

/** Unit of EITR's interval at 1 and 10 Gb/s. */
export const THROTTLE_UNIT_NS = 2048;

/** What is decided for all functions of a card. */
export interface AutoMasking {
  /** A message disables its cause, if that is one of the auto-masked. */
  readonly autoMaskEnabled: boolean;
}

/** Causes, enables and throttling of up to 64 vectors. Bits are numbered from bank 0, 32 a bank. */
export class VectorInterrupts {
  declare readonly owner: PciFunction;
  declare readonly table: MsiXTable;
  declare readonly vectors: number;
  declare readonly card: AutoMasking;
  declare readonly lineChanged: (() => readonly PciEffect[]) | null;
  readonly #cause = new Uint32Array(2);
  readonly #enabled = new Uint32Array(2);
  readonly #autoClear = new Uint32Array(2);
  readonly #autoMask = new Uint32Array(2);
  /** An event has happened of which no message has told. */
  readonly #untold = new Uint32Array(2);
  /** Causes of which the line tells, unless they are cleared or disabled meanwhile. */
  readonly #told = new Uint32Array(2);
  /** EITR as written. */
  readonly #throttle: Uint32Array;
  /** When the next message of a vector may leave, ns. */
  readonly #notBeforeNs: Float64Array;
  /** When the last message of a vector left, ns; -1: none has. */
  readonly #toldNs: Float64Array;
  /** By vector what tells of an interrupt. It is carried out at once, so each vector has one array. */
  readonly #messages: PciEffect[][] = [];
  /** An alarm has been asked for and has not come. */
  readonly #waiting = new Uint32Array(2);
  /** Bits of the vectors that there are. */
  readonly #present: Uint32Array;

  /**
   * Makes the block as it is after reset.
   *
   * @param owner whose MSI-X table the vectors index; it has its capability already
   * @param vectors how many
   * @param card who says whether auto-masking applies
   * @param lineChanged {@linkcode line} may have changed, and what follows; null: the function has no interrupt pin
   */
  constructor(
    owner: PciFunction,
    vectors: number,
    card: AutoMasking,
    lineChanged: (() => readonly PciEffect[]) | null = null,
  ) {
    this.owner = owner;
    this.table = owner.msiX!.table;
    this.vectors = vectors;
    this.card = card;
    this.lineChanged = lineChanged;
    this.#present = Uint32Array.of(bitsBelow(vectors), bitsBelow(vectors - 32));
    this.#throttle = new Uint32Array(vectors);
    this.#notBeforeNs = new Float64Array(vectors);
    this.#toldNs = new Float64Array(vectors).fill(-1);
  }

  /** Everything clear and disabled, no throttling. An alarm that still comes finds nothing to do. */
  reset(): void {
    for (
      const bits of [this.#cause, this.#enabled, this.#autoClear, this.#autoMask, this.#untold, this.#waiting]
    ) {
      bits.fill(0);
    }
    this.#told.fill(0);
    this.#throttle.fill(0);
    this.#notBeforeNs.fill(0);
    this.#toldNs.fill(-1);
    this.lineChanged?.();
  }

  /** Whether the line says that there is something, with MSI-X off. */
  get line(): boolean {
    for (let bank = 0; bank < 2; bank++) {
      if ((this.#told[bank]! & this.#cause[bank]! & this.#enabled[bank]!) !== 0) return true;
    }
    return false;
  }

  /** Whether an event on a vector could lead to a message: its cause is enabled, and no alarm is under way. */
  listens(vector: number): boolean {
    const bank = vector >>> 5, bit = 1 << (vector & 31);
    return (this.#enabled[bank]! & ~this.#waiting[bank]! & bit) !== 0;
  }

  /** When the last message of a vector left, ns; -1: none has. */
  toldNs(vector: number): number {
    return this.#toldNs[vector]!;
  }

  /** When the next message of a vector may leave, ns. */
  notBeforeNs(vector: number): number {
    return this.#notBeforeNs[vector]!;
  }

  /** Something has happened on a vector. */
  raise(vector: number, nowNs: number): readonly PciEffect[] {
    if (vector >= this.vectors) return NO_EFFECTS;
    this.note(vector);
    return this.#tell(vector, nowNs);
  }

  /** Something has happened on a vector; {@linkcode enable} tells of it. */
  note(vector: number): void {
    const bank = vector >>> 5;
    const bit = 1 << (vector & 31);
    this.#cause[bank]! |= bit;
    this.#untold[bank]! |= bit;
  }

  /** The interval that an alarm waited for has passed. */
  elapsed(vector: number, nowNs: number): readonly PciEffect[] {
    if (vector >= this.vectors) return NO_EFFECTS;
    this.#waiting[vector >>> 5]! &= ~(1 << (vector & 31));
    return this.#tell(vector, nowNs);
  }

  /** Causes of a bank. */
  causes(bank: number): number {
    return this.#cause[bank]!;
  }

  /** Sets causes by software: as if the events had happened. */
  set(bank: number, bits: number, nowNs: number): readonly PciEffect[] {
    let effects = NO_EFFECTS;
    for (let rest = bits >>> 0; rest !== 0; rest &= rest - 1) {
      effects = both(effects, this.raise(32 * bank + 31 - Math.clz32(rest & -rest), nowNs));
    }
    return effects;
  }

  /** Clears causes; what they stood for needs no message any more. */
  clear(bank: number, bits: number): void {
    this.#cause[bank]! &= ~bits;
    this.#untold[bank]! &= ~bits;
    this.#told[bank]! &= ~bits;
    this.lineChanged?.();
  }

  /** Enabled causes of a bank. */
  enabled(bank: number): number {
    return this.#enabled[bank]!;
  }

  /** Enables causes. */
  enable(bank: number, bits: number, nowNs: number): readonly PciEffect[] {
    const present = bits & this.#present[bank]!;
    this.#untold[bank]! |= present & ~this.#enabled[bank]! & this.#cause[bank]!;
    this.#enabled[bank]! |= present;
    // Most often one vector is enabled: its effects are the answer as they are.
    let effects = NO_EFFECTS;
    for (let rest = present; rest !== 0; rest &= rest - 1) {
      effects = both(effects, this.#tell(32 * bank + 31 - Math.clz32(rest & -rest), nowNs));
    }
    return effects;
  }

  /** Disables causes. */
  disable(bank: number, bits: number): void {
    this.#enabled[bank]! &= ~bits;
    this.#told[bank]! &= ~bits;
    this.lineChanged?.();
  }

  /** Causes that a message clears. */
  autoClear(bank: number): number {
    return this.#autoClear[bank]!;
  }

  /** See `autoClear`. */
  setAutoClear(bank: number, bits: number): void {
    this.#autoClear[bank] = bits & this.#present[bank]!;
  }

  /** Causes that a message disables. */
  autoMask(bank: number): number {
    return this.#autoMask[bank]!;
  }

  /** See `autoMask`. */
  setAutoMask(bank: number, bits: number): void {
    this.#autoMask[bank] = bits & this.#present[bank]!;
  }

  /** EITR of a vector. */
  readThrottle(vector: number): number {
    return this.#throttle[vector]!;
  }

  /** Writes EITR. Without CNT_WDIS the counter starts anew, here: the next message may leave at once. */
  writeThrottle(vector: number, value: number): void {
    this.#throttle[vector] = EITR.with(EITR.write(0, value), "counterWriteDisable", 0);
    if (EITR.get(value, "counterWriteDisable") === 0) this.#notBeforeNs[vector] = 0;
  }

  /** The least time between two messages of a vector, ns; 0 for no throttling. */
  intervalNs(vector: number): number {
    return ((this.#throttle[vector]! & INTERVAL.mask) >>> INTERVAL.shift) * THROTTLE_UNIT_NS;
  }

  /** Adds the whole state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.words(this.#cause).words(this.#enabled).words(this.#autoClear).words(this.#autoMask).words(
      this.#untold,
    );
    hash.words(this.#waiting).words(this.#throttle);
    if (this.lineChanged !== null) hash.words(this.#told);
    for (const time of this.#notBeforeNs) hash.number(time);
    for (const time of this.#toldNs) hash.number(time);
  }

  #tell(vector: number, nowNs: number): readonly PciEffect[] {
    const bank = vector >>> 5;
    const bit = 1 << (vector & 31);
    if ((this.#untold[bank]! & this.#cause[bank]! & this.#enabled[bank]! & bit) === 0) return NO_EFFECTS;
    const { table } = this;
    const byLine = !table.enabled;
    if (byLine ? this.lineChanged === null : !this.owner.busMaster) return NO_EFFECTS;
    const notBeforeNs = this.#notBeforeNs[vector]!;
    if (nowNs < notBeforeNs) {
      if ((this.#waiting[bank]! & bit) !== 0) return NO_EFFECTS;
      this.#waiting[bank]! |= bit;
      return this.owner.wakeAt(vector, notBeforeNs);
    }
    this.#untold[bank]! &= ~bit;
    this.#notBeforeNs[vector] = nowNs + this.intervalNs(vector);
    this.#toldNs[vector] = nowNs;
    if (byLine) {
      this.#told[bank]! |= bit;
      return this.lineChanged!();
    }
    this.#cause[bank]! &= ~(bit & this.#autoClear[bank]!);
    if (this.card.autoMaskEnabled) this.#enabled[bank]! &= ~(bit & this.#autoMask[bank]!);
    // A masked entry holds the message in its pending bit: for this function it has left.
    const message = table.signal(vector);
    if (message === undefined) return NO_EFFECTS;
    const effects = this.#messages[vector] ??= [message];
    effects[0] = message;
    return effects;
  }
}

/** The `count` lowest bits of a bank. */
function bitsBelow(count: number): number {
  return count >= 32 ? 0xffff_ffff : count <= 0 ? 0 : (1 << count) - 1;
}

/** What follows from two things, without a copy where only one has consequences. */
function both(first: readonly PciEffect[], second: readonly PciEffect[]): readonly PciEffect[] {
  return first.length === 0 ? second : second.length === 0 ? first : [...first, ...second];
}
