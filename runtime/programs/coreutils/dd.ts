/**
 * dd (coreutils): copies blocks from one file to another.
 *
 * Texts of coreutils 8.13 (2012) and 9.1.
 *
 * *Modelled*: `if`, `of`, `bs`, `count`, `skip`, `seek`, `iflag` and `oflag` with `direct` and `fullblock`, `conv=notrunc`,
 * `status`; Ctrl-C ends it with its summary.
 *
 * *Not modelled*: `ibs`, `obs`, `cbs`, other flags and conversions, standard input; refused by name.
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import type { Activity } from "../../../hw/sim/activity.ts";
import { Errno } from "../../linux/errno.ts";
import type { OpenFile, OpenFlags } from "../../linux/fs/vfs.ts";
import { pathOf, type Program, type ProgramProcess } from "../program.ts";
import { SIGINT } from "../signals.ts";

const doc = `dd - copies blocks from one file to another
Usage: dd if=FILE [of=FILE] [bs=N] [count=N] [skip=N] [seek=N] [iflag=FLAGS] [oflag=FLAGS] [conv=notrunc] [status=none|noxfer]
Effects: copies blocks of bs bytes (512) from if to of, or to standard output; count of them, else up to the end; skips
  blocks of the input or seeks over blocks of the output. N may end in c, w, b, kB, K, MB, M, GB, G. With the flag direct the
  page cache is passed by: each block is a request to the disk. The summary is on standard error
Exit status: 0; 1 on a wrong operand or an error; 130 after Ctrl-C
Errors: unrecognized operand ‘TEXT’; invalid number ‘TEXT’; failed to open ‘FILE’: STRERROR; error reading ‘FILE’: STRERROR
Differs from the real one: no ibs, obs, cbs, other flags and conversions; if= is needed; SIGUSR1 prints nothing
Examples: dd if=/dev/zero of=/tmp/zeros bs=4k count=4
  dd if=/proc/cpuinfo of=/dev/null bs=100 skip=2 status=noxfer`;

/** Operands of the real one that are refused. */
const REFUSED = ["ibs", "obs", "cbs"];
const OPERANDS = ["if", "of", "bs", "count", "skip", "seek", "iflag", "oflag", "conv", "status"];
/** What a number may end in. */
const UNITS: Readonly<Record<string, number>> = {
  c: 1,
  w: 2,
  b: 512,
  kB: 1000,
  k: 1024,
  K: 1024,
  MB: 1e6,
  M: 2 ** 20,
  GB: 1e9,
  G: 2 ** 30,
};
const INTERRUPTED = 128 + SIGINT;

/** What is to be copied. */
interface Copy {
  readonly from: string;
  /** `undefined`: to standard output. */
  readonly to: string | undefined;
  readonly bytes: number;
  readonly count: number;
  readonly skip: number;
  readonly seek: number;
  readonly input: ReadonlySet<string>;
  readonly output: ReadonlySet<string>;
  readonly truncates: boolean;
  readonly status: string;
}

/** What has been copied: whole records and others, in and out. */
interface Counts {
  readonly in: [whole: number, part: number];
  readonly out: [whole: number, part: number];
  bytes: number;
}

/** The program. */
export const dd: Program = {
  name: "dd",
  doc,
  options: OPERANDS.map((operand) => `${operand}=`),
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, task } = command;
    yield kernel.steps.shellBuiltin;
    if (command.argv[1] === "--help") {
      command.stdout(`${doc}\n`);
      return 0;
    }
    const copy = read(command.argv.slice(1));
    if (typeof copy === "string") {
      command.stderr(`dd: ${copy}\n`);
      if (!copy.endsWith("is not modelled")) {
        command.stderr("Try 'dd --help' for more information.\n");
      }
      return 1;
    }
    let interrupted = false;
    task.onSignal = young((signal) => signal === SIGINT && (interrupted = true));
    const began = kernel.nowNs;
    const counts: Counts = { in: [0, 0], out: [0, 0], bytes: 0 };
    const complaint = yield* copyBlocks(command, copy, counts, () => interrupted);
    if (complaint !== undefined) command.stderr(`dd: ${complaint}\n`);
    if (complaint?.includes("open") !== true) {
      const { coreutils } = command.system.tools;
      command.stderr(summary(counts, kernel.nowNs - began, copy.status, coreutils === "9.1"));
    }
    return interrupted ? INTERRUPTED : complaint === undefined ? 0 : 1;
  },
};

