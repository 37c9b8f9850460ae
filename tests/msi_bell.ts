/**
 * A device that has MSI and no MSI-X, for what the card of the laboratory does not do.
 *
 * @module
 */

import type { DeviceModel } from "../mod.ts";
import type { Lab } from "../runtime/lab/lab.ts";

/** Its full name. */
export const BELL = "0000:00:1f.0";

/** A write to its only register interrupts. */
export function bell(msi: "maskable" | "plain"): DeviceModel {
  return {
    ...{ name: "bell", address: "00:1f.0", vendorId: 0x1234, deviceId: 0x0002 },
    ...{ msi, driver: true },
    create: (port) => ({ read: () => 0, write: () => port.message(0), state: () => [] }),
  };
}

/** Writes it. */
export function ring({ software, engine }: Lab): void {
  software.effects.apply(software.pci.find(BELL)!.fn.writeMemory(0, 0, 1, engine.nowNs));
}
