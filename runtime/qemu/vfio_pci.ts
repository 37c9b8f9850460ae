/**
 * The device `vfio-pci`: a PCI function of the host in the guest, by VFIO.
 *
 * *Document*: QEMU 7.2, `hw/vfio/pci.c` and `hw/vfio/common.c`: the messages, and the order of the steps.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { GuestMessage } from "../kvm/assignment/assigned_function.ts";
import type { MessageKind, MsiLayout, Task } from "../kvm/user_space.ts";
import { type GuestPlace, HostDevice } from "./host_device.ts";

/** One assigned device. */
export class VfioPci extends HostDevice {
  #fd = -1;
  /** The machine's line that INTA# leads to; -1: it has no pin. */
  #line = -1;

  override *realize(task: Task, option: string, place: GuestPlace): Activity<string[]> {
    const { process, host } = this;
    const failed = (message: string, name = host, ...hints: string[]) => [
      `${option}: vfio ${name}: ${message}`,
      ...hints,
    ];
    const missing = "No such file or directory";
    if (process.pciDevice(host) === undefined) {
      return failed(`no such host device: ${missing}`, `/sys/bus/pci/devices/${host}`);
    }
    const opened = yield* process.openVfioDevice(this.vm, host);
    if (typeof opened === "number") {
      this.#fd = opened;
      const { slot, memoryBase, line } = place;
      this.function = process.guestFunction(host, slot, memoryBase, line, this);
      if (this.function?.spec.interruptPin === undefined) return [];
      this.#line = line;
      const error = process.setVfioLine(this.#fd, line, task);
      return error === undefined ? [] : failed(`failed to setup INTx fd: ${error}`);
    }
    switch (opened?.at) {
      case undefined:
        return failed(`no iommu_group found: ${missing}`);
      case "group":
        return failed(`failed to open /dev/vfio/${opened.group}: ${opened.errno.message}`);
      case "viable":
        return failed(
          `group ${opened.group} is not viable`,
          host,
          "Please ensure all devices within the iommu_group are bound to their vfio bus driver.",
        );
      case "device":
        return failed(
          `error getting device from group ${opened.group}: ${opened.errno.message}`,
          host,
          `Verify all devices in group ${opened.group} are bound to vfio-<bus> or pci-stub and not already in use`,
        );
    }
  }

  /** `vfio_exitfn()`: the descriptor is closed, and with the group's last one the group. */
  override *unrealize(task: Task): Activity {
    const { calls } = this.process;
    yield* calls.call("close", [this.#fd], task, this.process.cpuOf(task));
    this.routes.release(this.lines.splice(0));
    this.function = undefined;
  }

  /** Each vector in use becomes an irqfd of the machine. */
  protected override connect(kind: MessageKind, messages: readonly GuestMessage[]): boolean {
    this.lines = messages.map(({ address, data }) => this.routes.addMessage(address, data));
    this.ioctl("KVM_SET_GSI_ROUTING", this.routes.table());
    const lines = messages.map(({ entry }, index) => ({ entry, gsi: this.lines[index]! }));
    const error = this.process.setVfioIrqs(this.#fd, kind, lines, this.thread());
    const name = kind === "MSI" ? "MSI" : "MSIX";
    if (error !== undefined) this.messages.push(`vfio: Error: Failed to setup ${name} fds: ${error}`);
    return error === undefined;
  }

  protected override connectLine(): void {
    if (this.#line < 0) return;
    const error = this.process.setVfioLine(this.#fd, this.#line, this.thread());
    if (error !== undefined) this.messages.push(`vfio: Error: Failed to setup INTx fd: ${error}`);
  }

  protected override disconnectLine(): void {
    if (this.#line >= 0) this.process.setVfioLine(this.#fd, -1, this.thread());
  }

  /** As the device has it (`vfio_msi_setup()`). */
  override msiLayout(device: MsiLayout): MsiLayout {
    return device;
  }

  /** `vfio_update_msi()`. */
  override readonly followsMsi = true;

  /** The guest has written Interrupt Disable, which is the device's own here (`vfio_basic_config_write()`). */
  override lineMasked(): void {}

  protected override disconnect(kind: MessageKind): void {
    this.process.setVfioIrqs(this.#fd, kind, [], this.thread());
    this.routes.release(this.lines.splice(0));
  }
}
