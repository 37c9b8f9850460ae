/**
 * From a record of root ports and cards to the bus that finds their functions.
 *
 * @module
 */

import type { PciTopology } from "./machine_topology.ts";
import { Nic82599 } from "./nic_82599.ts";
import type { NicTimes } from "./nic_82599_switch.ts";
import type { MachineIoApic } from "./machine_ioapic.ts";
import { PciBus, placeOf, RootPort } from "./pci.ts";

/**
 * Builds the bus of a topology.
 *
 * @throws {RangeError} if an address of the topology is no BDF
 */
export function buildPciBus(topology: PciTopology, times?: NicTimes): { bus: PciBus; nics: Nic82599[] } {
  const bus = new PciBus();
  for (const port of topology.rootPorts) {
    bus.addPort(
      new RootPort(port.secondaryBus, port.subordinateBus, {
        bdf: placeOf(port.bdf),
        vendorId: port.vendorId,
        deviceId: port.deviceId,
        classCode: 0x06_0400,
        revision: 9,
        subsystemVendorId: 0,
        subsystemId: 0,
      }, port.accessControl),
    );
  }
  const nics = topology.nics.map((record) => new Nic82599(record, times));
  for (const nic of nics) bus.plug(nic);
  return { bus, nics };
}

/** Wires INTx of the functions on `bus` to the inputs that firmware has found for them; several may share one. */
export function wireInterrupts(bus: PciBus, ioApic: MachineIoApic): void {
  for (const each of bus.functions()) {
    const { interruptPin = 0, interruptLine = 0 } = each.spec;
    if (interruptPin !== 0) each.interruptWire = ioApic.wire(interruptLine);
  }
}
