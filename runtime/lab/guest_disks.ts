/**
 * Disks of a guest: the drivers that are built into its kernel, and the devices in its `/dev`.
 *
 * @module
 */

import type { Ram } from "../../hw/ram.ts";
import { type BlockCosts, blockSteps } from "../linux/block/costs.ts";
import { VirtioBlk } from "../linux/drivers/virtio_blk.ts";
import { VirtioPci } from "../linux/drivers/virtio_pci.ts";
import { DmaMemory } from "../linux/dma_memory.ts";
import type { KernelInterfaces } from "../linux/interfaces.ts";
import { thisCpu } from "../linux/this_cpu.ts";
import type { Software } from "./software.ts";

/** Sets the drivers up: the disks are there from now on. */
export function driveDisks(
  software: Software,
  ram: Ram,
  costs: BlockCosts,
  interfaces: KernelInterfaces,
): void {
  const { kernel, machine, disks, devices } = software;
  const driver = new VirtioBlk({
    memory: new DmaMemory(ram),
    steps: blockSteps(costs, kernel.kernelLayer),
    queueName: interfaces.numbersVirtioQueues ? "req.0" : "requests",
    thisCpu: () => thisCpu(kernel, machine),
    nowNs: () => kernel.nowNs,
    add(disk) {
      disks.add(disk);
      for (const range of disk.ranges) devices.set(range.name, disk.device(range));
    },
    remove(disk) {
      disks.delete(disk);
      for (const range of disk.ranges) devices.unlink(range.name);
    },
  });
  software.pci.registerBuiltIn(new VirtioPci([driver]));
}
