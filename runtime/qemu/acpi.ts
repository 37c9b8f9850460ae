/**
 * ACPI as far as the model's machines use it: the power button, PCI devices that are plugged in, and the register in which a
 * guest switches the machine off; one interrupt line for all.
 *
 * *Document*: ACPI specification, "PM1 Event Grouping", "PM1 Control Grouping", "General-Purpose Event Register Blocks"; QEMU
 * `hw/acpi/core.c`, `hw/acpi/piix4.c`, `hw/acpi/pcihp.c`, `docs/specs/acpi_pci_hotplug.rst`.
 *
 * *Not modelled*: the enable bits (the guest's kernel has set those that it needs), the other bits, ejecting, the PM timer.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { KernelCpu } from "../kvm/user_space.ts";
import type { VmFile } from "../kvm/vm_file.ts";
import { DeviceLine } from "./device_line.ts";
import type { QemuEra } from "./era.ts";

/** Ports of the registers. */
export interface AcpiPorts {
  /** PM1a event status: a bit that is written as 1 is cleared. */
  readonly event: number;
  /** PM1a control. */
  readonly control: number;
  /** Status of general-purpose events, likewise. */
  readonly general: number;
  /** Slots of bus 0 that have been filled; a read forgets them. */
  readonly slots: number;
}

const PORTS: Readonly<Record<QemuEra, AcpiPorts>> = {
  "2012": { event: 0xb000, control: 0xb004, general: 0xafe0, slots: 0xae00 },
  today: { event: 0x600, control: 0x604, general: 0xafe0, slots: 0xae00 },
};
/** PWRBTN_STS. */
const BUTTON_STATUS = 0x100;
/** General-purpose event 1: a PCI device has come or is to go. */
const PCI_STATUS = 1 << 1;
/** SLP_EN, with the type of S5 as QEMU's tables give it. */
const SLEEP_ENABLE = 0x2000;
/** The line of ACPI's interrupt. */
const LINE = 9;

/** The registers of a machine. */
export class Acpi {
  /** Where they are. */
  readonly ports: AcpiPorts;
  readonly #line: DeviceLine;
  #event = 0;
  #general = 0;
  #slots = 0;

  /** Of the machine whose descriptor `machine` answers. */
  constructor(machine: () => VmFile, era: QemuEra) {
    this.ports = PORTS[era];
    this.#line = new DeviceLine(machine, LINE);
  }

  /** Somebody presses the power button. @param from the CPU whose software emulates it */
  press(from: KernelCpu): void {
    this.#event |= BUTTON_STATUS;
    this.#line.raise(from);
  }

  /** A PCI device has been plugged into slot `slot` of bus 0. @param from as before */
  plugged(slot: number, from: KernelCpu): void {
    this.#slots |= 1 << slot;
    this.#general |= PCI_STATUS;
    this.#line.raise(from);
  }

  /** The guest writes a port. @returns whether that switches the machine off */
  write(port: number, value: number, from: KernelCpu): boolean {
    const { event, general, control } = this.ports;
    if (port === event) this.#event &= ~value;
    if (port === general) this.#general &= ~value;
    if ((port === event || port === general) && (this.#event | this.#general) === 0) this.#line.lower(from);
    return port === control && (value & SLEEP_ENABLE) !== 0;
  }

  /** The guest reads a port; all ones where it is none of these. */
  read(port: number): number {
    const { event, general, slots } = this.ports;
    if (port === event) return this.#event;
    if (port === general) return this.#general;
    if (port !== slots) return 0xffff_ffff;
    const filled = this.#slots;
    this.#slots = 0;
    return filled >>> 0;
  }

  /** The machine is reset. */
  reset(from: KernelCpu): void {
    this.#event = this.#general = this.#slots = 0;
    this.#line.lower(from);
  }

  /** Adds the registers to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.#event).word(this.#general).word(this.#slots);
  }
}
