/**
 * The parameter `ids=` of pci-stub and vfio-pci: identifiers that the driver takes from the start.
 *
 * *Document*: Linux 3.5 `drivers/pci/pci-stub.c` (`pci_stub_init`); Linux 6.18 `drivers/vfio/pci/vfio_pci.c`
 * (`vfio_pci_fill_ids`).
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { PciCore } from "../pci/pci_bus.ts";
import { idFromNumbers, type PciId, scanHex } from "../pci/pci_ids.ts";

/** A registered driver, as the parameter's log lines speak of it. */
export interface IdsParameter {
  /** As in sysfs. */
  readonly driver: string;
  /** What the lines begin with. */
  readonly prefix: string;
  /** What stands behind `add`. */
  describe(id: PciId): string;
}

/**
 * `VVVV:DDDD[:SVVV[:SDDD[:CCCC[:MMMM]]]],…` of the kernel command line. Here, and only here, colons stand between the
 * numbers.
 */
export function* addIds(
  core: PciCore,
  { driver, prefix, describe }: IdsParameter,
  ids: string,
): Activity<void> {
  for (const text of ids.split(",")) {
    if (text === "") continue;
    const id = idFromNumbers(scanHex(text, ":", 6));
    if (id === undefined) {
      core.ports.log(`${prefix}: invalid id string "${text}"`);
      continue;
    }
    core.ports.log(`${prefix}: add ${describe(id)}`);
    yield* core.addDynamicId(driver, id);
  }
}
