/**
 * Names of network interfaces: `eth0`, `eth1`, … in the order in which drivers register them.
 *
 * @module
 */

import type { PciDevice } from "../pci_device.ts";

/** What a network driver asks of the network stack. */
export interface NetDevicePort {
  /** Registers the interface of `device` (`register_netdev`) and returns its name. */
  register(device: PciDevice): string;
  /** Unregisters it; the name is free again. */
  unregister(name: string): void;
}

/** Gives each interface the lowest free `ethN`. */
export class NetDeviceNames implements NetDevicePort {
  readonly #taken = new Map<string, PciDevice | undefined>();

  /**
   * Makes the register of names.
   *
   * @param taken names of interfaces that are there already, such as the board's own controller
   */
  constructor(taken: readonly string[] = []) {
    for (const name of taken) this.#taken.set(name, undefined);
  }

  register(device: PciDevice): string {
    let index = 0;
    while (this.#taken.has(`eth${index}`)) index++;
    this.#taken.set(`eth${index}`, device);
    return `eth${index}`;
  }

  unregister(name: string): void {
    this.#taken.delete(name);
  }

  /** The device behind an interface; `undefined` if there is no such interface or it is no PCI device of the model. */
  device(name: string): PciDevice | undefined {
    return this.#taken.get(name);
  }
}
