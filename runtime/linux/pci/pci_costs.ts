/**
 * Durations of what the PCI core and its drivers do.
 *
 * @module
 */

import { ns, parameters, type Values } from "../../../hw/parameters.ts";
import { type Layer, type Step, stepsOf, work } from "../../../hw/sim/activity.ts";

/** What a profile has to give for PCI. */
export const pciCosts = parameters({
  sysfsStore: ns("A store to a sysfs file of PCI: parse it, find the device by name, take the locks"),
  matchDevice: ns("One driver's identifiers held against one device"),
  deviceLockWait: ns("One attempt to take a device's lock that another task holds"),
  msixVector: ns("Allocate an IRQ, write one MSI-X entry, request the IRQ"),
  enableSriov: ns("pci_enable_sriov(): the wait that the specification demands after VF Enable, 100 ms"),
  disableSriov: ns("pci_disable_sriov(): the wait after VF Enable is cleared, 1 s"),
  pciStubProbe: ns("pci-stub claims a device, about 200 us"),
  pciStubRemove: ns("pci-stub lets a device go"),
  ixgbeProbe: ns(
    "ixgbe brings a physical function up, without vectors and SR-IOV: reset, EEPROM, registration",
  ),
  ixgbeRemove: ns("ixgbe takes a physical function down: quiesce, unregister, wait for RCU"),
  ixgbevfProbe: ns("ixgbevf brings a virtual function up, without vectors: reset by mailbox, registration"),
  ixgbevfRemove: ns("ixgbevf takes a virtual function down, about 20 ms"),
});

/** Values of {@linkcode pciCosts}, integer ns. */
export type PciCosts = Values<typeof pciCosts>;

/** The same as steps, made once. */
export type PciSteps = { readonly [Key in keyof PciCosts]: Step };

/**
 * Makes the steps.
 *
 * @param costs what each takes
 * @param layer the layer of the kernel that runs this core
 */
export function pciSteps(costs: PciCosts, layer: Layer): PciSteps {
  return stepsOf(costs, (name, ns) => work(`pci.${name}`, layer, ns));
}
