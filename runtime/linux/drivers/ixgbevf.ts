/**
 * ixgbevf: the driver of an 82599's virtual functions.
 *
 * *Document*: Linux 3.5 `drivers/net/ethernet/intel/ixgbevf/`; Intel 82599 10 GbE Controller Datasheet, "Virtual
 * Function Device Registers".
 *
 * *Modelled*: MSI-X with one vector for the queue pair and one for the mailbox, the interrupt registers, the poll of the
 * receive queue, throttling by classes of traffic or as ethtool says.
 *
 * *Not modelled*: the mailbox's messages; the clean-up of sent frames costs nothing.
 *
 * *Deviations*: the interface is up as soon as it is registered, so probing requests the IRQs that `ifconfig up` would.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { Errno } from "../errno.ts";
import type { PciDriver } from "../pci/pci_bus.ts";
import type { PciSteps } from "../pci/pci_costs.ts";
import type { PciDevice } from "../pci/pci_device.ts";
import { pciId } from "../pci/pci_ids.ts";
import { LINK_SPEED, receiveStatistics, VectorModeration } from "./ixgbe_ethtool.ts";
import { DynamicItr, ITR_20K, QueueVector } from "./ixgbe_itr.ts";
import type { NetDevicePort } from "./net_device_names.ts";

/** Registers in BAR 0. */
const VTCTRL = 0x000;
const VTEIMS = 0x108;
const VTEIMC = 0x10c;
const VTEIAC = 0x110;
const VTEIAM = 0x114;
const VTIVAR = 0x120;
const VTIVAR_MISC = 0x140;
const VTEITR = 0x820;

const RESET = 1 << 26;
const IVAR_VALID = 0x80;
/** Leave the counter alone when the interval is written. */
const EITR_CNT_WDIS = 0x8000_0000;

/** The vector of receive and transmit queue 0. */
export const VF_QUEUE_VECTOR = 0;
/** The vector of the mailbox. */
export const VF_MAILBOX_VECTOR = 1;

/** What ixgbevf keeps for a device (`driverData`). */
export interface IxgbevfAdapter {
  /** Name of the interface. */
  readonly interfaceName: string;
}

/** The driver's, as long as drivers had one. */
const VERSION = "2.6.0-k";

/** The driver. */
export class Ixgbevf implements PciDriver {
  /** As in sysfs. */
  readonly name = "ixgbevf";
  readonly ids = [pciId(0x8086, 0x10ed), pciId(0x8086, 0x1515, 1)];
  readonly banner = [
    `ixgbevf: Intel(R) 10 Gigabit PCI Express Virtual Function Network Driver - version ${VERSION}`,
    "ixgbevf: Copyright (c) 2009 - 2012 Intel Corporation.",
  ];

  /**
   * Makes the driver; `registerDriver` loads it.
   *
   * @param network gives the interfaces their names
   */
  constructor(readonly steps: PciSteps, readonly network: NetDevicePort) {}

  /** Fails only as the interrupt subsystem says. */
  *probe(device: PciDevice): Activity<Errno | void> {
    device.enable();
    device.setMaster(true);
    device.writeRegister(0, VTCTRL, RESET);
    yield this.steps.ixgbevfProbe;
    const interfaceName = this.network.register(device);
    const failed = yield* device.enableMsiX([`${interfaceName}-TxRx-0`, `${interfaceName}:mbx`]);
    if (failed) {
      this.network.unregister(interfaceName);
      device.disable();
      return failed;
    }
    device.driverData = { interfaceName } satisfies IxgbevfAdapter;
    const queue = IVAR_VALID | VF_QUEUE_VECTOR;
    device.writeRegister(0, VTIVAR, queue | queue << 8);
    device.writeRegister(0, VTIVAR_MISC, IVAR_VALID | VF_MAILBOX_VECTOR);
    writeVfItr(device, VF_QUEUE_VECTOR, ITR_20K);
    const itr = new DynamicItr((value) => writeVfItr(device, VF_QUEUE_VECTOR, value), false);
    const irq = device.messageIrqs.get(VF_QUEUE_VECTOR)!;
    this.#setEthtoolOps(device, interfaceName, itr);
    const queue0 = new QueueVector(device, itr, VTEIMS);
    device.ports.interrupts.handle(irq, this.network.open(interfaceName, device, irq, queue0));
    const vectors = 1 << VF_QUEUE_VECTOR | 1 << VF_MAILBOX_VECTOR;
    device.writeRegister(0, VTEIAM, vectors);
    device.writeRegister(0, VTEIAC, vectors);
    device.writeRegister(0, VTEIMS, vectors);
  }

  #setEthtoolOps({ fn }: PciDevice, interfaceName: string, itr: DynamicItr): void {
    const { ownVersions, virtualModeration } = this.network.ethtoolVersion;
    this.network.setEthtoolOps(interfaceName, {
      driver: this.name,
      version: ownVersions ? VERSION : undefined,
      firmware: ownVersions ? "N/A" : "",
      speed: LINK_SPEED,
      moderation: virtualModeration ? new VectorModeration(itr, () => {}) : undefined,
      channels: undefined,
      statistics: () => receiveStatistics(fn.ethernet, ownVersions ? [] : ["rx_queue_0_packets"]),
    });
  }

  /** Frees the IRQs and the name of the interface. */
  *remove(device: PciDevice): Activity<void> {
    const { interfaceName } = device.driverData as IxgbevfAdapter;
    device.writeRegister(0, VTEIAM, 0);
    device.writeRegister(0, VTEIMC, 0xffff_ffff);
    device.writeRegister(0, VTEIAC, 0);
    yield this.steps.ixgbevfRemove;
    this.network.unregister(interfaceName);
    device.disableMsiX();
    device.disable();
  }
}

/** Sets a vector's throttling to a driver value, see {@linkcode ITR_20K}. */
function writeVfItr(device: PciDevice, vector: number, itr: number): void {
  device.writeRegister(0, VTEITR + 4 * vector, (itr & 0xff8 | EITR_CNT_WDIS) >>> 0);
}
