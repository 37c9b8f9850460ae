/**
 * What a guest sees of an assigned device: a function of its own PCI bus, with emulated configuration space and MSI-X
 * table, behind which the registers are the device's own.
 *
 * *Document*: qemu-kvm 1.1, device `pci-assign`; QEMU 7.2, `hw/vfio/pci.c`; PCI Local Bus Specification 3.0, "MSI-X
 * Capability and Table Structures", "MSI Capability Structure".
 *
 * *Modelled*: identifiers, memory base addresses, the interrupt pin, Bus Master Enable (passed on), Interrupt Disable (KVM is
 * told), the MSI-X capability with a table that the device never sees, MSI with one message.
 *
 * *Not modelled*: the device's other capabilities, its ROM and I/O ports.
 *
 * *Deviations*: a guest's accesses to configuration space and MSI-X table do not exit, as the drivers of this model
 * make them at one instant. A mask bit that the guest sets holds nothing back, as with an irqfd in QEMU, which that goes
 * past: an entry of MSI-X is looked at when its mask opens.
 *
 * @module
 */

import type { EthernetPort } from "../../../hw/ethernet.ts";
import { young } from "../../../hw/sim/young.ts";
import { type Bar, type Bdf, PciFunction } from "../../../hw/pci.ts";
import { MsiCapability, type MsiLayout } from "../../../hw/msi_capability.ts";
import { MsiXCapability, NO_EFFECTS, type PciEffect } from "../../../hw/pci_configuration.ts";
import type { MessageKind, PciDevice } from "../../linux/pci/pci_device.ts";

/** Offset of the Command register, and its bits that the guest's software sets. */
const COMMAND = 0x04;
const COMMAND_WRITABLE = 0x0407;
const BUS_MASTER = 0x0004;
const INTX_DISABLE = 0x0400;
/** Where the MSI-X capability stands. */
const MSIX = 0x70;

/** A message that the guest has written into the MSI-X table, or for MSI. */
export interface GuestMessage {
  readonly entry: number;
  readonly address: number;
  readonly data: number;
}

/** Whoever emulates the function. */
export interface FunctionOwner {
  /** Message Control was written: messages of that kind are on with these in use, or off (empty). */
  messagesChanged(kind: MessageKind, messages: readonly GuestMessage[]): void;
  /** A message in use may go elsewhere from now on. */
  messagesMoved(kind: MessageKind, messages: readonly GuestMessage[]): void;
  /** What the guest sees of a device's MSI. */
  msiLayout(device: MsiLayout): MsiLayout;
  /** A message that the guest changes while MSI is on goes there at once; else only {@linkcode messagesChanged} says it. */
  readonly followsMsi: boolean;
  /** Interrupt Disable was set, or cleared. */
  lineMasked(masked: boolean): void;
}

