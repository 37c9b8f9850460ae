/**
 * The I/O APIC as Linux programs it: an entry of the redirection table for each line that is in use.
 *
 * *Document*: Linux 3.5 `arch/x86/kernel/apic/io_apic.c` (`clear_IO_APIC()`, `__ioapic_write_entry()`,
 * `setup_ioapic_irq()`); ACPI specification, "Interrupt Source Override": a PC's timer is on pin 2.
 *
 * With interrupt remapping an entry names one of the remapping table (`intel_setup_ioapic_entry()`), and has the pin's number
 * for its vector: an EOI broadcast, which has the remapping entry's, ends no level then. That is what the chip's EOI register
 * is for (`ir_ack_apic_level()`, `io_apic_eoi()`).
 *
 * *Deviations*: physical destinations and fixed delivery, as `x2apic_phys` has them and as this kernel's messages have
 * them; a flat xAPIC kernel would ask for lowest priority among logical ones. As those of `board.ts`, and as those of a
 * PCI driver, its accesses take no time.
 *
 * @module
 */

import { IOAPIC_BASE, IOAPIC_PINS, IOEOI, IOREGSEL, IOWIN } from "../../../hw/ioapic.ts";
import type { Board } from "../board.ts";

/** Index of the low half of entry 0; the high halves follow each. */
const TABLE = 0x10;
/** Bits of an entry's low half. */
const REMOTE_IRR = 1 << 14, LEVEL = 1 << 15, MASKED = 1 << 16;
/** In remappable format: bits 15 and 14:0 of the handle, and the format's own bit in the high half. */
const HANDLE_15 = 1 << 11, HANDLE_SHIFT = 17, REMAPPABLE = 1 << 16;
/** The PIT's line, and the pin on which it comes. */
const TIMER_IRQ = 0, TIMER_PIN = 2;

/** Where a line's interrupt goes. */
export interface PinRoute {
  /** Vector of the CPU. */
  readonly vector: number;
  /** The CPU's APIC id. */
  readonly destination: number;
  /** Whether the line is level-triggered. */
  readonly level: boolean;
  /** Its entry of the remapping table, which alone says the CPU then; -1: none. */
  readonly remapIndex: number;
}

/** The I/O APIC of a kernel's board. */
export class IoApicPins {
  /** Lines that are in use and masked for a while. */
  readonly #masked = new Set<number>();

  /** Of `board`: every entry is masked from now on. */
  constructor(readonly board: Board) {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) this.#write(pin, MASKED, 0);
  }

  /** The line of interrupt `irq` interrupts from now on. */
  route(irq: number, { vector, destination, level, remapIndex }: PinRoute): void {
    const low = (level ? LEVEL : 0) | (this.#masked.has(irq) ? MASKED : 0);
    if (remapIndex < 0) return this.#write(pinOf(irq), low | vector, (destination << 24) >>> 0);
    const high = ((remapIndex & 0x7fff) << HANDLE_SHIFT) | REMAPPABLE;
    this.#write(pinOf(irq), low | pinOf(irq) | (remapIndex > 0x7fff ? HANDLE_15 : 0), high >>> 0);
  }

  /** `mask_ioapic()`, `unmask_ioapic()`. */
  setMask(irq: number, masked: boolean): void {
    if (masked) this.#masked.add(irq);
    else this.#masked.delete(irq);
    const low = this.#read(irq);
    this.#register(TABLE + 2 * pinOf(irq), masked ? low | MASKED : low & ~MASKED);
  }

  /** `eoi_ioapic_irq()`: the end of a level whose interrupt is remapped. */
  endOfInterrupt(irq: number): void {
    this.board.store(IOAPIC_BASE + IOEOI, pinOf(irq));
  }

  /** `io_apic_level_ack_pending()`: the line has interrupted again, and that has not been ended. */
  ackPending(irq: number): boolean {
    return (this.#read(irq) & REMOTE_IRR) !== 0;
  }

  /** The line of interrupt `irq` does not interrupt any more. */
  free(irq: number): void {
    this.#masked.delete(irq);
    this.#write(pinOf(irq), MASKED, 0);
  }

  /** The low half of a line's entry. */
  #read(irq: number): number {
    this.board.store(IOAPIC_BASE + IOREGSEL, TABLE + 2 * pinOf(irq));
    return this.board.load(IOAPIC_BASE + IOWIN);
  }

  /** The high half first: while the low one is written, the destination has to be there. */
  #write(pin: number, low: number, high: number): void {
    this.#register(TABLE + 2 * pin + 1, high);
    this.#register(TABLE + 2 * pin, low);
  }

  #register(index: number, value: number): void {
    this.board.store(IOAPIC_BASE + IOREGSEL, index);
    this.board.store(IOAPIC_BASE + IOWIN, value);
  }
}

/** The pin on which the line of interrupt `irq` comes. */
export function pinOf(irq: number): number {
  return irq === TIMER_IRQ ? TIMER_PIN : irq;
}
