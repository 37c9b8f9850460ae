/**
 * uname (GNU coreutils): name and release of the kernel. Processor and hardware platform are unknown, as on Debian.
 *
 * *Deviations*: the version has no date: nobody has built these kernels.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { complain, getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `uname - prints name and release of the kernel
Usage: uname [-asnrvmpio]
Effects: prints the kernel's name (-s), the computer's (-n), release (-r), version (-v), machine (-m), processor (-p),
  platform (-i), operating system (-o); -a: all but those that are unknown
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'; extra operand ‘TEXT’
Differs from the real one: the version has no build date
Examples: uname -r
  uname -a`;

/** The program. */
export const uname: Program = {
  name: "uname",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, system } = command;
    yield kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "asnrvmpio",
      long: {
        all: "a",
        "kernel-name": "s",
        nodename: "n",
        "kernel-release": "r",
        "kernel-version": "v",
        machine: "m",
        processor: "p",
        "hardware-platform": "i",
        "operating-system": "o",
      },
      noOperands: true,
    });
    if (typeof parsed === "string") return complain(command, uname, parsed);
    const { release, realTime } = kernel.release;
    const fields: readonly (readonly [letter: string, text: string])[] = [
      ["s", "Linux"],
      ["n", system.hostname],
      ["r", release],
      ["v", `#1 SMP${realTime ? " PREEMPT RT" : ""}`],
      ["m", "x86_64"],
      ["p", "unknown"],
      ["i", "unknown"],
      ["o", "GNU/Linux"],
    ];
    const letters = parsed.options.map(({ letter }) => letter);
    if (letters.length === 0) letters.push("s");
    const all = letters.includes("a");
    const shown = fields.filter(([letter, text]) => letters.includes(letter) || (all && text !== "unknown"));
    command.stdout(`${shown.map(([, text]) => text).join(" ")}\n`);
    return 0;
  },
};
