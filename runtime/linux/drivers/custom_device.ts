/**
 * The driver of a device that a program outside the model has made: it opens the device and takes its messages.
 *
 * *Modelled*: memory and bus mastering on, an IRQ for each entry of the MSI-X table, by the names `NAME-0`, `NAME-1`, …;
 * without such a table MSI's IRQ, by the name `NAME`.
 *
 * *Not modelled*: what a driver would do with the device. Its handlers acknowledge, and that is all.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { Errno } from "../errno.ts";
import type { PciDriver } from "../pci/pci_bus.ts";
import type { PciSteps } from "../pci/pci_costs.ts";
import type { PciDevice } from "../pci/pci_device.ts";
import { type PciId, pciId } from "../pci/pci_ids.ts";

/** The driver. */
export class CustomDeviceDriver implements PciDriver {
  readonly ids: readonly PciId[];

  /** Of the devices with that name and these identifiers. */
  constructor(readonly name: string, vendor: number, device: number, readonly steps: PciSteps) {
    this.ids = [pciId(vendor, device)];
  }

  /** Fails only as the interrupt subsystem says. */
  *probe(device: PciDevice): Activity<Errno | void> {
    device.enable();
    device.setMaster(true);
    const { msiXVectorCount: count } = device;
    const names = Array.from({ length: count }, (_, i) => `${this.name}-${i}`);
    const failed = count > 0
      ? yield* device.enableMsiX(names)
      : device.hasMsi
      ? yield* device.enableMsi(this.name)
      : undefined;
    if (failed) device.disable();
    return failed;
  }

  /** Frees the IRQs. */
  *remove(device: PciDevice): Activity<void> {
    yield this.steps.msixVector;
    device.disableMsiX();
    device.disableMsi();
    device.disable();
  }
}
