/**
 * free (procps): refused by name, because no memory is modelled and there is no `/proc/meminfo` to read.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Program, ProgramProcess } from "./program.ts";

const doc = `free - refused: memory is not modelled
Usage: free
Effects: none
Exit status: 1
Errors: memory is not modelled
Differs from the real one: there is no /proc/meminfo, so there is nothing to print
Examples: free || echo $?`;

/** The program. */
export const free: Program = {
  name: "free",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    command.stderr("free: memory is not modelled, there is no /proc/meminfo\n");
    return 1;
  },
};
