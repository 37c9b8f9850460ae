import { declareCommand } from "./declare.ts";
import type { Command } from "./command.ts";

/** `local`. */
const doc = `local - variables of the running function
Usage: local [-aAirx] NAME[=VALUE]…
Effects: makes variables of the running function; they end with it
Exit status: 0, or 1 outside a function
Errors: can only be used in a function
Differs from the real one: no -n (name references are not in the language), -l, -u
Examples: f() { local n=2; echo $n; }; f`;

export const local: Command = {
  name: "local",
  kind: "builtin",
  doc,
  run(context) {
    if (context.shell.functionDepth === 0) return context.complain("can only be used in a function");
    return declareCommand(context, "aAirx", { local: true });
  },
};
