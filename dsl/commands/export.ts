import { declareCommand } from "./declare.ts";
import type { Command } from "./command.ts";

/** `export`. */
const doc = `export - gives variables to the commands that are started
Usage: export [-p] [NAME[=VALUE]]…
Effects: gives variables to the commands that are started; without a name, or with -p, lists them
Exit status: 0, or 1 if a name is none
Errors: \`NAME': not a valid identifier
Differs from the real one: no -f, -n
Examples: export CPUS=2,3; sh -c 'echo $CPUS'`;

export const exportCommand: Command = {
  name: "export",
  kind: "special",
  doc,
  run: (context) => declareCommand(context, "p", { exported: true }),
};
