/**
 * The device `pci-assign`: a PCI function of the host in the guest.
 *
 * *Document*: qemu-kvm 1.1, `hw/device-assignment.c`: the messages, and the order of the ioctls.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { MsiXMessage } from "../kvm/assigned_function.ts";
import type { Task } from "../kvm/user_space.ts";
import { type GuestPlace, HostDevice } from "./host_device.ts";

/** EBUSY, as a system call returns it. */
const BUSY = -16;

/** One assigned device. */
export class PciAssign extends HostDevice {
  /** Lines of its MSI-X entries. */
  #lines: number[] = [];

  override *realize(task: Task, option: string, place: GuestPlace): Activity<string[]> {
    const { process, host } = this;
    const name = this.id ?? "(null)";
    const failed = `${option}: Device 'kvm-pci-assign' could not be initialized`;
    const device = process.pciDevice(host);
    if (device === undefined) {
      return [
        `get_real_device: /sys/bus/pci/devices/${host}/config: No such file or directory`,
        `${option}: pci-assign: Error: Couldn't get real device (${name})!`,
        failed,
      ];
    }
    const result = yield* process.ioctl(task, this.vm, "KVM_ASSIGN_PCI_DEVICE", host);
    if (result < 0) {
      const lines = [`Failed to assign device "${name}" : ${process.strerror(-result)}`];
      if (result === BUSY) lines.push(...whoHasIt(host, device));
      return [...lines, failed];
    }
    this.function = process.guestFunction(host, place.slot, place.memoryBase, this);
    return [];
  }

  /** KVM gets the lines and where they lead, and what they say gets a host interrupt. */
  protected override connect(messages: readonly MsiXMessage[]): boolean {
    this.ioctl("KVM_ASSIGN_SET_MSIX_NR", this.host, messages.length);
    this.#lines = messages.map(({ address, data }) => this.routes.addMessage(address, data));
    for (const [index, { entry }] of messages.entries()) {
      this.ioctl("KVM_ASSIGN_SET_MSIX_ENTRY", this.host, this.#lines[index]!, entry);
    }
    this.ioctl("KVM_SET_GSI_ROUTING", this.routes.table());
    return this.ioctl("KVM_ASSIGN_DEV_IRQ", this.host) >= 0;
  }

  protected override disconnect(): void {
    this.ioctl("KVM_DEASSIGN_DEV_IRQ", this.host);
    this.routes.release(this.#lines.splice(0));
  }
}

/** What QEMU finds out in sysfs about a device that is busy, and what it suggests. */
function whoHasIt(
  host: string,
  { driver, vendor, device }: { driver: string | undefined; vendor: number; device: number },
): string[] {
  if (driver === undefined) return ["Couldn't find out why."];
  const id = `${hex4(vendor)} ${hex4(device)}`;
  const drivers = "/sys/bus/pci/drivers";
  return [
    `*** The driver '${driver}' is occupying your device ${host}.`,
    "***",
    "*** You can try the following commands to free it:",
    "***",
    `*** $ echo "${id}" > ${drivers}/pci-stub/new_id`,
    `*** $ echo "${host}" > ${drivers}/${driver}/unbind`,
    `*** $ echo "${host}" > ${drivers}/pci-stub/bind`,
    `*** $ echo "${id}" > ${drivers}/pci-stub/remove_id`,
    "***",
  ];
}

function hex4(number: number): string {
  return number.toString(16).padStart(4, "0");
}
