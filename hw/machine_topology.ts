/**
 * Which root ports and cards a computer has, as data.
 *
 * @module
 */

import type { Nic82599Record } from "./nic_82599.ts";
import { INTEL } from "./pci_vendors.ts";

/** Root ports and cards of one computer. */
export interface PciTopology {
  /** Root ports, with the bus numbers that firmware gave them. */
  readonly rootPorts: readonly {
    readonly bdf: string;
    readonly vendorId: number;
    readonly deviceId: number;
    readonly secondaryBus: number;
    readonly subordinateBus: number;
    /** It has Access Control Services, as ports of server processors have. */
    readonly accessControl?: boolean;
  }[];
  /** Network cards. */
  readonly nics: readonly Nic82599Record[];
}

/**
 * The computer of the talk: one card behind one root port, whose virtual functions start at 05:00.0.
 *
 * A routing identifier has 8 bits of bus, 5 of device and 3 of function. Without ARI a physical function at device 0
 * of bus 4 can put its virtual ones on bus 4 only as functions 1 to 7, so cards place them on the next bus, which needs
 * a First VF Offset of at least 0x100 and a port whose subordinate bus number covers it. 0x100 itself gives 05:00.0,
 * the address on the slides (0x180, the card's own default, would give 05:10.0); stride 2 leaves the odd functions
 * to the card's second port, so the next ones are 05:00.2, 05:00.4, 05:00.6, 05:01.0, …
 */
export const TALK_TOPOLOGY: PciTopology = {
  rootPorts: [{
    bdf: "0000:00:01.0",
    vendorId: INTEL,
    deviceId: 0x0151,
    secondaryBus: 4,
    subordinateBus: 5,
  }],
  nics: [{
    bdf: "0000:04:00.0",
    firstVfOffset: 0x100,
    vfStride: 2,
    subsystemVendorId: INTEL,
    subsystemId: 0x0003,
    memoryBase: 0xf000_0000,
    ioBase: 0xe000,
    interruptLine: 16,
    mac: 0x90e2_ba00_0000,
  }],
};

/**
 * The same with a port that keeps the functions behind it apart. The talk's port, of a desktop processor, cannot: an
 * IOMMU could give away all of them together only.
 */
export const SEPARATING_TOPOLOGY: PciTopology = {
  ...TALK_TOPOLOGY,
  rootPorts: TALK_TOPOLOGY.rootPorts.map((port) => ({ ...port, accessControl: true })),
};
