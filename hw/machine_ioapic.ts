/**
 * The I/O APIC of a computer: its registers in memory, its lines, its messages on their way.
 *
 * @module
 */

import { IoApic, IOAPIC_BASE, type IoApicMessage, IOREGSEL, IOWIN, type LineResult } from "./ioapic.ts";
import type { StateHash } from "./sim/state_hash.ts";

/** What it is wired to. */
export interface IoApicWiring {
  /** Registers by physical address. */
  readonly ports: Map<number, { read(): number; write(value: number): void }>;
  /** Carries a message. @returns whether a local APIC is meant by it */
  interruptMessage(message: Omit<IoApicMessage, "pin">): boolean;
}

/** The I/O APIC and its wiring. */
export class MachineIoApic {
  /** The chip. */
  readonly chip = new IoApic();

  /** Wires it: its registers are memory from now on. */
  constructor(readonly wiring: IoApicWiring) {
    for (const offset of [IOREGSEL, IOWIN]) {
      wiring.ports.set(IOAPIC_BASE + offset, {
        read: () => this.chip.read(offset),
        write: (value) => this.#write(offset, value),
      });
    }
  }

  /** Line `pin` is asserted, or not any more. */
  setLine(pin: number, asserted: boolean): void {
    if (asserted) this.#carry(this.chip.assert(pin));
    else this.chip.deassert(pin);
  }

  /** A local APIC broadcasts the end of level-triggered `vector`. */
  endOfInterrupt(vector: number): void {
    for (const pin of this.chip.pinsOf(vector)) {
      if (this.chip.endOfInterrupt(pin)) this.#carry(this.chip.service(pin));
    }
  }

  #write(offset: number, value: number): void {
    const pin = this.chip.write(offset, value);
    // A level that has been waiting behind the mask, or for another destination, interrupts now.
    if (pin >= 0 && this.chip.message(pin).level && this.chip.asserted(pin)) {
      this.#carry(this.chip.service(pin));
    }
  }

  #carry(result: LineResult): void {
    if (typeof result === "object" && this.wiring.interruptMessage(result)) this.chip.accepted(result.pin);
  }

  /** Adds the chip to `hash`. */
  hashInto(hash: StateHash): void {
    this.chip.hashInto(hash);
  }
}
