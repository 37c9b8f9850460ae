/**
 * The device `pci-assign`: a PCI function of the host in the guest.
 *
 * *Document*: qemu-kvm 1.1, `hw/device-assignment.c`: the messages, and the order of the ioctls.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { FunctionOwner } from "../kvm/assigned_function.ts";
import type { CallValue } from "../kvm/descriptors.ts";
import { Ioctl } from "../kvm/ioctls.ts";
import type { AssignedFunction, KvmProcess, Task } from "../kvm/user_space.ts";

/** EBUSY, as a system call returns it. */
const BUSY = -16;

/** Where a device is in the guest. */
export interface GuestPlace {
  /** Device number on bus 0. */
  readonly slot: number;
  /** Guest-physical address of its memory. */
  readonly memoryBase: number;
}

/** A device of the host that a machine has, in whichever way. */
export interface HostDevice {
  /** The `id=` of its option, if any. */
  readonly id: string | undefined;
  /** What the guest sees; `undefined` until {@linkcode realize} has succeeded. */
  readonly function: AssignedFunction | undefined;
  /** Lines for the terminal that came up later. */
  readonly messages: readonly string[];
  /**
   * Takes the device from the host.
   *
   * @param option the option as typed, for messages: `qemu-kvm: -device pci-assign,host=05:00.0`
   * @returns the lines that QEMU prints where it fails; none: done
   */
  realize(task: Task, option: string, place: GuestPlace): Activity<string[]>;
  /** The machine is reset, and the device with it. */
  reset(): void;
}

/** One assigned device. */
export class PciAssign implements HostDevice, FunctionOwner {
  /** @inheritdoc */
  function: AssignedFunction | undefined;
  /** @inheritdoc */
  readonly messages: string[] = [];
  #routed = "";

  /**
   * @param vm the machine's descriptor @param host the device's full name, `0000:05:00.0`
   * @param id the `id=` of the option, if any @param thread the task in whose name the guest's accesses are served
   */
  constructor(
    readonly process: KvmProcess,
    readonly vm: number,
    readonly host: string,
    readonly id: string | undefined,
    readonly thread: () => Task,
  ) {}

  /** @inheritdoc */
  *realize(task: Task, option: string, place: GuestPlace): Activity<string[]> {
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

  /** The guest has written MSI-X Message Control: KVM gets the routes, and what they say gets a host interrupt. */
  msiXChanged(
    routes: readonly { readonly entry: number; readonly destination: number; readonly vector: number }[],
  ): void {
    const wanted = JSON.stringify(routes);
    if (wanted === this.#routed || (routes.length === 0 && this.#routed === "")) return;
    if (this.#routed !== "") this.#ioctl("KVM_DEASSIGN_DEV_IRQ");
    this.#routed = "";
    if (routes.length === 0) return;
    this.#ioctl("KVM_ASSIGN_SET_MSIX_NR", routes.length);
    for (const { entry, destination, vector } of routes) {
      this.#ioctl("KVM_ASSIGN_SET_MSIX_ENTRY", entry, destination, vector);
    }
    if (this.#ioctl("KVM_ASSIGN_DEV_IRQ") >= 0) this.#routed = wanted;
  }

  /** @inheritdoc */
  reset(): void {
    this.function?.resetWithMachine();
  }

  #ioctl(request: keyof typeof Ioctl, ...args: CallValue[]): number {
    const { process } = this;
    const result = process.calls.callAtOnce(
      "ioctl",
      [this.vm, Ioctl[request], this.host, ...args],
      this.thread(),
    );
    if (result < 0) this.messages.push(`${request}: ${process.strerror(-result)}`);
    return result;
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