/** Reads the operands; a string is the complaint. */
function read(operands: readonly string[]): Copy | string {
  const values = new Map<string, string>();
  for (const operand of operands) {
    const [, name = "", value = ""] = /^([a-z]+)=(.*)$/s.exec(operand) ?? [];
    if (REFUSED.includes(name)) return `operand ${name} is not modelled`;
    if (!OPERANDS.includes(name)) return `unrecognized operand ‘${operand}’`;
    values.set(name, value);
  }
  const numbers: Record<string, number> = { bs: 512, count: Infinity, skip: 0, seek: 0 };
  for (const name of Object.keys(numbers)) {
    const text = values.get(name);
    if (text === undefined) continue;
    const number = numberOf(text);
    if (number === undefined || (name === "bs" && number === 0)) return `invalid number ‘${text}’`;
    numbers[name] = number;
  }
  const flags = (name: string) => new Set((values.get(name) ?? "").split(",").filter((flag) => flag !== ""));
  const input = flags("iflag"), output = flags("oflag"), conversions = flags("conv");
  for (const flag of [...input, ...output]) {
    if (flag !== "direct" && flag !== "fullblock") return `flag ${flag} is not modelled`;
  }
  for (const conversion of conversions) {
    if (conversion !== "notrunc") return `conversion ${conversion} is not modelled`;
  }
  const status = values.get("status") ?? "";
  if (!["", "none", "noxfer"].includes(status)) return `status ${status} is not modelled`;
  const from = values.get("if");
  if (from === undefined) return "standard input is not modelled";
  return {
    from,
    to: values.get("of"),
    bytes: numbers.bs!,
    count: numbers.count!,
    skip: numbers.skip!,
    seek: numbers.seek!,
    input,
    output,
    truncates: !conversions.has("notrunc"),
    status,
  };
}

/** parse_integer(): factors may be joined by `x`. */
function numberOf(text: string): number | undefined {
  let product = 1;
  for (const factor of text.split("x")) {
    const [, digits, unit = "c"] = /^(\d+)([a-zA-Z]+)?$/.exec(factor) ?? [];
    if (digits === undefined || UNITS[unit] === undefined) return undefined;
    product *= Number(digits) * UNITS[unit];
  }
  return product;
}

/** Copies. @returns a complaint where it cannot go on */
function* copyBlocks(
  command: ProgramProcess,
  copy: Copy,
  counts: Counts,
  interrupted: () => boolean,
): Activity<string | undefined> {
  const open = (path: string, flags: OpenFlags) => command.system.vfs.open(pathOf(command, path), flags);
  const from = open(copy.from, { read: true, direct: copy.input.has("direct") });
  const modern = command.system.tools.coreutils === "9.1";
  const cannotOpen = modern ? "failed to open" : "opening";
  if (from instanceof Errno) return `${cannotOpen} ‘${copy.from}’: ${from.message}`;
  const to = copy.to === undefined ? standardOutput(command) : open(copy.to, {
    write: true,
    create: true,
    truncate: copy.truncates && copy.seek === 0,
    direct: copy.output.has("direct"),
  });
  if (to instanceof Errno) return `${cannotOpen} ‘${copy.to}’: ${to.message}`;
  const reading = modern ? "error reading" : "reading", writing = modern ? "error writing" : "writing";
  if (from.seek !== undefined) from.seek(copy.skip * copy.bytes);
  else for (let i = 0; i < copy.skip; i++) yield* from.read(copy.bytes);
  to.seek?.(copy.seek * copy.bytes);
  let complaint: string | undefined;
  for (let block = 0; block < copy.count && !interrupted(); block++) {
    const text = yield* from.read(copy.bytes);
    if (text instanceof Errno) {
      complaint = `${reading} ‘${copy.from}’: ${text.message}`;
      break;
    }
    if (text === "") break;
    counts.in[text.length === copy.bytes ? 0 : 1]++;
    const written = yield* to.write(text);
    if (written instanceof Errno) {
      complaint = `${writing} ‘${copy.to ?? "standard output"}’: ${written.message}`;
      break;
    }
    counts.out[written === copy.bytes ? 0 : 1]++;
    counts.bytes += written;
  }
  from.close();
  to.close();
  return complaint;
}

function standardOutput(command: ProgramProcess): Pick<OpenFile, "write" | "close" | "seek"> {
  return {
    // deno-lint-ignore require-yield -- a write is an activity
    *write(text) {
      command.stdout(text);
      return text.length;
    },
    close() {},
  };
}

/** print_stats(). */
function summary({ in: read, out, bytes }: Counts, ns: number, status: string, modern: boolean): string {
  if (status === "none") return "";
  const records = `${read[0]}+${read[1]} records in\n${out[0]}+${out[1]} records out\n`;
  if (status === "noxfer") return records;
  const decimal = human(bytes, 1000), binary = human(bytes, 1024);
  const plain = (text: string) => text.endsWith(" B");
  const sizes = !modern
    ? ` (${decimal})`
    : plain(decimal)
    ? ""
    : plain(binary)
    ? ` (${decimal})`
    : ` (${decimal}, ${binary})`;
  const seconds = ns / 1e9;
  const rate = ns === 0 ? "Infinity B" : human(bytes / seconds, 1000);
  const unit = bytes === 1 ? "byte" : "bytes";
  return `${records}${bytes} ${unit}${sizes} copied, ${Number(seconds.toPrecision(6))} s, ${rate}/s\n`;
}

/** human_readable(): one digit behind the point below 10 of a unit, none above. */
function human(bytes: number, base: 1000 | 1024): string {
  let power = 0, value = bytes;
  while (Math.round(value) >= base && power < 6) {
    value /= base;
    power++;
  }
  if (power === 0) return `${Math.round(value)} B`;
  const digits = Math.round(value * 10) < 100 ? value.toFixed(1) : String(Math.round(value));
  const letter = "kMGTPE"[power - 1]!;
  return base === 1000 ? `${digits} ${letter}B` : `${digits} ${letter.toUpperCase()}iB`;
}