/** The function. */
export class AssignedFunction extends PciFunction {
  declare readonly device: PciDevice;
  declare readonly owner: FunctionOwner;
  /**
   * @param device the host's device @param place where the guest finds it @param memoryBase guest-physical address of its
   * first base address register; a multiple of the largest one's size @param line the guest's line that its INTA# leads to
   */
  constructor(device: PciDevice, place: Bdf, memoryBase: number, line: number, owner: FunctionOwner) {
    super({
      bdf: place,
      vendorId: device.vendor,
      deviceId: device.device,
      classCode: device.classCode,
      revision: device.revision,
      subsystemVendorId: device.subsystemVendor,
      subsystemId: device.subsystemDevice,
      headerType: 0,
      ...(device.irq === 0 ? {} : { interruptPin: 1, interruptLine: line }),
      bars: guestBars(device.fn.spec.bars, memoryBase),
    });
    this.device = device;
    this.owner = owner;
    let command = 0;
    this.configuration.addLive(COMMAND, 16, {
      read: () => command,
      write: (value) => {
        const masked = (value & INTX_DISABLE) !== 0;
        if (masked !== ((command & INTX_DISABLE) !== 0)) owner.lineMasked(masked);
        command = value & COMMAND_WRITABLE;
        const real = device.fn.configuration;
        return real.write(COMMAND, 2, real.read(COMMAND, 2) & ~BUS_MASTER | command & BUS_MASTER);
      },
    });
    const { msi, msiX } = device.fn;
    if (msi !== undefined) {
      const layout = owner.msiLayout(msi.layout);
      this.msi = new MsiCapability(this.configuration, msi.offset, layout, (what) => {
        if (what === "control") owner.messagesChanged("MSI", this.#msiMessages());
        else if (owner.followsMsi && this.msi?.enabled) owner.messagesMoved("MSI", this.#msiMessages());
        return NO_EFFECTS;
      });
    }
    if (msiX === undefined) return;
    const { table, tableLocation, pendingLocation } = msiX;
    this.msiX = new MsiXCapability(this.configuration, MSIX, table.size, tableLocation, pendingLocation);
    const mine = this.msiX.table;
    mine.unmasked = young(() => {
      if (mine.enabled && !mine.functionMasked) owner.messagesMoved("MSI-X", this.messages());
    });
    // Behind the capability's own register, which has taken the value already.
    this.configuration.addLive(MSIX + 2, 16, {
      read: () => mine.readControl(),
      write: () => {
        owner.messagesChanged("MSI-X", this.messages());
        return NO_EFFECTS;
      },
    });
  }

  #msiMessages(): GuestMessage[] {
    const { enabled, message: { address, data } } = this.msi!;
    return enabled ? [{ entry: 0, address, data }] : [];
  }

  /** The messages of the entries that the guest has written; none while MSI-X is off. */
  messages(): GuestMessage[] {
    const { table } = this.msiX!;
    const messages: GuestMessage[] = [];
    if (!table.enabled) return messages;
    for (let entry = 0; entry < table.size; entry++) {
      const { address, data } = table.message(entry);
      if (data !== 0) messages.push({ entry, address, data }); // 0: never written
    }
    return messages;
  }

  /** QEMU's part of a machine's reset: no bus mastering, no messages, and the host resets the device. */
  resetWithMachine(): void {
    if (this.msi !== undefined) this.configuration.write(this.msi.offset + 2, 2, 0);
    if (this.msiX !== undefined) {
      this.configuration.write(MSIX + 2, 2, 0);
      this.msiX.table.reset();
    }
    this.configuration.write(COMMAND, 2, 0);
    this.device.reset();
  }

  /** The device's registers are mapped into the guest; what shares its range with the emulated MSI-X table is not. */
  override mapped(bar: number): PciFunction {
    const emulated = this.msiX?.tableLocation.bar === bar || this.msiX?.pendingLocation.bar === bar;
    return emulated ? this : this.device.fn.mapped(bar);
  }

  protected override readRegister(bar: number, offset: number, nowNs: number): number {
    return this.device.fn.readMemory(bar, offset, nowNs);
  }

  protected override writeRegister(
    bar: number,
    offset: number,
    value: number,
    nowNs: number,
  ): readonly PciEffect[] {
    return this.device.fn.writeMemory(bar, offset, value, nowNs);
  }

  override get ethernet(): EthernetPort | undefined {
    return this.device.fn.ethernet; // its rings are in the guest's memory, and the IOMMU lets it reach them
  }

  override alarm(source: number, nowNs: number): readonly PciEffect[] {
    return this.device.fn.alarm(source, nowNs);
  }
}

/** The memory ranges of a device, one after the other from `base` on. */
function guestBars(bars: readonly Bar[], base: number): Bar[] {
  let next = base;
  return bars.filter(({ space }) => space === "memory").map((bar) => {
    const at = Math.ceil(next / bar.size) * bar.size;
    next = at + bar.size;
    return { ...bar, base: at };
  });
}
