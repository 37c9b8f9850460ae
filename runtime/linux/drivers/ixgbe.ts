/**
 * ixgbe: the driver of the 82599's physical function.
 *
 * *Document*: Linux 3.5 `drivers/net/ethernet/intel/ixgbe/` (`ixgbe_main.c`, `ixgbe_lib.c`, `ixgbe_sriov.c`); Intel
 * 82599 10 GbE Controller Datasheet, "Interrupt Registers".
 *
 * *Modelled*: parameter `max_vfs`, MSI-X with a vector per queue pair and one for everything else, the line in its place
 * where there are no messages (`ixgbe_intr()`), the interrupt registers, the poll of receive queue 0, throttling by classes of traffic, refusal of virtual functions, virtual
 * functions that stay because they are assigned.
 *
 * *Not modelled*: link, the mailbox's messages, receive-side scaling beyond the number of queues; the clean-up of sent
 * frames costs nothing.
 *
 * *Deviations*: the interface is up as soon as it is registered, so probing requests the IRQs that `ifconfig up` would.
 * Without messages there are no virtual functions from the beginning; Linux makes them and takes them away again.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EINVAL, EPERM, Errno } from "../errno.ts";
import type { LineAction } from "../irq/irq_lines.ts";
import type { TopHalf } from "../kernel_cpu.ts";
import type { PciCore, PciDriver } from "../pci/pci_bus.ts";
import type { PciDevice } from "../pci/pci_device.ts";
import { pciId } from "../pci/pci_ids.ts";
import { LINK_SPEED, receiveStatistics, VectorModeration } from "./ixgbe_ethtool.ts";
import { DynamicItr, ITR_20K, QueueVector } from "./ixgbe_itr.ts";
import type { NetDevicePort } from "./net_device_names.ts";

/** Registers in BAR 0. */
const CTRL = 0x0_0000;
const EICR = 0x0_0800;
const EIAC = 0x0_0810;
const EITR_LOW = 0x0_0820;
const EITR_HIGH = 0x1_2300;
const EIMS = 0x0_0880;
const EIMC = 0x0_0888;
const GPIE = 0x0_0898;
const IVAR = 0x0_0900;
const IVAR_MISC = 0x0_0a00;
const EIMS_EX = 0x0_0aa0;
const EIMC_EX = 0x0_0ab0;
const EIAM_EX = 0x0_0ad0;
const EIAM = 0x0_0890;

const CTRL_RST = 1 << 26;
/** MSI-X mode, other causes not cleared by reads, auto-mask, pending-bit array. */
const GPIE_MSIX = 0x10 | 0x20 | 0x4000_0000 | 0x8000_0000;
const IVAR_VALID = 0x80;
const EITR_CNT_WDIS = 0x8000_0000;
/** Link status change and mailbox, in EICR and EIMS. */
const OTHER_CAUSES = 1 << 20 | 1 << 19;
/** The causes of the queues, in EICR, EIMS and EIAM. */
const QUEUE_CAUSES = 0xffff;
/** Throttling of the vector for everything else. */
const OTHER_ITR = 1950;

/** Logged where virtual functions cannot be taken away. */
const VFS_STAY = "Unloading driver while VFs are assigned - VFs will not be deallocated";

/** Virtual functions that the driver allows: one pool of the 64 is left to the physical function. */
export const IXGBE_VFS_MAX = 63;

/** What ixgbe keeps for a device (`driverData`). */
export interface IxgbeAdapter {
  /** Name of the interface. */
  readonly interfaceName: string;
  /** Queue pairs, a vector each. */
  readonly queueCount: number;
  /** The vector of the other causes. */
  readonly otherVector: number;
  /** The handler of its line; null: it has messages. */
  readonly line: LineAction | null;
}

/** The driver's, as long as drivers had one. */
const VERSION = "3.9.15-k";

/** Pairs of queues that the driver could have with MSI-X and without SR-IOV (`IXGBE_MAX_FDIR_INDICES`). */
const CHANNELS_MAX = 63;

/** The driver. */
export class Ixgbe implements PciDriver {
  /** As in sysfs. */
  readonly name = "ixgbe";
  /** See {@linkcode IXGBE_VFS_MAX}. */
  readonly vfsMax = IXGBE_VFS_MAX;
  readonly ids = [pciId(0x8086, 0x10b6), pciId(0x8086, 0x10fb, 1), pciId(0x8086, 0x1528, 2)];
  readonly banner = [
    `ixgbe: Intel(R) 10 Gigabit PCI Express Network Driver - version ${VERSION}`,
    "ixgbe: Copyright (c) 1999-2012 Intel Corporation.",
  ];

