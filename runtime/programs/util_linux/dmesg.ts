/**
 * dmesg (util-linux 2.21): the kernel's log.
 *
 * *Modelled*: the whole log with its times; `-t` without them.
 *
 * *Not modelled*: everything else: the log has no levels and is not cleared.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { complain, getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `dmesg - prints the kernel's log
Usage: dmesg [-t]
Effects: prints the kernel's log; with -t without the times
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'
Differs from the real one: nothing else is taken: lines have no levels, and the log cannot be cleared
Examples: dmesg | tail -n 3`;

const NOT_MODELLED = [..."CcDdEeFfHhJKkLlnPprSsTuVwx"];

/** The program. */
export const dmesg: Program = {
  name: "dmesg",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel } = command;
    yield kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "t",
      long: { notime: "t" },
      notModelled: [...NOT_MODELLED, "clear", "read-clear", "ctime", "follow", "level", "decode", "raw"],
    });
    if (typeof parsed === "string") return complain(command, dmesg, parsed);
    if (parsed.operands.length > 0) return complain(command, dmesg, "bad usage");
    const times = parsed.options.length === 0;
    for (const { timeNs, text } of kernel.dmesg) {
      command.stdout(`${times ? `${stamp(timeNs)} ` : ""}${text}\n`);
    }
    return 0;
  },
};

/** print_time(): `[    0.244010]`. */
function stamp(ns: number): string {
  const microseconds = Math.floor(ns / 1000);
  const seconds = String(Math.floor(microseconds / 1e6)).padStart(5);
  return `[${seconds}.${String(microseconds % 1e6).padStart(6, "0")}]`;
}
