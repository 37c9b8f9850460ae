/**
 * The 8259A programmable interrupt controller, and the pair of a PC.
 *
 * *Document*: Intel 8259A data sheet, "Interrupt Sequence", "Programming the 8259A"; Intel 82371AB (PIIX4) data sheet,
 * "ELCR": edge or level for each line.
 *
 * *Modelled*: initialization words 1 to 4, operation words 1 to 3, edge- and level-triggered lines, priorities with
 * rotation, automatic EOI, specific and non-specific EOI, special fully nested mode, poll, the cascade of two chips, the
 * spurious interrupt 7.
 *
 * *Not modelled*: a chip alone (ICW1 bit 1), MCS-80 mode, buffered mode; special mask mode is kept and changes nothing.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";

/** Lines of the pair. */
export const PIC_PINS = 16;
/** The line of the first chip that the second one drives. */
const CASCADE = 2;
/** Lines that ELCR can make level-triggered: not the timer, the keyboard, the cascade, the clock, the coprocessor. */
const LEVEL_CAPABLE = [0xf8, 0xde] as const;

/** What became of a change of a line. */
export type PicLineResult =
  /** The request was noted, or the line fell. */
  | "taken"
  /** The request was there already. */
  | "coalesced"
  /** The line is masked. */
  | "masked";

/** All that a chip holds; what is a switch is 0 or 1. */
export type PicState = Readonly<
  Record<
    | "lastIrr"
    | "irr"
    | "imr"
    | "isr"
    | "priorityAdd"
    | "vectorBase"
    | "readIsr"
    | "poll"
    | "specialMask"
    | "initState"
    | "autoEoi"
    | "rotateOnAutoEoi"
    | "specialFullyNested"
    | "needsIcw4"
    | "elcr"
    | "levelCapable",
    number
  >
>;

/** One chip. */
class Chip {
  lastIrr = 0;
  irr = 0;
  imr = 0;
  isr = 0;
  priorityAdd = 0;
  vectorBase = 0;
  readIsr = false;
  poll = false;
  specialMask = false;
  /** Which initialization word comes next; 0: none. */
  initState = 0;
  autoEoi = false;
  rotateOnAutoEoi = false;
  specialFullyNested = false;
  needsIcw4 = false;
  elcr = 0;

  constructor(readonly levelCapable: number) {}

  /** The order of the highest-priority bit of `mask`; 8: none. */
  priority(mask: number): number {
    if (mask === 0) return 8;
    let priority = 0;
    while ((mask & (1 << ((priority + this.priorityAdd) & 7))) === 0) priority++;
    return priority;
  }

  setLine(line: number, high: boolean): PicLineResult {
    const bit = 1 << line;
    let result: PicLineResult = "taken";
    if ((this.elcr & bit) !== 0) {
      if (high) {
        if ((this.irr & bit) !== 0) result = "coalesced";
        this.irr |= bit;
        this.lastIrr |= bit;
      } else {
        this.irr &= ~bit;
        this.lastIrr &= ~bit;
      }
    } else if (high) {
      if ((this.lastIrr & bit) === 0) {
        if ((this.irr & bit) !== 0) result = "coalesced";
        this.irr |= bit;
      }
      this.lastIrr |= bit;
    } else this.lastIrr &= ~bit;
    return (this.imr & bit) !== 0 ? "masked" : result;
  }

  /** The line that would interrupt now, or -1. @param ignored bits of the ISR that do not count */
  wanted(ignored: number): number {
    const priority = this.priority(this.irr & ~this.imr);
    if (priority === 8) return -1;
    return priority < this.priority(this.isr & ~ignored) ? (priority + this.priorityAdd) & 7 : -1;
  }

  acknowledge(line: number): void {
    this.isr |= 1 << line;
    if ((this.elcr & (1 << line)) === 0) this.irr &= ~(1 << line); // a level stays requested
    if (!this.autoEoi) return;
    if (this.rotateOnAutoEoi) this.priorityAdd = (line + 1) & 7;
    this.isr &= ~(1 << line);
  }

  writeCommand(value: number): void {
    if ((value & 0x10) !== 0) return this.#initialize(value);
    if ((value & 0x08) !== 0) {
      if ((value & 0x04) !== 0) this.poll = true;
      if ((value & 0x02) !== 0) this.readIsr = (value & 1) !== 0;
      if ((value & 0x40) !== 0) this.specialMask = (value & 0x20) !== 0;
      return;
    }
    const command = value >>> 5;
    switch (command) {
      case 0: // rotate in automatic EOI mode: clear, set
      case 4:
        this.rotateOnAutoEoi = command === 4;
        return;
      case 1: // non-specific EOI, without and with rotation
      case 5: {
        const priority = this.priority(this.isr);
        if (priority === 8) return;
        const line = (priority + this.priorityAdd) & 7;
        if (command === 5) this.priorityAdd = (line + 1) & 7;
        this.isr &= ~(1 << line);
        return;
      }
      case 7: // specific EOI with rotation, without
        this.priorityAdd = ((value & 7) + 1) & 7;
        this.isr &= ~(1 << (value & 7));
        return;
      case 3:
        this.isr &= ~(1 << (value & 7));
        return;
      case 6: // set priority
        this.priorityAdd = (value + 1) & 7;
    }
  }

  #initialize(icw1: number): void {
    this.needsIcw4 = (icw1 & 1) !== 0;
    this.lastIrr = this.imr = this.priorityAdd = 0;
    this.specialMask = this.readIsr = false;
    if (!this.needsIcw4) this.specialFullyNested = this.autoEoi = false;
    this.initState = 1;
  }

  writeData(value: number): void {
    switch (this.initState) {
      case 0:
        this.imr = value;
        return;
      case 1:
        this.vectorBase = value & 0xf8;
        this.initState = 2;
        return;
      case 2: // the cascade is wired: its word says nothing new
        this.initState = this.needsIcw4 ? 3 : 0;
        return;
      case 3:
        this.specialFullyNested = (value & 0x10) !== 0;
        this.autoEoi = (value & 0x02) !== 0;
        this.initState = 0;
    }
  }
}

