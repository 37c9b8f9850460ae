import { declareCommand } from "./declare.ts";
import type { Command } from "./command.ts";

/** `export`. */
export const doc = `Usage: export [-p] [NAME[=VALUE]]…
Effects: gives variables to the commands that are started; without a name, or with -p, lists them
Exit status: 0, or 1 if a name is none
Errors: \`NAME': not a valid identifier
Differs from the real one: no -f, -n`;

export const exportCommand: Command = {
  name: "export",
  kind: "special",
  doc,
  run: (context) => declareCommand(context, "p", { exported: true }),
};
