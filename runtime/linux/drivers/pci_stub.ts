/**
 * pci-stub: claims a device so that no other driver does, and touches nothing.
 *
 * *Document*: Linux 3.5 `drivers/pci/pci-stub.c`.
 *
 * *Modelled*: dynamic identifiers only; the parameter `ids=` with its log lines.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { Errno } from "../errno.ts";
import { addIds } from "./ids_parameter.ts";
import type { PciCore, PciDriver } from "../pci/pci_bus.ts";
import type { PciSteps } from "../pci/pci_costs.ts";
import type { PciDevice } from "../pci/pci_device.ts";
import type { PciId } from "../pci/pci_ids.ts";

/** The driver. */
export class PciStub implements PciDriver {
  /** As in sysfs. */
  readonly name = "pci-stub";
  /** It has dynamic identifiers only. */
  readonly ids = undefined;

  /** Makes the driver; `registerDriver` loads it. */
  constructor(readonly steps: PciSteps) {}

  /** Always succeeds. */
  *probe(device: PciDevice): Activity<Errno | void> {
    yield this.steps.pciStubProbe;
    device.log("claimed by stub");
  }

  /** Nothing to undo. */
  *remove(_device: PciDevice): Activity<void> {
    yield this.steps.pciStubRemove;
  }
}

/** `pci-stub.ids=…` of the kernel command line, for a registered pci-stub. */
export function addStubIds(core: PciCore, ids: string): Activity<void> {
  const hex = (number: number, digits: number) => number.toString(16).toUpperCase().padStart(digits, "0");
  const describe = ({ vendor, device, subvendor, subdevice, class: classCode, classMask }: PciId) =>
    `${hex(vendor, 4)}:${hex(device, 4)} sub=${hex(subvendor, 4)}:${hex(subdevice, 4)} ` +
    `cls=${hex(classCode, 8)}/${hex(classMask, 8)}`;
  return addIds(core, { driver: "pci-stub", prefix: "pci-stub", describe }, ids);
}
