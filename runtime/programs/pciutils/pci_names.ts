/**
 * Names of PCI devices: the few lines of the PCI ID Repository (pci.ids, as of 2012) that this model has devices for.
 *
 * @module
 */

/** Vendors by identifier. */
const VENDORS: ReadonlyMap<number, string> = new Map([
  [0x1af4, "Red Hat, Inc"],
  [0x8086, "Intel Corporation"],
]);

/** Devices by vendor and device identifier. */
const DEVICES: ReadonlyMap<number, string> = new Map([
  [0x1af4_1001, "Virtio block device"],
  [0x8086_0151, "Xeon E3-1200 v2/3rd Gen Core processor PCI Express Root Port"],
  [0x8086_10ed, "82599 Ethernet Controller Virtual Function"],
  [0x8086_10fb, "82599EB 10-Gigabit SFI/SFP+ Network Connection"],
]);

/** Classes by class and subclass. */
const CLASSES: ReadonlyMap<number, string> = new Map([[0x0100, "SCSI storage controller"], [
  0x0200,
  "Ethernet controller",
], [
  0x0604,
  "PCI bridge",
]]);

/** How identifiers are shown: by names, by numbers (`-n`), or both (`-nn`). */
export type NameStyle = "names" | "numbers" | "both";

/** Four digits. */
export function hex4(number: number): string {
  return number.toString(16).padStart(4, "0");
}

/** `Ethernet controller`, `0200`, `Ethernet controller [0200]`. */
export function className(classCode: number, style: NameStyle): string {
  const id = classCode >>> 8;
  if (style === "numbers") return hex4(id);
  const known = CLASSES.get(id);
  if (style === "both") return `${known ?? "Class"} [${hex4(id)}]`;
  return known ?? `Class ${hex4(id)}`;
}

/** `Intel Corporation`. */
export function vendorName(vendor: number): string {
  return VENDORS.get(vendor) ?? `Vendor ${hex4(vendor)}`;
}

/** A device's name; of a subsystem, whose names the model does not have, its number. */
export function deviceName(vendor: number, device: number, isSubsystem = false): string {
  const known = isSubsystem ? undefined : DEVICES.get(vendor * 0x1_0000 + device);
  return known ?? `Device ${hex4(device)}`;
}

/** Vendor and device in one: `Intel Corporation 82599 …`, `8086:10ed`, `Intel Corporation 82599 … [8086:10ed]`. */
export function fullName(vendor: number, device: number, style: NameStyle, isSubsystem = false): string {
  const numbers = `${hex4(vendor)}:${hex4(device)}`;
  if (style === "numbers") return numbers;
  const name = deviceName(vendor, device, isSubsystem);
  const known = name === `Device ${hex4(device)}` ? "Device" : name;
  const maker = VENDORS.get(vendor);
  if (style === "both") return `${maker === undefined ? "" : `${maker} `}${known} [${numbers}]`;
  return maker === undefined ? `Device ${numbers}` : `${maker} ${name}`;
}
