/**
 * devmem (BusyBox 1.20): reads and writes physical memory by `/dev/mem`.
 *
 * *Modelled*: 32 bits of a device's registers: of PCI functions whose memory is on, of the I/O APIC. What nobody claims
 * reads all ones.
 *
 * *Not modelled*: other widths. RAM is refused as a kernel with `CONFIG_STRICT_DEVMEM` does.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Program, ProgramProcess } from "./program.ts";

const doc = `devmem - reads and writes physical memory
Usage: devmem ADDRESS [WIDTH [VALUE]]
Effects: reads 32 bits of a device's registers, or writes VALUE to them: WIDTH is 32. A PCI function answers where its memory
  is on: echo 1 > /sys/bus/pci/devices/NAME/enable, or setpci -s NAME COMMAND=2
Exit status: 0; 1 on wrong use, or for an address of RAM
Errors: devmem: mmap: Operation not permitted
Differs from the real one: WIDTH 8, 16 and 64 are refused
Examples: devmem 0xf0000008
  devmem 0xfec00000 32 0x10`;

/** Between RAM below 4 GiB and the end of the 32-bit address space: where devices are. */
const DEVICES = { from: 0xc000_0000, to: 0x1_0000_0000 };

/** The program. */
export const devmem: Program = {
  name: "devmem",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, task } = command;
    yield kernel.steps.shellBuiltin;
    const [, first, width = "32", given, ...more] = command.argv;
    const address = number(first ?? ""), value = given === undefined ? undefined : number(given);
    const usage = (message: string) => {
      command.stderr(`devmem: ${message}\n`);
      return 1;
    };
    if (first === undefined || more.length > 0 || Number.isNaN(address) || Number.isNaN(value ?? 0)) {
      return usage("usage: devmem ADDRESS [WIDTH [VALUE]]");
    }
    if (width !== "32") return usage(`WIDTH ${width} is not modelled: 32 is`);
    if (value !== undefined && value > 0xffff_ffff) return usage(`${given}: more than 32 bits`);
    if (address < DEVICES.from || address >= DEVICES.to || address % 4 !== 0) {
      return usage("mmap: Operation not permitted");
    }
    const { registers } = kernel.cpus[task.cpu]!;
    if (value !== undefined) yield registers.store(address, value);
    else {
      const read: unknown = yield registers.load(address);
      command.stdout(`0x${(Number(read) >>> 0).toString(16).toUpperCase().padStart(8, "0")}\n`);
    }
    return 0;
  },
};

/** strtoull() with base 0; NaN where it is no number. */
function number(text: string): number {
  if (/^0[0-7]+$/.test(text)) return parseInt(text, 8);
  return /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
}
