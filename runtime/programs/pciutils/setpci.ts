/**
 * setpci (pciutils): reads and writes the configuration space of PCI functions.
 *
 * *Modelled*: `-s` with a whole place; registers by number or by the names of the type 0 header, `.b`, `.w`, `.l`, values
 * with masks.
 *
 * *Not modelled*: everything else, `-d` and capabilities by name among it.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { complain, getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `setpci - reads and writes configuration space
Usage: setpci -s [DOMAIN:]BUS:DEVICE.FUNCTION REGISTER[.b|.w|.l][=VALUE[:MASK]]...
Effects: reads registers of a PCI function's configuration space, or writes those with a VALUE, of which only the bits of MASK
  change; numbers are hexadecimal. A register is a number, or one of VENDOR_ID DEVICE_ID COMMAND STATUS REVISION CLASS_PROG
  CLASS_DEVICE HEADER_TYPE BASE_ADDRESS_0 ... BASE_ADDRESS_5 SUBSYSTEM_VENDOR_ID SUBSYSTEM_ID INTERRUPT_LINE INTERRUPT_PIN
Exit status: 0; 1 on wrong use, or where there is no such function
Errors: setpci: -s: No such device; setpci: Unknown register "NAME"
Differs from the real one: no -d, -v, -D, no capabilities; a place is named whole
Examples: setpci -s 05:00.0 VENDOR_ID COMMAND
  setpci -s 04:00.0 INTERRUPT_LINE=0b`;

/** Offset and bytes of the registers that have names. */
const NAMES: ReadonlyMap<string, Place> = new Map<string, Place>([
  ["VENDOR_ID", [0x00, 2]],
  ["DEVICE_ID", [0x02, 2]],
  ["COMMAND", [0x04, 2]],
  ["STATUS", [0x06, 2]],
  ["REVISION", [0x08, 1]],
  ["CLASS_PROG", [0x09, 1]],
  ["CLASS_DEVICE", [0x0a, 2]],
  ["HEADER_TYPE", [0x0e, 1]],
  ...[0, 1, 2, 3, 4, 5].map((i) => [`BASE_ADDRESS_${i}`, [0x10 + 4 * i, 4]] as [string, Place]),
  ["SUBSYSTEM_VENDOR_ID", [0x2c, 2]],
  ["SUBSYSTEM_ID", [0x2e, 2]],
  ["INTERRUPT_LINE", [0x3c, 1]],
  ["INTERRUPT_PIN", [0x3d, 1]],
]);
const WIDTHS: Readonly<Record<string, Size>> = { b: 1, w: 2, l: 4 };

type Size = 1 | 2 | 4;
type Place = readonly [offset: number, size: Size];

/** One access. */
interface Access {
  readonly offset: number;
  readonly size: Size;
  /** `undefined`: it is a read. */
  readonly value: number | undefined;
  readonly mask: number;
}

/** The program. */
export const setpci: Program = {
  name: "setpci",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), { values: "s", notModelled: [..."dvfDPAHO", "dumpregs"] });
    if (typeof parsed === "string") return complain(command, setpci, parsed);
    const place = parsed.options.findLast(({ letter }) => letter === "s")?.value;
    const fail = (message: string) => {
      command.stderr(`setpci: ${message}\n`);
      return 1;
    };
    if (place === undefined || parsed.operands.length === 0) {
      return fail("expected -s [DOMAIN:]BUS:DEVICE.FUNCTION and a register");
    }
    const name = /^[\da-f]{4}:/i.test(place) ? place : `0000:${place}`;
    const device = [...command.system.pci.devices].find((each) => each.name === name.toLowerCase());
    if (device === undefined) return fail("-s: No such device");
    const accesses = parsed.operands.map(access);
    const wrong = accesses.find((each) => typeof each === "string");
    if (wrong !== undefined) return fail(wrong);
    for (const { offset, size, value, mask } of accesses as readonly Access[]) {
      const before = device.fn.configuration.read(offset, size) >>> 0;
      if (value === undefined) command.stdout(`${before.toString(16).padStart(2 * size, "0")}\n`);
      else device.writeConfiguration(offset, size, ((before & ~mask) | (value & mask)) >>> 0);
      yield command.kernel.steps.shellBuiltin;
    }
    return 0;
  },
};

/** Reads `COMMAND.w=2:2`; a text says what is wrong. */
function access(text: string): Access | string {
  const [, register = "", width, value, mask] =
    /^(\w+)(?:\.([bwl]))?(?:=([\da-f]+)(?::([\da-f]+))?)?$/i.exec(text) ?? [];
  const named = NAMES.get(register.toUpperCase());
  const offset = named?.[0] ?? (/^[\da-f]{1,3}$/i.test(register) ? parseInt(register, 16) : undefined);
  if (offset === undefined) return `Unknown register "${register === "" ? text : register}"`;
  const size = width === undefined ? named?.[1] : WIDTHS[width.toLowerCase()];
  if (size === undefined) return `Missing width: ${register}.b, ${register}.w or ${register}.l`;
  if (offset % size !== 0) return "Unaligned access";
  const all = size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
  const bits = mask === undefined ? all : parseInt(mask, 16);
  return { offset, size, value: value === undefined ? undefined : parseInt(value, 16), mask: bits };
}
