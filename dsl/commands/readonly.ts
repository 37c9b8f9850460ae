import { declareCommand } from "./declare.ts";
import type { Command } from "./command.ts";

/** `readonly`. */
const doc = `readonly - makes variables unchangeable
Usage: readonly [-p] [NAME[=VALUE]]…
Effects: makes variables unchangeable; without a name, or with -p, lists them
Exit status: 0, or 1 if a name is none
Errors: NAME: readonly variable; \`NAME': not a valid identifier
Differs from the real one: no -f, -a, -A
Examples: readonly slave=3; echo $slave`;

export const readonlyCommand: Command = {
  name: "readonly",
  kind: "special",
  doc,
  run: (context) => declareCommand(context, "p", { readonly: true }),
};