/** The two chips of a PC: lines 0 to 7, and 8 to 15 behind line 2. */
export class PicPair {
  /** INT of the first chip: the processor is asked to acknowledge. */
  output = false;
  readonly #chips = [new Chip(LEVEL_CAPABLE[0]), new Chip(LEVEL_CAPABLE[1])] as const;
  readonly #drive: (high: boolean) => void;

  /** @param drive where INT leads: told whenever it rises or falls */
  constructor(drive: (high: boolean) => void = () => {}) {
    this.#drive = drive;
  }

  /** A line rises or falls. */
  setLine(line: number, high: boolean): PicLineResult {
    const result = this.#chips[line >>> 3]!.setLine(line & 7, high);
    this.#update();
    return result;
  }

  /** The processor acknowledges: the vector. Without a request it is that of line 7. */
  acknowledge(): number {
    const [first, second] = this.#chips;
    let line = first.wanted(this.#nestedCascade());
    let chip = first;
    if (line < 0) line = 7;
    else {
      first.acknowledge(line);
      if (line === CASCADE) {
        chip = second;
        line = second.wanted(0);
        if (line >= 0) second.acknowledge(line);
        else line = 7;
      }
    }
    this.#update();
    return chip.vectorBase + line;
  }

  /** Writes port 0x20, 0x21, 0xa0, 0xa1, or 0x4d0 and 0x4d1. */
  write(port: number, value: number): void {
    const chip = this.#chipAt(port);
    if (port >= 0x4d0) chip.elcr = value & chip.levelCapable;
    else if ((port & 1) === 0) chip.writeCommand(value & 0xff);
    else chip.writeData(value & 0xff);
    this.#update();
  }

  /** Reads a port. */
  read(port: number): number {
    const chip = this.#chipAt(port);
    if (port >= 0x4d0) return chip.elcr;
    if (chip.poll) {
      chip.poll = false;
      return this.#poll(chip);
    }
    if ((port & 1) === 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  /** A poll is an acknowledgement without the bus: the line's EOI follows at once. */
  #poll(chip: Chip): number {
    const [first, second] = this.#chips;
    const line = chip.wanted(chip === first ? this.#nestedCascade() : 0);
    if (line >= 0) {
      if (chip === second) {
        first.isr &= ~(1 << CASCADE);
        first.irr &= ~(1 << CASCADE);
      }
      chip.irr &= ~(1 << line);
      chip.isr &= ~(1 << line);
    }
    this.#update();
    return line < 0 ? 0 : 0x80 | line;
  }

  #chipAt(port: number): Chip {
    return this.#chips[port >= 0x4d0 ? port & 1 : port >>> 7]!;
  }

  /** In special fully nested mode the second chip may interrupt itself. */
  #nestedCascade(): number {
    return this.#chips[0].specialFullyNested ? 1 << CASCADE : 0;
  }

  #update(): void {
    const [first, second] = this.#chips;
    if (second.wanted(0) >= 0) {
      first.setLine(CASCADE, true);
      first.setLine(CASCADE, false);
    }
    const output = first.wanted(this.#nestedCascade()) >= 0;
    if (output === this.output) return;
    this.output = output;
    this.#drive(output);
  }

  /** What a chip holds. @param chip 0 or 1 */
  state(chip: number): PicState {
    const {
      readIsr,
      poll,
      specialMask,
      autoEoi,
      rotateOnAutoEoi,
      specialFullyNested,
      needsIcw4,
      ...numbers
    } = this
      .#chips[chip & 1]!;
    return {
      ...numbers,
      readIsr: +readIsr,
      poll: +poll,
      specialMask: +specialMask,
      autoEoi: +autoEoi,
      rotateOnAutoEoi: +rotateOnAutoEoi,
      specialFullyNested: +specialFullyNested,
      needsIcw4: +needsIcw4,
    };
  }

  /** Gives a chip its state; which lines can be level-triggered stays as it is wired. */
  setState(chip: number, state: PicState): void {
    const target = this.#chips[chip & 1]!;
    const { lastIrr, irr, imr, isr, priorityAdd, vectorBase, initState, elcr } = state;
    Object.assign(target, { lastIrr, irr, imr, isr, priorityAdd, vectorBase, initState, elcr });
    target.readIsr = state.readIsr !== 0;
    target.poll = state.poll !== 0;
    target.specialMask = state.specialMask !== 0;
    target.autoEoi = state.autoEoi !== 0;
    target.rotateOnAutoEoi = state.rotateOnAutoEoi !== 0;
    target.specialFullyNested = state.specialFullyNested !== 0;
    target.needsIcw4 = state.needsIcw4 !== 0;
    this.#update();
  }

  /** Adds both chips to `hash`. */
  hashInto(hash: StateHash): void {
    hash.flag(this.output);
    for (const chip of this.#chips) {
      hash.word(chip.irr).word(chip.lastIrr).word(chip.imr).word(chip.isr).word(chip.elcr).word(
        chip.vectorBase,
      );
      hash.word(chip.priorityAdd).word(chip.initState).flag(chip.autoEoi).flag(chip.rotateOnAutoEoi);
      hash.flag(chip.specialFullyNested).flag(chip.specialMask).flag(chip.readIsr).flag(chip.poll);
      hash.flag(chip.needsIcw4);
    }
  }
}
