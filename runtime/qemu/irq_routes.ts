/**
 * Where the interrupt lines of a machine lead, as QEMU keeps it: the whole table goes to KVM with every change.
 *
 * *Document*: qemu-kvm 1.1 `kvm-all.c`: `kvm_irqchip_add_msi_route()`, `hw/pc_piix.c`: `kvm_piix3_setup_irq_routing()`.
 *
 * @module
 */

import type { View } from "../kvm/uapi/structure.ts";
import { Routing, RoutingEntry, RoutingIrqchip, RoutingMsi, RoutingUnion } from "../kvm/uapi/structures.ts";

/** Types of routes. */
const IRQCHIP = 1, MSI = 2;
/** Numbers of the controllers, and their pins. */
const PIC_MASTER = 0, PIC_SLAVE = 1, IOAPIC = 2;
const PIC_PINS = 8, IOAPIC_PINS = 24;
/** Line 0, the PIT's, comes to the I/O APIC on pin 2. */
const PIT_PIN = 2;

/** The table of one machine. */
export class IrqRoutes {
  /** Messages, by line. */
  readonly #messages = new Map<number, { readonly address: number; readonly data: number }>();

  /** A free line, which leads to a message from now on. */
  addMessage(address: number, data: number): number {
    let line = IOAPIC_PINS;
    while (this.#messages.has(line)) line++;
    this.#messages.set(line, { address, data });
    return line;
  }

  /** A line leads to another message from now on (`kvm_irqchip_update_msi_route()`). */
  changeMessage(line: number, address: number, data: number): void {
    this.#messages.set(line, { address, data });
  }

  /** Lines that lead nowhere any more. */
  release(lines: readonly number[]): void {
    for (const line of lines) this.#messages.delete(line);
  }

  /** The table, as `KVM_SET_GSI_ROUTING` takes it. */
  table(): View {
    const pins: (readonly [line: number, chip: number, pin: number])[] = [];
    for (let line = 0; line < 2 * PIC_PINS; line++) {
      if (line !== PIT_PIN) pins.push([line, line < PIC_PINS ? PIC_MASTER : PIC_SLAVE, line % PIC_PINS]);
    }
    for (let line = 0; line < IOAPIC_PINS; line++) {
      if (line !== PIT_PIN) pins.push([line, IOAPIC, line === 0 ? PIT_PIN : line]);
    }
    const table = Routing.make(pins.length + this.#messages.size);
    table.set("nr", pins.length + this.#messages.size);
    let index = 0;
    for (const [line, chip, pin] of pins) {
      const entry = table.part("entries", RoutingEntry, index++).set("gsi", line).set("type", IRQCHIP);
      entry.part("u", RoutingUnion).part("irqchip", RoutingIrqchip).set("irqchip", chip).set("pin", pin);
    }
    for (const [line, { address, data }] of this.#messages) {
      const entry = table.part("entries", RoutingEntry, index++).set("gsi", line).set("type", MSI);
      entry.part("u", RoutingUnion).part("msi", RoutingMsi)
        .set("address_lo", address).set("data", data);
    }
    return table as unknown as View;
  }
}
