/**
 * Devices of the host that come to a machine, by `-device` or by `device_add` while it runs, and go by `device_del`.
 *
 * *Document*: `qdev-monitor.c` (`qdev_device_add()`), `hw/acpi/piix4.c` and `hw/acpi/pcihp.c` (`device_plug`); QEMU 7.2
 * `hw/core/qdev-hotplug.c`.
 *
 * *Modelled*: a device of the host's, as `-device` assigns it: the guest learns of it by ACPI, looks at its bus and loads a
 * driver. On its way out the guest is asked, its driver lets the device go, the guest ejects the slot, and only then QEMU
 * gives the device back.
 *
 * *Not modelled*, and said so: a second network card, and that the first one goes.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Task } from "../kvm/user_space.ts";
import { ASSIGNMENT } from "./device_models.ts";
import type { QemuDevice } from "./device_options.ts";
import { firstDiskSlot } from "./disks.ts";
import { type HostDevice, slotLine } from "./host_device.ts";
import type { QemuMachine } from "./machine.ts";
import type { QemuOptions } from "./options.ts";
import { PciAssign } from "./pci_assign.ts";
import { VfioPci } from "./vfio_pci.ts";

/** Guest-physical memory of assigned devices. */
const DEVICE_MEMORY = 0xf200_0000;
const DEVICE_MEMORY_STEP = 0x0010_0000;

/** The first free device number on bus 0: behind the virtio disks. */
function firstFreeSlot({ vga, disks }: QemuOptions): number {
  return firstDiskSlot(vga) + disks.length;
}

function slotOf(device: HostDevice): number {
  return device.function!.bdf.device;
}

function isQ35({ machine }: QemuOptions): boolean {
  return machine.startsWith("pc-q35");
}

/**
 * Takes a device from the host, and puts it on the guest's bus.
 *
 * @param option as messages begin @returns the lines that are said where it fails; none: done
 */
export function* assign(
  machine: QemuMachine,
  task: Task,
  { model, properties }: QemuDevice,
  option: string,
): Activity<string[]> {
  const { assigned, process, vm, routes, threads } = machine;
  const device = new (model === "vfio-pci" ? VfioPci : PciAssign)(
    process,
    vm,
    properties.get("host")!,
    properties,
    routes,
    () => threads[0]!.task!,
  );
  const first = firstFreeSlot(machine.options);
  let slot = first;
  while (assigned.some((other) => slotOf(other) === slot)) slot++;
  const failed = yield* device.realize(task, option, {
    slot,
    memoryBase: DEVICE_MEMORY + (slot - first) * DEVICE_MEMORY_STEP,
    line: slotLine(slot, isQ35(machine.options)),
  });
  if (failed.length === 0) assigned.push(device);
  return failed;
}

/** Adds `device`, by QEMU's first thread. @returns the lines that are said where it fails; none: done */
export function* addDevice(machine: QemuMachine, device: QemuDevice, main: Task): Activity<string[]> {
  const { era } = machine.options;
  const { model, properties } = device;
  if (model !== ASSIGNMENT[era]) {
    return [`Error: a device '${model}' that comes while the guest runs is not modelled`];
  }
  const id = properties.get("id");
  if (id !== undefined && machine.assigned.some((other) => other.id === id)) {
    return [era === "2012" ? `Duplicate ID '${id}' for device` : `Error: Duplicate device ID '${id}'`];
  }
  if (isQ35(machine.options)) return ["Error: Bus 'pcie.0' does not support hotplugging"];
  yield machine.steps.assignDevice;
  const failed = yield* assign(machine, main, device, "Error");
  if (failed.length > 0) return failed;
  const here = machine.process.cpuOf(main);
  machine.acpi?.plugged(slotOf(machine.assigned.at(-1)!), here);
  yield* here.sendPendingIpis();
  return [];
}

/**
 * Asks the guest to let device `id` go (`qdev_unplug()`). @param main QEMU's first thread
 *
 * @returns what is wrong, without the monitor's `Error: `; undefined: nothing
 */
export function* deleteDevice(machine: QemuMachine, id: string, main: Task): Activity<string | undefined> {
  const { acpi, options, process } = machine;
  const device = machine.assigned.find((each) => each.id === id);
  if (device === undefined) {
    if (options.nic?.name !== id) return `Device '${id}' not found`;
    return `that a device such as '${id}' goes while the guest runs is not modelled`;
  }
  if (isQ35(options)) return "Bus 'pcie.0' does not support hotplugging";
  if (acpi === null) return "Bus 'pci.0' does not support hotplugging";
  if (options.era === "today" && acpi.isLeaving(slotOf(device))) {
    return `Device ${id} is already in the process of unplug`;
  }
  const here = process.cpuOf(main);
  acpi.unplug(slotOf(device), here);
  yield* here.sendPendingIpis();
}

/** The guest has let devices go: the host has them back. @param thread the vCPU's, whose exit that was */
export function* eject(machine: QemuMachine, thread: Task): Activity {
  const slots = machine.acpi?.takeEjected() ?? 0;
  if (slots === 0) return;
  const { assigned } = machine;
  for (const device of assigned.filter((each) => (slots & (1 << slotOf(each))) !== 0)) {
    assigned.splice(assigned.indexOf(device), 1);
    yield* device.unrealize(thread);
  }
}