  /**
   * Makes the driver; `registerDriver` loads it.
   *
   * @param core for SR-IOV
   * @param network gives the interfaces their names
   * @param maxVfs the module parameter `max_vfs`, for every card
   */
  constructor(readonly core: PciCore, readonly network: NetDevicePort, readonly maxVfs: number) {}

  /** EINVAL for a virtual function, or what the interrupt subsystem says. */
  *probe(device: PciDevice): Activity<Errno | void> {
    if (device.physfn !== undefined) {
      const hex = (number: number) => number.toString(16);
      device.ports.log(`${device.name} (${hex(device.vendor)}:${hex(device.device)}) should not be a VF!`);
      return EINVAL;
    }
    device.enable();
    device.setMaster(true);
    device.writeRegister(0, CTRL, CTRL_RST);
    yield this.core.steps.ixgbeProbe;
    if (device.hasMessages) yield* this.#enableSriov(device);
    const vfs = this.core.virtualFunctionCount(device);
    // SR-IOV takes the queues of the other pools: the physical function is left with one pair, and no RSS.
    const queueCount = vfs > 0 || !device.hasMessages
      ? 1
      : Math.min(device.ports.onlineCpuCount(), device.msiXVectorCount - 1);
    const plural = queueCount > 1 ? "Enabled" : "Disabled";
    device.log(`Multiqueue ${plural}: Rx Queue count = ${queueCount}, Tx Queue count = ${queueCount}`);
    const interfaceName = this.network.register(device);
    const names = Array.from({ length: queueCount }, (_, queue) => `${interfaceName}-TxRx-${queue}`);
    const failed = device.hasMessages
      ? yield* device.enableMsiX([...names, interfaceName])
      : this.#requestLine(device, interfaceName);
    if (failed) {
      this.network.unregister(interfaceName);
      yield* this.core.disableSriov(device);
      device.disable();
      return failed;
    }
    if (device.hasMessages) {
      const adapter: IxgbeAdapter = { interfaceName, queueCount, otherVector: queueCount, line: null };
      device.driverData = adapter;
      configureInterrupts(device, adapter);
      const irq = device.messageIrqs.get(0)!;
      device.ports.interrupts.handle(irq, this.#open(device, interfaceName, irq, queueCount));
    } else configureLine(device);
    if (vfs > 0) device.log(`${interfaceName}: IOV is enabled with ${vfs} VFs`);
    device.log("Intel(R) 10 Gigabit Network Connection");
  }

  /** Takes the virtual functions away, unless one is assigned. */
  *remove(device: PciDevice): Activity<void> {
    const { interfaceName, line } = device.driverData as IxgbeAdapter;
    device.writeRegister(0, EIMC, 0xffff_ffff);
    device.writeRegister(0, EIMC_EX, 0xffff_ffff);
    device.writeRegister(0, EIMC_EX + 4, 0xffff_ffff);
    yield this.core.steps.ixgbeRemove;
    this.network.unregister(interfaceName);
    if (this.core.virtualFunctions(device).some(({ assigned }) => assigned)) {
      device.log(VFS_STAY);
    } else {
      yield* this.core.disableSriov(device);
    }
    if (line === null) device.disableMsiX();
    else device.ports.interrupts.freeLine(device.irq, line);
    device.log("complete");
    device.disable();
  }

  *sriovConfigure(device: PciDevice, count: number): Activity<Errno | void> {
    if (count === 0) {
      if (this.core.virtualFunctions(device).some(({ assigned }) => assigned)) {
        device.log(VFS_STAY);
        return EPERM;
      }
      return yield* this.core.disableSriov(device);
    }
    return yield* this.core.enableSriov(device, count);
  }

  /** Brings the interface up. @returns the handler of its queue's interrupt */
  #open(device: PciDevice, interfaceName: string, irq: number, queueCount: number): TopHalf {
    const itr = new DynamicItr((value) => writePfItr(device, 0, value), true);
    this.#setEthtoolOps(device, interfaceName, itr, queueCount);
    return this.network.open(interfaceName, device, irq, new QueueVector(device, itr, EIMS_EX));
  }

