/**
 * VFIO as far as a program that assigns a device sees it: a group that is opened, a device's descriptor, and the
 * interrupts that go from there to a virtual machine without the program.
 *
 * *Document*: Linux 6.x `drivers/vfio/group.c`, `drivers/vfio/pci/vfio_pci_intrs.c`, `virt/kvm/eventfd.c`;
 * `include/uapi/linux/vfio.h` for the numbers.
 *
 * *Modelled*: opening a group that is viable and nobody else has; MSI-X and MSI whose vectors are irqfds of a machine, INTx
 * whose irqfd has a resampler; reset.
 *
 * *Not modelled*: containers and DMA mappings (a device reaches the memory that its guest tells it), regions (an access
 * reaches the device at once), posted interrupts. The descriptors of `KVM_IRQFD`, with that of
 * KVM_IRQFD_FLAG_RESAMPLE, are given with `VFIO_DEVICE_SET_IRQS` in one.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { ENODEV, ENOENT, ENOTTY, type Errno } from "../../linux/errno.ts";
import type { IommuGroup } from "../../linux/pci/iommu_groups.ts";
import type { MessageKind, PciDevice } from "../../linux/pci/pci_device.ts";
import type { Task } from "../../linux/sched/task.ts";
import { AssignedDevice, type MessageLine } from "./assigned_device.ts";
import { failure, KernelFile } from "../ioctl/descriptors.ts";
import type { IoctlCall } from "../ioctl/ioctl_call.ts";
import type { Vm } from "../vm.ts";

/** Requests on a device's descriptor. */
export const VfioIoctl = Object.freeze({ VFIO_DEVICE_RESET: 0x3b6f });

/** Why a device cannot be had. */
export type VfioRefusal =
  /** `/dev/vfio/N` does not open. */
  | { readonly at: "group"; readonly group: number; readonly errno: Errno }
  /** A device of the group is in the host's hands. */
  | { readonly at: "viable"; readonly group: number }
  /** The group opens and the device is none of vfio's. */
  | { readonly at: "device"; readonly group: number; readonly errno: Errno };

/**
 * `open("/dev/vfio/N")`, `VFIO_GROUP_GET_STATUS`, `VFIO_GROUP_GET_DEVICE_FD`: a device of a group, for a machine.
 *
 * A second device of a group that the machine has already comes with it.
 */
export function* openVfioDevice(vm: Vm, device: PciDevice): Activity<VfioDeviceFile | VfioRefusal> {
  const { devices, steps } = vm.kvm;
  const group = devices!.pci.iommu!.of(device)!;
  const { number } = group;
  const vfio = devices!.vfio;
  yield steps.ioctl;
  if (vfio === null || !vfio.groups().includes(group)) return { at: "group", group: number, errno: ENOENT };
  const others = vm.assigned.filter((assigned) => group.devices.has(assigned.device));
  if (others.length === 0) {
    const refused = vfio.openGroup(group);
    if (refused) return { at: "group", group: number, errno: refused };
  }
  const refusal: VfioRefusal | undefined = !vfio.isViable(group)
    ? { at: "viable", group: number }
    : device.driver !== "vfio-pci"
    ? { at: "device", group: number, errno: ENODEV }
    : undefined;
  if (refusal !== undefined) {
    if (others.length === 0) vfio.closeGroup(group);
    return refusal;
  }
  yield steps.createVm;
  device.enable();
  device.reset();
  device.assigned = true;
  const assigned = new AssignedDevice(vm, device, "irqfd");
  vm.assigned.push(assigned);
  return new VfioDeviceFile(assigned, group);
}

/** A device's descriptor. */
export class VfioDeviceFile extends KernelFile {
  /** @param group the group that is open as long as one of its devices is */
  constructor(readonly assigned: AssignedDevice, readonly group: IommuGroup) {
    super();
  }

  // deno-lint-ignore require-yield
  override *ioctl({ request }: IoctlCall): Activity<number> {
    if (request !== VfioIoctl.VFIO_DEVICE_RESET) return failure(ENOTTY);
    this.assigned.device.reset();
    return 0;
  }

  /**
   * `VFIO_DEVICE_SET_IRQS` with index `VFIO_PCI_MSI_IRQ_INDEX` or `VFIO_PCI_MSIX_IRQ_INDEX`: an irqfd for each message, or
   * none at all. Takes effect at one instant.
   *
   * @param by the task whose access to the device it follows from
   */
  setIrqs(kind: MessageKind, lines: readonly MessageLine[], by: Task): Errno | void {
    const { assigned } = this;
    const here = assigned.vm.kvm.host.cpus[by.cpu]!;
    assigned.deassignIrqs(here);
    return lines.length === 0 ? undefined : assigned.assignIrqs(kind, lines, here);
  }

  /** The same for INTx. @param gsi the machine's line; -1: none any more */
  setLine(gsi: number, by: Task): Errno | void {
    const { assigned } = this;
    const here = assigned.vm.kvm.host.cpus[by.cpu]!;
    assigned.deassignLine(here);
    return gsi < 0 ? undefined : assigned.assignLine(gsi, here);
  }

  override *release(caller: Task): Activity {
    const { assigned, group } = this;
    const { vm } = assigned;
    if (vm.assigned.includes(assigned)) yield* assigned.deassign(caller);
    if (!vm.assigned.some(({ device }) => group.devices.has(device))) vm.kvm.devices!.vfio!.closeGroup(group);
  }
}
