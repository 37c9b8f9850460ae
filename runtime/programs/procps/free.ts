/**
 * free (procps): how much memory there is, and how much of it is in use, from `/proc/meminfo`.
 *
 * The columns are those of procps 3.2.8 where the kernel does not say what is available, otherwise those of 4.0.
 *
 * *Modelled*: `-b`, `-k`, `-m`, `-g`.
 *
 * *Not modelled*: `-h`, `-t`, `-s`, `-c`, `-l`, `-w` and others; refused by name.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { Errno } from "../../linux/errno.ts";
import { complain, getopt, type OptionTable } from "../getopt.ts";
import { readMeminfo } from "../proc_meminfo.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `free - how much memory there is, and how much is in use
Usage: free [-b | -k | -m | -g]
Effects: prints what /proc/meminfo says, in KiB, or in bytes (-b), MiB (-m), GiB (-g)
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'; extra operand ‘TEXT’
Differs from the real one: no -h, -t, -s, -c, -l, -w; shared memory, buffers, caches and swap are 0, since none are modelled
Examples: free -m`;

const OPTIONS: OptionTable = {
  flags: "bkmg",
  long: { bytes: "b", kibi: "k", mebi: "m", gibi: "g" },
  notModelled: [..."hlostcVwvL", "human", "lohi", "seconds", "total", "count", "wide", "si"],
  noOperands: true,
};

/** Bytes of a unit, and of what `/proc/meminfo` counts. */
const BYTES: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }, KIB = 2 ** 10;

/** The program. */
export const free: Program = {
  name: "free",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), OPTIONS);
    if (typeof parsed === "string") return complain(command, free, parsed);
    const kib = yield* readMeminfo(command.system);
    if (kib instanceof Errno) {
      command.stderr("Error: /proc must be mounted\n");
      return 1;
    }
    const unit = BYTES[parsed.options.at(-1)?.letter ?? "k"]!;
    const of = (...names: string[]) => names.reduce((sum, name) => sum + (kib.get(name) ?? 0), 0);
    const row = (head: string, width: number, ...values: number[]) =>
      head + values.map((value) => ` ${String(Math.floor(value * KIB / unit)).padStart(width)}`).join("") +
      "\n";
    const total = of("MemTotal"), unused = of("MemFree"), cached = of("Buffers", "Cached");
    const swap = [of("SwapTotal"), of("SwapTotal") - of("SwapFree"), of("SwapFree")];
    if (kib.has("MemAvailable")) {
      const used = total - of("MemAvailable");
      command.stdout(
        "               total        used        free      shared  buff/cache   available\n" +
          row("Mem:    ", 11, total, used, unused, of("Shmem"), cached, of("MemAvailable")) +
          row("Swap:   ", 11, ...swap),
      );
    } else {
      const used = total - unused;
      command.stdout(
        "             total       used       free     shared    buffers     cached\n" +
          row("Mem:   ", 10, total, used, unused, 0, of("Buffers"), of("Cached")) +
          row("-/+ buffers/cache:", 10, used - cached, unused + cached) +
          row("Swap:  ", 10, ...swap),
      );
    }
    return 0;
  },
};
