/**
 * The device `pci-assign`: a PCI function of the host in the guest.
 *
 * *Document*: qemu-kvm 1.1, `hw/device-assignment.c`: the messages, and the order of the ioctls (`assign_irq()`,
 * `assigned_dev_update_msix()`, `assigned_dev_msix_mmio_write()`).
 *
 * *Modelled*: `share_intx`; `prefer_msi`, and the retry with a message of the host's where the line cannot be had.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { GuestMessage } from "../kvm/assignment/assigned_function.ts";
import type { MessageKind, MsiLayout, Task } from "../kvm/user_space.ts";
import { type GuestPlace, HostDevice } from "./host_device.ts";

/** EIO and EBUSY, as a system call returns them. */
const IO_ERROR = -5, BUSY = -16;
/** Flags of `KVM_ASSIGN_PCI_DEVICE`. */
const ENABLE_IOMMU = 1, PCI_2_3 = 2, MASK_INTX = 4;
/** Kinds of interrupts for `KVM_ASSIGN_DEV_IRQ`, the host's and the guest's. */
const INTX = 0x0101, MSI = 0x0202, MSIX = 0x0404, MSI_FOR_INTX = 0x0102;

/** One assigned device. */
export class PciAssign extends HostDevice {
  /** The machine's line that INTA# leads to; -1: it has no pin, or the line is not assigned. */
  #line = -1;
  /** The host has its MSI for the guest's line. */
  #prefersMsi = this.properties.get("prefer_msi") === "on";

  /** How the guest's line is asked for. */
  get #lineKind(): number {
    return this.#prefersMsi && this.function?.msi !== undefined ? MSI_FOR_INTX : INTX;
  }

  /** Its line is masked in the device, and may be shared. */
  get #sharesLine(): number {
    return this.properties.get("share_intx") === "off" ? 0 : PCI_2_3;
  }

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
    const flags = ENABLE_IOMMU | this.#sharesLine;
    const result = yield* process.ioctl(task, this.vm, "KVM_ASSIGN_PCI_DEVICE", host, flags);
    if (result < 0) {
      const lines = [`Failed to assign device "${name}" : ${process.strerror(-result)}`];
      if (result === BUSY) lines.push(...whoHasIt(host, device));
      return [...lines, failed];
    }
    const { slot, memoryBase, line } = place;
    this.function = process.guestFunction(host, slot, memoryBase, line, this);
    if (this.function?.spec.interruptPin === undefined) return [];
    this.#line = line;
    const ask = () => process.ioctl(task, this.vm, "KVM_ASSIGN_DEV_IRQ", host, 0, line, this.#lineKind);
    let refused = yield* ask();
    if (refused === IO_ERROR && !this.#prefersMsi && this.function.msi !== undefined) {
      this.messages.push(...MSI_INSTEAD);
      this.#prefersMsi = true;
      refused = yield* ask();
    }
    if (refused >= 0) return [];
    this.function = undefined;
    yield* process.ioctl(task, this.vm, "KVM_DEASSIGN_PCI_DEVICE", host);
    return [...lineRefused(name, process.strerror(-refused)), failed];
  }

  protected override connectLine(): void {
    if (this.#line >= 0) this.ioctl("KVM_ASSIGN_DEV_IRQ", this.host, 0, this.#line, this.#lineKind);
  }

  protected override disconnectLine(): void {
    if (this.#line >= 0) this.ioctl("KVM_DEASSIGN_DEV_IRQ", this.host, 0, this.#line, this.#lineKind);
  }

  /** 32 bits of address and no mask, whatever the device has (`assigned_device_pci_cap_init()`). */
  override msiLayout(): MsiLayout {
    return { address64: false, maskable: false };
  }

  /** Not before QEMU 1.4: until then a write of address and data alone changes nothing. */
  override readonly followsMsi = false;

  /** The guest has written Interrupt Disable. */
  override lineMasked(masked: boolean): void {
    const flags = this.#sharesLine | (masked ? MASK_INTX : 0);
    this.ioctl("KVM_ASSIGN_SET_INTX_MASK", this.host, flags);
  }

  /** `assigned_exitfn()`. */
  override *unrealize(task: Task): Activity {
    yield* this.process.ioctl(task, this.vm, "KVM_DEASSIGN_PCI_DEVICE", this.host);
    this.routes.release(this.lines.splice(0));
    this.function = undefined;
  }

  /** KVM gets the lines and where they lead, and what they say gets a host interrupt. */
  protected override connect(kind: MessageKind, messages: readonly GuestMessage[]): boolean {
    if (kind === "MSI") return this.#connectMsi(messages[0]!);
    this.ioctl("KVM_ASSIGN_SET_MSIX_NR", this.host, messages.length);
    this.lines = messages.map(({ address, data }) => this.routes.addMessage(address, data));
    for (const [index, { entry }] of messages.entries()) {
      this.ioctl("KVM_ASSIGN_SET_MSIX_ENTRY", this.host, this.lines[index]!, entry);
    }
    this.ioctl("KVM_SET_GSI_ROUTING", this.routes.table());
    return this.ioctl("KVM_ASSIGN_DEV_IRQ", this.host, 0, 0, MSIX) >= 0;
  }

  /** `assigned_dev_update_msi()`. */
  #connectMsi({ address, data }: GuestMessage): boolean {
    const line = this.routes.addMessage(address, data);
    this.lines = [line];
    this.ioctl("KVM_SET_GSI_ROUTING", this.routes.table());
    return this.ioctl("KVM_ASSIGN_DEV_IRQ", this.host, 0, line, MSI) >= 0;
  }

  protected override disconnect(kind: MessageKind): void {
    this.ioctl("KVM_DEASSIGN_DEV_IRQ", this.host, 0, 0, kind === "MSI" ? MSI : MSIX);
    this.routes.release(this.lines.splice(0));
  }
}

/** What QEMU says where the host's line cannot be had, and its message can. */
const MSI_INSTEAD = [
  "Host-side INTx sharing not supported, using MSI instead",
  "Some devices do not work properly in this mode.",
];

/** What QEMU says where neither can be had. */
function lineRefused(name: string, error: string): string[] {
  return [
    `Failed to assign irq for "${name}": ${error}`,
    "Perhaps you are assigning a device that shares an IRQ with another device?",
  ];
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
