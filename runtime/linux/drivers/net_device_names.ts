/**
 * Network interfaces of a kernel: their names, `eth0`, `eth1`, … in the order in which drivers register them, and the
 * stack that they are brought up in.
 *
 * @module
 */

import type { TopHalf } from "../kernel_cpu.ts";
import { Napi, type PolledQueue } from "../net/napi.ts";
import { NapiThread } from "../net/napi_thread.ts";
import { ETHTOOL_VERSIONS, type EthtoolOps, type EthtoolVersion } from "../net/ethtool_ops.ts";
import type { NetStack } from "../net/stack.ts";
import type { PciDevice } from "../pci/pci_device.ts";

/** What a network driver asks of the network stack. */
export interface NetDevicePort {
  /** Registers the interface of `device` (`register_netdev`) and returns its name. */
  register(device: PciDevice): string;
  /**
   * Brings the interface up.
   *
   * @param irq the interrupt of its queue, which is the driver's to request
   * @param queue the driver's part of its queue
   * @returns the interrupt's handler: it schedules the poll
   */
  open(name: string, device: PciDevice, irq: number, queue: PolledQueue): TopHalf;
  /** Which operations drivers of this kernel have for ethtool. */
  readonly ethtoolVersion: EthtoolVersion;
  /** What the driver does for ethtool on the interface. */
  setEthtoolOps(name: string, ops: EthtoolOps): void;
  /** Unregisters it; the name is free again. */
  unregister(name: string): void;
}

/** Gives each interface the lowest free `ethN`. */
export class NetDeviceNames implements NetDevicePort {
  readonly #taken = new Map<string, PciDevice | undefined>();
  readonly #indices = new Map<string, number>();
  readonly #ethtool = new Map<string, EthtoolOps>();
  #nextIndex = 2;

  /**
   * Makes the register of names.
   *
   * @param taken names of interfaces that are there already, such as the board's own controller
   * @param stack where they come up; without one a poll finds nothing
   */
  constructor(
    taken: readonly string[] = [],
    readonly stack: NetStack | null = null,
    readonly ethtoolVersion: EthtoolVersion = ETHTOOL_VERSIONS["3.5"],
  ) {
    for (const name of taken) this.#enter(name, undefined);
  }

  register(device: PciDevice): string {
    let index = 0;
    while (this.#taken.has(`eth${index}`)) index++;
    this.#enter(`eth${index}`, device);
    return `eth${index}`;
  }

  #enter(name: string, device: PciDevice | undefined): void {
    this.#taken.set(name, device);
    this.#indices.set(name, this.#nextIndex++);
  }

  open(name: string, device: PciDevice, irq: number, queue: PolledQueue): TopHalf {
    const { stack } = this;
    const port = device.fn.ethernet;
    const napi = stack === null || port === undefined ? null : new Napi(stack, port, queue);
    const address = port === undefined ? undefined : stack?.subnet.leases.get(port.mac);
    if (stack !== null && port !== undefined && address !== undefined) {
      stack.up({ name, address, port, hasRing: true, apply: (effects) => device.ports.apply(effects) });
    }
    if (napi === null) return { act: () => queue.completed(0) };
    return napi.stack.kernel.release.realTime ? new NapiThread(napi, irq, name) : napi;
  }

  setEthtoolOps(name: string, ops: EthtoolOps): void {
    this.#ethtool.set(name, ops);
  }

  /** What the driver of an interface does for ethtool; undefined: no driver of the model has such an interface. */
  ethtoolOps(name: string): EthtoolOps | undefined {
    return this.#ethtool.get(name);
  }

  unregister(name: string): void {
    this.stack?.down(name);
    this.#taken.delete(name);
    this.#ethtool.delete(name);
  }

  /** Interfaces that have a device in the model, in the order registered. */
  *interfaces(): Iterable<[name: string, device: PciDevice]> {
    for (const [name, device] of this.#taken) if (device !== undefined) yield [name, device];
  }

  /** `ifindex`: 1 is the loopback interface's, then in the order registered. */
  indexOf(name: string): number {
    return this.#indices.get(name)!;
  }

  /** The device behind an interface; `undefined` if there is no such interface or it is no PCI device of the model. */
  device(name: string): PciDevice | undefined {
    return this.#taken.get(name);
  }
}
