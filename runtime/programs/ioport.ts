/**
 * ioport 1.2: `inb`, `inw`, `inl`, `outb`, `outw` and `outl`, one program under six names.
 *
 * *Document*: `man inb`.
 *
 * *Modelled*: one access by IN or OUT, of the width that the name says, where the task runs; `--hex`, `--code`, `--read`,
 * `--write`, `--size`. In a guest the access exits.
 *
 * @module
 */

import { type Activity, IN, IN_DWORD, IN_WORD, OUT, OUT_DWORD, OUT_WORD } from "../../hw/sim/activity.ts";
import { getopt } from "./getopt.ts";
import type { Program, ProgramProcess } from "./program.ts";

const WIDTHS = Object.freeze({ b: 1, w: 2, l: 4 });
type Width = (typeof WIDTHS)[keyof typeof WIDTHS];
const READS = { 1: IN, 2: IN_WORD, 4: IN_DWORD } as const;
const WRITES = { 1: OUT, 2: OUT_WORD, 4: OUT_DWORD } as const;
const LAST_PORT = 0xffff;

function doc(name: string): string {
  const reads = name.startsWith("in");
  const bits = 8 * WIDTHS[name.at(-1) as keyof typeof WIDTHS];
  return `${name} - ${reads ? "reads" : "writes"} an I/O port
Usage: ${name} ADDRESS${reads ? " [--hex] [--code]" : " DATA"}
Effects: ${
    reads ? `reads ${bits} bits from the port and prints them` : `writes ${bits} bits of DATA to the port`
  }; in a guest
  by an exit. Numbers as in C. --hex prints without 0x, --code makes the value the exit status; --read, --write and
  --size 1, 2 or 4 override the name
Exit status: 0; 1 on wrong use; with --code the value's low bits
Errors: ${name}: address is not specified
Differs from the real one: nothing known in what is modelled; memory-mapped devices are devmem's
Examples: ${reads ? `${name} 0x61` : `${name} 0x80 0`}`;
}

/** The programs, a name each. */
export const ioports: readonly Program[] = ["inb", "inw", "inl", "outb", "outw", "outl"].map((name) => ({
  name,
  doc: doc(name),
  main: (command: ProgramProcess) => access(command, name),
}));

function* access(command: ProgramProcess, name: string): Activity<number> {
  const { kernel, task } = command;
  yield kernel.steps.shellBuiltin;
  const failed = (message: string) => {
    command.stderr(`${name}: ${message}\n`);
    return 1;
  };
  const long = { hex: "h", code: "c", read: "r", write: "w", size: "s" };
  const parsed = getopt(command.argv.slice(1), { flags: "hcrw", values: "s", long });
  if (typeof parsed === "string") return failed(parsed);
  const has = (wanted: string) => parsed.options.some(({ letter }) => letter === wanted);
  const size = parsed.options.findLast(({ letter }) => letter === "s")?.value;
  if (size !== undefined && !/^[124]$/.test(size)) return failed("expected --size 1, 2 or 4");
  const width = size === undefined ? WIDTHS[name.at(-1) as keyof typeof WIDTHS] : Number(size) as Width;
  const reads = has("r") || (!has("w") && name.startsWith("in"));
  const [port, data, ...more] = parsed.operands.map(number);
  if (port === undefined) return failed("address is not specified");
  if (!reads && data === undefined) return failed("data is not specified");
  if ((reads && data !== undefined) || more.length > 0) return failed("too many arguments");
  if (!(port <= LAST_PORT)) return failed(`${parsed.operands[0]}: a port is 0 to 0xffff`);
  const { registers } = kernel.cpus[task.cpu]!;
  registers.address = port;
  if (!reads) {
    if (!(data! < 2 ** (8 * width))) return failed(`${parsed.operands[1]}: not a number of ${width} bytes`);
    registers.value = data!;
    yield WRITES[width];
    return 0;
  }
  const value = Number(yield READS[width]) % 2 ** (8 * width);
  if (has("c")) return value & 0x7f;
  command.stdout(`${value.toString(has("h") ? 16 : 10)}\n`);
  return 0;
}

/** strtoul() with base 0; NaN where it is no number. */
function number(text: string): number {
  if (/^0[0-7]+$/.test(text)) return parseInt(text, 8);
  return /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
}
