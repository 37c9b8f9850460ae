/**
 * lsmod (module-init-tools, kmod): the modules that were added to the kernel. All are built in, so there are none.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { complain, getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `lsmod - the modules that were added to the kernel
Usage: lsmod
Effects: prints the heading, and no module: every module of the model is built in
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'; extra operand ‘TEXT’
Differs from the real one: it does not look into /proc/modules, which is empty
Examples: lsmod`;

/** The program. */
export const lsmod: Program = {
  name: "lsmod",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), { noOperands: true });
    if (typeof parsed === "string") return complain(command, lsmod, parsed);
    command.stdout("Module                  Size  Used by\n");
    return 0;
  },
};
