/**
 * Requests that give devices of the host to a machine.
 *
 * *Document*: Linux 3.5 `virt/kvm/assigned-dev.c`: `kvm_vm_ioctl_assigned_device()`. Gone in 4.12; VFIO took its place.
 *
 * A device is known to its machine by an id of user space's choice, and the line of an MSI-X entry leads where
 * `KVM_SET_GSI_ROUTING` says.
 *
 * *Not modelled*: one side's interrupts alone, and of different kinds other than MSI of the host's for a line of the guest's:
 * EINVAL.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { formatBdf } from "../../../hw/pci.ts";
import { EEXIST, EFAULT, EINVAL, ENODEV, ENOSPC, ENXIO, Errno } from "../../linux/errno.ts";
import type { Task } from "../../linux/sched/task.ts";
import { assignDevice, type AssignedDevice, type MessageLine } from "../assignment/assigned_device.ts";
import type { Handlers, Outcome } from "./ioctl_call.ts";
import { AssignedIrq, AssignedMsixEntry, AssignedMsixNr, AssignedPciDev } from "../uapi/structures.ts";
import type { Vm } from "../vm.ts";
import type { VmFile } from "./vm_file.ts";

/** Flags of `struct kvm_assigned_pci_dev`: without the first no device is assigned. */
const Assign = Object.freeze({ EnableIommu: 1, Pci23: 2, MaskIntx: 4 });
/** Kinds of interrupts in `struct kvm_assigned_irq`, on the host's side and on the guest's. */
const INTX = 0x0001 | 0x0100, MSI = 0x0002 | 0x0200, MSIX = 0x0004 | 0x0400, MSI_FOR_INTX = 0x0002 | 0x0100;
const HOST_MASK = 0x00ff, GUEST_MASK = 0xff00;

/** The devices that a machine has, by the ids under which it has them. */
export class AssignedDevices {
  readonly #ids = new Map<number, AssignedDevice>();
  /** How many MSI-X entries a device uses, and their lines. */
  readonly #entries = new Map<
    AssignedDevice,
    { readonly count: number; readonly lines: Map<number, number> }
  >();

  constructor(readonly vm: Vm) {}

  /** The device with an id, if the machine has it still. */
  get(id: number): AssignedDevice | undefined {
    const device = this.#ids.get(id);
    return device !== undefined && this.vm.assigned.includes(device) ? device : undefined;
  }

  /** Takes the device at `place` from the host. */
  *assign(id: number, place: string, masksIntx: boolean): Activity<Outcome> {
    if (this.get(id) !== undefined) return EEXIST;
    const device = yield* assignDevice(this.vm, place, masksIntx);
    if (device instanceof Errno) return device;
    this.#ids.set(id, device);
    return 0;
  }

  /** Gives it back. */
  *deassign(device: AssignedDevice, caller: Task): Activity {
    this.#entries.delete(device);
    yield* device.deassign(caller);
  }