  #setEthtoolOps(device: PciDevice, interfaceName: string, itr: DynamicItr, queueCount: number): void {
    const { ownVersions, channels } = this.network.ethtoolVersion;
    const isShared = !device.hasMessages || this.core.virtualFunctionCount(device) > 0;
    this.network.setEthtoolOps(interfaceName, {
      driver: this.name,
      version: ownVersions ? VERSION : undefined,
      firmware: "", // what is in the card's EEPROM beside its address is not modelled
      speed: LINK_SPEED,
      moderation: new VectorModeration(itr, (value) => {
        for (let vector = 1; vector < queueCount; vector++) writePfItr(device, vector, value);
      }),
      channels: channels
        ? {
          maxCombined: isShared ? queueCount : CHANNELS_MAX,
          combined: queueCount,
          other: device.hasMessages ? 1 : 0,
        }
        : undefined,
      statistics: () => receiveStatistics(device.fn.ethernet, ["rx_queue_0_packets"], "rx_missed_errors"),
    });
  }

  /** `request_irq(pdev->irq, ixgbe_intr, IRQF_SHARED)`. */
  #requestLine(device: PciDevice, interfaceName: string): Errno | void {
    const queue = this.#open(device, interfaceName, device.irq, 1);
    const line: LineAction = {
      name: interfaceName,
      shared: true,
      ...(queue.step && { step: queue.step }),
      act: (cpu) => claims(device, () => queue.act(cpu)),
    };
    device.driverData = { interfaceName, queueCount: 1, otherVector: 0, line } satisfies IxgbeAdapter;
    const requested = device.ports.interrupts.requestLine(device.irq, line);
    if (requested instanceof Errno) return requested;
  }

  *#enableSriov(device: PciDevice): Activity<void> {
    if (this.core.virtualFunctionCount(device) > 0) {
      device.log(
        "Virtual Functions already enabled for this device - Please reload all VF drivers to avoid spoofed " +
          "packet errors",
      );
      return;
    }
    const count = Math.min(this.maxVfs, IXGBE_VFS_MAX);
    if (count === 0) return;
    const failed = yield* this.core.enableSriov(device, count);
    device.log(
      failed instanceof Errno
        ? `(unregistered net_device): Failed to enable PCI sriov: ${-failed.number}`
        : `(unregistered net_device): SR-IOV enabled with ${count} VFs`,
    );
  }
}

function configureInterrupts(device: PciDevice, { queueCount, otherVector }: IxgbeAdapter): void {
  device.writeRegister(0, GPIE, GPIE_MSIX >>> 0);
  device.writeRegister(0, EIAM_EX, 0xffff_ffff);
  device.writeRegister(0, EIAM_EX + 4, 0xffff_ffff);
  // Each IVAR register routes two queue pairs: receive and transmit of the even one, then of the odd one.
  for (let queue = 0; queue < queueCount; queue += 2) {
    const pair = (vector: number) => vector < queueCount ? (IVAR_VALID | vector) * 0x0101 : 0;
    device.writeRegister(0, IVAR + 2 * queue, (pair(queue) | pair(queue + 1) << 16) >>> 0);
  }
  device.writeRegister(0, IVAR_MISC, (IVAR_VALID | otherVector) << 8);
  for (let vector = 0; vector < queueCount; vector++) writePfItr(device, vector, ITR_20K);
  writePfItr(device, otherVector, OTHER_ITR);
  const low = queueCount >= 32 ? 0xffff_ffff : ((1 << queueCount) - 1) >>> 0;
  device.writeRegister(0, EIAC, low & 0xffff);
  device.writeRegister(0, EIMS_EX, low);
  device.writeRegister(0, EIMS_EX + 4, queueCount > 32 ? 2 ** (queueCount - 32) - 1 : 0);
  device.writeRegister(0, EIMS, OTHER_CAUSES);
}

/** The registers for a single interrupt: reading EICR ends it, and disables the queue's cause until the poll is over. */
function configureLine(device: PciDevice): void {
  device.writeRegister(0, GPIE, 0);
  device.writeRegister(0, EIAM, QUEUE_CAUSES);
  device.writeRegister(0, IVAR, IVAR_VALID | IVAR_VALID << 8);
  device.writeRegister(0, IVAR_MISC, IVAR_VALID << 8);
  writePfItr(device, 0, ITR_20K);
  enableLine(device, true);
}

/** `ixgbe_irq_enable()`. */
function enableLine(device: PciDevice, queues: boolean): void {
  device.writeRegister(0, EIMS, OTHER_CAUSES);
  if (queues) device.writeRegister(0, EIMS_EX, 1);
}

/** `ixgbe_intr()`. @returns whether the card has interrupted */
function claims(device: PciDevice, schedulePoll: () => void): boolean {
  device.writeRegister(0, EIMC, 0xffff_ffff);
  const causes = device.readRegister(0, EICR);
  if (causes !== 0) schedulePoll(); // for other causes too: it is the poll that enables the queue's again
  enableLine(device, causes === 0);
  return causes !== 0;
}

/** Sets a vector's throttling to a driver value, see {@linkcode ITR_20K}. */
function writePfItr(device: PciDevice, vector: number, itr: number): void {
  const at = vector < 24 ? EITR_LOW + 4 * vector : EITR_HIGH + 4 * (vector - 24);
  device.writeRegister(0, at, (itr & 0xff8 | EITR_CNT_WDIS) >>> 0);
}
