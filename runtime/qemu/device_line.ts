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
import { LineSource } from "../kvm/irq_routing.ts";
import type { VmFile } from "../kvm/vm_file.ts";

/** A line: high from what the device has to say until the guest's driver has heard of it. */
export class DeviceLine {
  /** @param machine whose line it is @param gsi its number */
  constructor(readonly machine: () => VmFile, readonly gsi: number) {}

  /** The device has something to say. @param from the CPU whose software emulates the device */
  raise(from: KernelCpu): void {
    this.machine().setLine(this.gsi, true, LineSource.UserSpace, from);
  }

  /** The driver has read, or cleared, the register that says what it is. */
  lower(from: KernelCpu): void {
    this.machine().setLine(this.gsi, false, LineSource.UserSpace, from);
  }
}