  /** `KVM_ASSIGN_SET_MSIX_NR`: says how many entries there will be; once. */
  setEntryCount(device: AssignedDevice, count: number): Outcome {
    if (count === 0 || count > device.device.msiXVectorCount) return EINVAL;
    if (this.#entries.has(device)) return EINVAL; // "already set"
    this.#entries.set(device, { count, lines: new Map() });
    return 0;
  }

  /** `KVM_ASSIGN_SET_MSIX_ENTRY`: the line of an entry. */
  setLine(device: AssignedDevice, entry: number, line: number): Outcome {
    const entries = this.#entries.get(device);
    if (entries === undefined) return EINVAL;
    if (!entries.lines.has(entry) && entries.lines.size === entries.count) return ENOSPC;
    entries.lines.set(entry, line);
    return 0;
  }

  /** The lines of a device's entries. */
  lines(device: AssignedDevice): MessageLine[] {
    return [...this.#entries.get(device)?.lines ?? []].map(([entry, gsi]) => ({ entry, gsi }));
  }

  /** Its interrupts are gone, and with them what they were. */
  forgetEntries(device: AssignedDevice): void {
    this.#entries.delete(device);
  }
}

/** The handlers. */
export const assignmentHandlers: Handlers<VmFile> = {
  *KVM_ASSIGN_PCI_DEVICE({ devices }, call): Activity<Outcome> {
    const request = call.copyIn(AssignedPciDev);
    if (request === null) return EFAULT;
    const flags = request.get("flags");
    if ((flags & Assign.EnableIommu) === 0) return EINVAL;
    const devfn = request.get("devfn") & 0xff;
    const place = formatBdf({
      domain: request.get("segnr"),
      bus: request.get("busnr"),
      device: devfn >> 3,
      function: devfn & 7,
    });
    return yield* devices.assign(request.get("assigned_dev_id"), place, (flags & Assign.Pci23) !== 0);
  },

  *KVM_DEASSIGN_PCI_DEVICE({ devices }, call): Activity<Outcome> {
    const request = call.copyIn(AssignedPciDev);
    if (request === null) return EFAULT;
    const device = devices.get(request.get("assigned_dev_id"));
    if (device === undefined) return EINVAL;
    yield* devices.deassign(device, call.caller);
    return 0;
  },

  KVM_ASSIGN_SET_MSIX_NR({ devices }, call) {
    const request = call.copyIn(AssignedMsixNr);
    if (request === null) return EFAULT;
    const device = devices.get(request.get("assigned_dev_id"));
    return device === undefined ? ENODEV : devices.setEntryCount(device, request.get("entry_nr"));
  },

  KVM_ASSIGN_SET_MSIX_ENTRY({ devices }, call) {
    const request = call.copyIn(AssignedMsixEntry);
    if (request === null) return EFAULT;
    const device = devices.get(request.get("assigned_dev_id"));
    if (device === undefined) return ENODEV;
    return devices.setLine(device, request.get("entry"), request.get("gsi"));
  },

  *KVM_ASSIGN_DEV_IRQ(file, call): Activity<Outcome> {
    const request = call.copyIn(AssignedIrq);
    if (request === null) return EFAULT;
    const device = file.devices.get(request.get("assigned_dev_id"));
    if (!file.vm.irqchip) return EINVAL;
    if (device === undefined) return ENODEV;
    const kind = request.get("flags");
    if (![INTX, MSI, MSIX, MSI_FOR_INTX].includes(kind)) return EINVAL;
    const gsi = request.get("guest_irq");
    const failed = kind === INTX || kind === MSI_FOR_INTX
      ? device.assignLine(gsi, call.cpu, kind === INTX ? "INTx" : "MSI")
      : kind === MSI
      ? device.assignIrqs("MSI", [{ entry: 0, gsi }], call.cpu)
      : device.assignIrqs("MSI-X", file.devices.lines(device), call.cpu);
    yield file.vm.kvm.steps.createVm;
    return failed ?? 0;
  },

  /** Frees what there is, of whatever kind (`kvm_deassign_irq()`). */
  KVM_DEASSIGN_DEV_IRQ({ devices, vm }, call) {
    const request = call.copyIn(AssignedIrq);
    if (request === null) return EFAULT;
    const device = devices.get(request.get("assigned_dev_id"));
    if (device === undefined) return ENODEV;
    if (!vm.irqchip) return EINVAL;
    if (device.line === null && !device.irqsAssigned) return ENXIO;
    const kind = request.get("flags");
    if ((kind & HOST_MASK) === 0 || (kind & GUEST_MASK) === 0) {
      return (kind & (HOST_MASK | GUEST_MASK)) === 0 ? 0 : EINVAL;
    }
    device.deassignLine(call.cpu);
    if (device.deassignIrqs(call.cpu)) devices.forgetEntries(device);
    return 0;
  },

  KVM_ASSIGN_SET_INTX_MASK({ devices }, call) {
    const request = call.copyIn(AssignedPciDev);
    if (request === null) return EFAULT;
    const device = devices.get(request.get("assigned_dev_id"));
    if (device === undefined) return ENODEV;
    device.line?.setGuestMask((request.get("flags") & Assign.MaskIntx) !== 0, call.cpu);
    return 0;
  },
};
