/**
 * The I/O APIC of a computer: its registers in memory, its lines, its messages on their way, through the remapping unit.
 *
 * *Document*: Intel Virtualization Technology for Directed I/O, Architecture Specification, "Programming I/OxAPIC for
 * Remapping": bit 48 of an entry is its format, bits 63:49 and 11 are the handle. Intel 7 Series PCH datasheet, "I/O APIC
 * Registers": version 20h, EOI register.
 *
 * With remapping the vector of a local APIC's EOI broadcast is that of the remapping entry, which the chip does not know:
 * software ends a level by the EOI register, with what it has written into the entry's own vector field.
 *
 * @module
 */

import {
  IoApic,
  IOAPIC_BASE,
  IOAPIC_PINS,
  type IoApicMessage,
  IOEOI,
  IOREGSEL,
  IOWIN,
  type LineResult,
  VERSION_WITH_EOI,
} from "./ioapic.ts";
import { DeliveryMode } from "./lapic_registers.ts";
import { encodeRemappable } from "./msi.ts";
import type { StateHash } from "./sim/state_hash.ts";
import type { RemappingUnit } from "./vtd.ts";

/** Bit 48 of an entry: remappable format. Bits 63:49, and 11, of the handle. */
const FORMAT_HIGH = 1 << 16;
const HANDLE_SHIFT = 17, HANDLE_15 = 1 << 11;
/** Where the address of a message in compatibility format has its destination. */
const DESTINATION_SHIFT = 12, MESSAGE_BASE = 0xfee0_0000;

/** What it is wired to. */
export interface IoApicWiring {
  /** Registers by physical address. */
  readonly ports: Map<number, { read(): number; write(value: number): void }>;
  /** What its messages pass. */
  readonly remapping: RemappingUnit;
  /** Carries a message. @returns whether a local APIC is meant by it */
  interruptMessage(message: Omit<IoApicMessage, "pin">): boolean;
}

/** Delivery modes by their names in a message. */
const MODES = Object.freeze({
  fixed: DeliveryMode.Fixed,
  lowestPriority: DeliveryMode.LowestPriority,
  smi: DeliveryMode.Smi,
  nmi: DeliveryMode.Nmi,
  init: DeliveryMode.Init,
  extInt: DeliveryMode.ExtInt,
});

/** The I/O APIC and its wiring. */
export class MachineIoApic {
  /** The chip. */
  readonly chip = new IoApic(true, VERSION_WITH_EOI);
  /** How many of the wires that lead to a pin are asserted. */
  readonly #asserted = new Uint8Array(IOAPIC_PINS);

  /** Wires it: its registers are memory from now on. */
  constructor(readonly wiring: IoApicWiring) {
    for (const offset of [IOREGSEL, IOWIN]) {
      wiring.ports.set(IOAPIC_BASE + offset, {
        read: () => this.chip.read(offset),
        write: (value) => this.#write(offset, value),
      });
    }
    wiring.ports.set(IOAPIC_BASE + IOEOI, {
      read: () => 0,
      write: (value) => this.endOfInterrupt(value & 0xff),
    });
  }

  /** Line `pin` is asserted, or not any more: one that a single device drives. */
  setLine(pin: number, asserted: boolean): void {
    if (asserted) this.#carry(this.chip.assert(pin));
    else this.chip.deassert(pin);
  }

  /** A device's wire to line `pin`, which is asserted as long as one of its wires is. */
  wire(pin: number): (asserted: boolean) => void {
    let high = false;
    return (asserted) => {
      if (asserted === high) return;
      high = asserted;
      const others = this.#asserted[pin]! - (asserted ? 0 : 1);
      this.#asserted[pin] = others + (asserted ? 1 : 0);
      if (others === 0) this.setLine(pin, asserted);
    };
  }

  /** A local APIC broadcasts the end of level-triggered `vector`, or software writes it into the EOI register. */
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
    if (typeof result !== "object") return;
    const message = this.#remap(result);
    if (message !== undefined && this.wiring.interruptMessage(message)) this.chip.accepted(result.pin);
  }

  /** The message that leaves the remapping unit; undefined: none does. The trigger mode is the redirection entry's. */
  #remap(message: IoApicMessage): Omit<IoApicMessage, "pin"> | undefined {
    const { low, high } = this.chip.entry(message.pin);
    const address = (high & FORMAT_HIGH) === 0
      ? MESSAGE_BASE | (message.destination << DESTINATION_SHIFT)
      : encodeRemappable((high >>> HANDLE_SHIFT) | ((low & HANDLE_15) === 0 ? 0 : 0x8000), false);
    const remapped = this.wiring.remapping.remap(address >>> 0, 0);
    if (remapped.kind === "unchanged") return message;
    if (remapped.kind === "fault") return undefined;
    const { vector, destination, destinationMode, deliveryMode } = remapped.message;
    const mode = MODES[deliveryMode];
    return { vector, mode, destination, logical: destinationMode === "logical", level: message.level };
  }

  /** Adds the chip to `hash`. */
  hashInto(hash: StateHash): void {
    this.chip.hashInto(hash);
  }
}
