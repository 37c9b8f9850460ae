/**
 * ACPI as far as the model's machines use it: the power button, PCI devices that come and go, and the register in which a
 * guest switches the machine off; one interrupt line for all.
 *
 * *Document*: ACPI specification, "PM1 Event Grouping", "PM1 Control Grouping", "General-Purpose Event Register Blocks"; QEMU
 * `hw/acpi/core.c`, `hw/acpi/piix4.c`, `hw/acpi/pcihp.c`, `docs/specs/acpi_pci_hotplug.rst`.
 *
 * *Not modelled*: the enable bits (the guest's kernel has set those that it needs), the other bits, the PM timer.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { KernelCpu } from "../kvm/user_space.ts";
import type { VmFile } from "../kvm/ioctl/vm_file.ts";
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
  readonly filled: number;
  /** Slots whose device is to go; until it has gone. */
  readonly leaving: number;
  /** The guest writes slots into it whose device it has let go. */
  readonly eject: number;
}

const HOTPLUG = { general: 0xafe0, filled: 0xae00, leaving: 0xae04, eject: 0xae08 };
const PORTS: Readonly<Record<QemuEra, AcpiPorts>> = {
  "2012": { event: 0xb000, control: 0xb004, ...HOTPLUG },
  today: { event: 0x600, control: 0x604, ...HOTPLUG },
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
  #filled = 0;
  #leaving = 0;
  #ejected = 0;

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
    this.#filled |= 1 << slot;
    this.#general |= PCI_STATUS;
    this.#line.raise(from);
  }

  /** The guest is asked to let the device in slot `slot` go. @param from as before */
  unplug(slot: number, from: KernelCpu): void {
    this.#leaving |= 1 << slot;
    this.#general |= PCI_STATUS;
    this.#line.raise(from);
  }

  /** Whether the guest has been asked so, and has not done it yet. */
  isLeaving(slot: number): boolean {
    return (this.#leaving & (1 << slot)) !== 0;
  }

  /** Slots that the guest has ejected since the last call, a bit each. */
  takeEjected(): number {
    const ejected = this.#ejected;
    this.#ejected = 0;
    this.#leaving &= ~ejected;
    return ejected;
  }

  /** The guest writes a port. @returns whether that switches the machine off */
  write(port: number, value: number, from: KernelCpu): boolean {
    const { event, general, control, eject } = this.ports;
    if (port === event) this.#event &= ~value;
    if (port === general) this.#general &= ~value;
    if (port === eject) this.#ejected |= value;
    if ((port === event || port === general) && (this.#event | this.#general) === 0) this.#line.lower(from);
    return port === control && (value & SLEEP_ENABLE) !== 0;
  }

  /** The guest reads a port; all ones where it is none of these. */
  read(port: number): number {
    const { event, general, filled, leaving } = this.ports;
    if (port === event) return this.#event;
    if (port === general) return this.#general;
    if (port === leaving) return this.#leaving >>> 0;
    if (port !== filled) return 0xffff_ffff;
    const slots = this.#filled;
    this.#filled = 0;
    return slots >>> 0;
  }

  /** The machine is reset. */
  reset(from: KernelCpu): void {
    this.#event =
      this.#general =
      this.#filled =
      this.#leaving =
      this.#ejected =
        0;
    this.#line.lower(from);
  }

  /** Adds the registers to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.#event).word(this.#general).word(this.#filled).word(this.#leaving).word(this.#ejected);
  }
}
