/**
 * The interrupt line of a device that QEMU emulates, at the controllers in the kernel.
 *
 * *Document*: QEMU `hw/i386/kvm/ioapic.c`, formerly `kvm_set_irq()`: `KVM_IRQ_LINE` with each change of the level.
 *
 * *Deviations*: the ioctl takes no time: it stands within the work of the device that it follows from.
 *
 * @module
 */

import type { KernelCpu } from "../kvm/user_space.ts";
import { LineSource } from "../kvm/irqchip/irq_routing.ts";
import type { VmFile } from "../kvm/ioctl/vm_file.ts";

/** Lines that several devices lead to: each is high while one of them holds it so. */
export class SharedLines {
  readonly #holders = new Map<number, Set<DeviceLine>>();

  /** `line` is high, or not any more. @returns whether another one holds its line high */
  set(line: DeviceLine, high: boolean): boolean {
    let holders = this.#holders.get(line.gsi);
    if (holders === undefined) this.#holders.set(line.gsi, holders = new Set());
    if (high) holders.add(line);
    else holders.delete(line);
    return holders.size > (high ? 1 : 0);
  }
}

/** A line: high from what the device has to say until the guest's driver has heard of it. */
export class DeviceLine {
  /** @param machine whose line it is @param gsi its number @param shared where other devices may lead to it */
  constructor(readonly machine: () => VmFile, readonly gsi: number, readonly shared?: SharedLines) {}

  /** The device has something to say. @param from the CPU whose software emulates the device */
  raise(from: KernelCpu): void {
    this.shared?.set(this, true);
    this.machine().setLine(this.gsi, true, LineSource.UserSpace, from);
  }

  /** The driver has read, or cleared, the register that says what it is. */
  lower(from: KernelCpu): void {
    if (this.shared?.set(this, false)) return;
    this.machine().setLine(this.gsi, false, LineSource.UserSpace, from);
  }
}
