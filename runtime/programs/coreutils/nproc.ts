/**
 * nproc (GNU coreutils): how many processors a process may use.
 *
 * *Modelled*: `--all`, `--ignore=N`. *Not modelled*: OMP_NUM_THREADS.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { countCpus } from "../../linux/cpu_mask.ts";
import { affinity } from "../../linux/sched/scheduler_calls.ts";
import { complain, getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `nproc - prints how many processors can be used
Usage: nproc [--all] [--ignore=N]
Effects: prints how many of the CPUs online the process may use; with --all how many there are; less N, but at least 1
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'; invalid number: 'TEXT'
Differs from the real one: OMP_NUM_THREADS is not looked at
Examples: nproc
  nproc --all --ignore=1`;

/** The program. */
export const nproc: Program = {
  name: "nproc",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, task } = command;
    yield kernel.steps.shellBuiltin;
    // No letter is an option of nproc: these two only stand for the long names.
    const parsed = getopt(command.argv.slice(1), {
      values: "\x01",
      flags: "\x02",
      long: { ignore: "\x01", all: "\x02" },
      noOperands: true,
    });
    if (typeof parsed === "string") return complain(command, nproc, parsed);
    let ignored = 0, all = false;
    for (const { letter, value } of parsed.options) {
      if (letter === "\x02") all = true;
      else if (/^\d+$/.test(value)) ignored = Number(value);
      else {
        command.stderr(`nproc: invalid number: ‘${value}’\n`);
        return 1;
      }
    }
    const count = all ? kernel.cpus.length : countCpus(affinity(kernel, task));
    command.stdout(`${Math.max(1, count - ignored)}\n`);
    return 0;
  },
};
