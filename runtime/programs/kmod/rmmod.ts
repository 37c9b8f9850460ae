/**
 * rmmod (module-init-tools, kmod): removes a module from the kernel. All are built in, so none can be.
 *
 * *Not modelled*: options; refused by name.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { complain, getopt } from "../getopt.ts";
import { builtIn, isKmod, moduleName } from "./modules.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `rmmod - removes a module from the kernel
Usage: rmmod MODULE...
Effects: none: every module of the model is built in
Exit status: 1
Errors: ERROR: Module NAME is builtin.; ERROR: Module NAME is not currently loaded
Differs from the real one: no options
Examples: rmmod kvm || echo $?`;

/** The program. */
export const rmmod: Program = {
  name: "rmmod",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), { notModelled: [..."fswv", "force", "syslog", "verbose"] });
    if (typeof parsed === "string") return complain(command, rmmod, parsed);
    if (parsed.operands.length === 0) {
      command.stderr("rmmod: ERROR: missing module name.\n");
      return 1;
    }
    const known = builtIn(command);
    for (const name of parsed.operands) {
      const module = moduleName(name);
      const isThere = known.has(module);
      command.stderr(
        isKmod(command)
          ? `rmmod: ERROR: Module ${module} is ${isThere ? "builtin." : "not currently loaded"}\n`
          : `ERROR: Module ${module} does not exist in /proc/modules\n`,
      );
    }
    return 1;
  },
};
