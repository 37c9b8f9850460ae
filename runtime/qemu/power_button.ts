/**
 * ACPI as far as switching off goes: the power button, its status bit with the interrupt line behind it, the register in
 * which a guest switches the machine off.
 *
 * *Document*: ACPI specification, "PM1 Event Grouping", "PM1 Control Grouping"; QEMU `hw/acpi/core.c`, where `hw/acpi/piix4.c`
 * and `hw/acpi/ich9.c` place the registers.
 *
 * *Not modelled*: the enable bits (the guest's kernel has set that of the button), the other bits, the PM timer.
 *
 * @module
 */

import type { KernelCpu } from "../kvm/user_space.ts";
import type { VmFile } from "../kvm/vm_file.ts";
import { DeviceLine } from "./device_line.ts";
import type { QemuEra } from "./era.ts";

/** Ports of the PM1a registers. */
export interface PowerPorts {
  /** Event status: a bit that is written as 1 is cleared. */
  readonly event: number;
  /** Control. */
  readonly control: number;
}

const PORTS: Readonly<Record<QemuEra, PowerPorts>> = {
  "2012": { event: 0xb000, control: 0xb004 },
  today: { event: 0x600, control: 0x604 },
};
/** PWRBTN_STS. */
const BUTTON_STATUS = 0x100;
/** SLP_EN, with the type of S5 as QEMU's tables give it. */
const SLEEP_ENABLE = 0x2000;
/** The line of ACPI's interrupt. */
const LINE = 9;

/** The button and the registers. */
export class PowerButton {
  /** Where the registers are. */
  readonly ports: PowerPorts;
  readonly #line: DeviceLine;
  #status = 0;

  /** Of the machine whose descriptor `machine` answers. */
  constructor(machine: () => VmFile, era: QemuEra) {
    this.ports = PORTS[era];
    this.#line = new DeviceLine(machine, LINE);
  }

  /** Somebody presses it. @param from the CPU whose software emulates it */
  press(from: KernelCpu): void {
    this.#status |= BUTTON_STATUS;
    this.#line.raise(from);
  }

  /** The guest writes a port. @returns whether that switches the machine off */
  write(port: number, value: number, from: KernelCpu): boolean {
    if (port === this.ports.event) {
      this.#status &= ~value;
      if (this.#status === 0) this.#line.lower(from);
    }
    return port === this.ports.control && (value & SLEEP_ENABLE) !== 0;
  }

  /** The guest reads a port; all ones where it is none of these. */
  read(port: number): number {
    return port === this.ports.event ? this.#status : 0xffff_ffff;
  }

  /** The machine is reset. */
  reset(from: KernelCpu): void {
    this.#status = 0;
    this.#line.lower(from);
  }
}
