/**
 * Identifiers by which PCI drivers and devices find each other, and the texts that bring new ones.
 *
 * *Document*: Linux 3.5 `drivers/pci/pci-driver.c`, `lib/vsprintf.c` (`vsscanf`), `include/linux/mod_devicetable.h`.
 *
 * @module
 */

/** Matches every number (`PCI_ANY_ID`). */
export const PCI_ANY_ID = 0xffff_ffff;

/** One row of a driver's table. */
export interface PciId {
  /** Vendor identifier. */
  readonly vendor: number;
  /** Device identifier. */
  readonly device: number;
  /** Subsystem vendor identifier. */
  readonly subvendor: number;
  /** Subsystem identifier. */
  readonly subdevice: number;
  /** 24 bits; compared under `classMask`. */
  readonly class: number;
  /** Bits of `class` that count; 0: none. */
  readonly classMask: number;
  /** The driver's own number for the variant. */
  readonly driverData: number;
}

/** A row that names vendor and device only. */
export function pciId(vendor: number, device: number, driverData = 0): PciId {
  return { vendor, device, subvendor: PCI_ANY_ID, subdevice: PCI_ANY_ID, class: 0, classMask: 0, driverData };
}

/** The numbers of a device that identifiers are held against. */
export interface PciNumbers {
  /** Vendor identifier. */
  readonly vendor: number;
  /** Device identifier. */
  readonly device: number;
  /** Subsystem vendor identifier. */
  readonly subsystemVendor: number;
  /** Subsystem identifier. */
  readonly subsystemDevice: number;
  /** Class, subclass and interface, 24 bits. */
  readonly classCode: number;
}

/** Whether a row covers a device (`pci_match_one_device`). */
export function matchesDevice(id: PciId, device: PciNumbers): boolean {
  return (id.vendor === PCI_ANY_ID || id.vendor === device.vendor) &&
    (id.device === PCI_ANY_ID || id.device === device.device) &&
    (id.subvendor === PCI_ANY_ID || id.subvendor === device.subsystemVendor) &&
    (id.subdevice === PCI_ANY_ID || id.subdevice === device.subsystemDevice) &&
    ((id.class ^ device.classCode) & id.classMask) === 0;
}

/**
 * Reads hexadecimal numbers as the kernel's `sscanf` with `%x` does: blanks are skipped, `0x` may stand in front, the
 * first character that is no digit ends it. Numbers wrap at 32 bits.
 *
 * @param separator what must stand between two numbers: `" "` for any run of blanks, also none, or a character
 * @param max numbers wanted
 */
export function scanHex(text: string, separator: " " | ":", max: number): number[] {
  const numbers: number[] = [];
  let rest = text;
  while (numbers.length < max) {
    if (numbers.length > 0 && separator !== " ") {
      if (!rest.startsWith(separator)) break;
      rest = rest.slice(1);
    }
    const match = /^\s*(?=[0-9a-f])(?:0x)?([0-9a-f]*)/i.exec(rest);
    if (match === null) break;
    numbers.push(match[1] === "" ? 0 : parseInt(match[1]!.slice(-8), 16));
    rest = rest.slice(match[0].length);
  }
  return numbers;
}

/** A row from the numbers of a `new_id` or `ids=` text; `undefined` if there are fewer than two. */
export function idFromNumbers(numbers: readonly number[]): PciId | undefined {
  const [vendor, device, subvendor, subdevice, classCode, classMask, driverData] = numbers;
  if (vendor === undefined || device === undefined) return undefined;
  return {
    vendor,
    device,
    subvendor: subvendor ?? PCI_ANY_ID,
    subdevice: subdevice ?? PCI_ANY_ID,
    class: classCode ?? 0,
    classMask: classMask ?? 0,
    driverData: driverData ?? 0,
  };
}
