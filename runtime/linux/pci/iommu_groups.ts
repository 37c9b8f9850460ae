/**
 * IOMMU groups: which PCI functions can be given to a program only together, because nothing keeps them apart.
 *
 * *Document*: Linux 3.6 and later `drivers/iommu/iommu.c` (`pci_device_group`), `drivers/pci/pci.c` (`pci_acs_enabled`);
 * PCI Express Base Specification 2.1, "Access Control Services".
 *
 * *Modelled*: a group for each function whose way to the root is kept apart by Access Control Services; behind a port
 * that has none, one group for the port and everything below it. Groups are numbered as functions are found.
 *
 * *Not modelled*: translation itself (devices reach the memory that software tells them), aliases behind PCI bridges,
 * functions of one device that can reach each other.
 *
 * @module
 */

import type { PciDevice } from "./pci_device.ts";

/** Extended capability: Access Control Services. */
const ACS = 0x000d;
/** Source validation, request and completion redirect, upstream forwarding: what isolation takes. */
const ACS_REQUIRED = 0x1d;

/** Functions that are given away together. */
export interface IommuGroup {
  /** As `/sys/kernel/iommu_groups/N` shows it. */
  readonly number: number;
  /** Its members, in the order found. */
  readonly devices: Set<PciDevice>;
}

/** All groups of one kernel. */
export class IommuGroups {
  readonly #groups = new Map<number, IommuGroup>();

  /** Every group, by number. */
  get groups(): IommuGroup[] {
    return [...this.#groups.values()].sort((a, b) => a.number - b.number);
  }

  /** The group of that number. */
  get(number: number): IommuGroup | undefined {
    return this.#groups.get(number);
  }

  /** The group that a function is in. */
  of(device: PciDevice): IommuGroup | undefined {
    return this.groups.find(({ devices }) => devices.has(device));
  }

  /** A function has been found: separation is switched on where it can be, and it gets its group. */
  add(device: PciDevice): void {
    const at = device.extendedCapability(ACS);
    if (at !== 0) device.writeConfiguration(at + 6, 2, device.fn.configuration.read(at + 4, 2));
    for (let port = device.parent; port !== undefined; port = port.parent) {
      if (!separates(port)) return void this.of(port)?.devices.add(device);
    }
    let number = 0;
    while (this.#groups.has(number)) number++;
    this.#groups.set(number, { number, devices: new Set([device]) });
  }

  /** A function has gone, and its group with the last one. */
  remove(device: PciDevice): void {
    const group = this.of(device);
    group?.devices.delete(device);
    if (group?.devices.size === 0) this.#groups.delete(group.number);
  }
}

/** pci_acs_enabled(): nothing behind `port` reaches anything but what is above it. */
function separates(port: PciDevice): boolean {
  const at = port.extendedCapability(ACS);
  return at !== 0 && (port.fn.configuration.read(at + 6, 2) & ACS_REQUIRED) === ACS_REQUIRED;
}
