import { ShellError } from "../syntax/shell_error.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `unset`. */
const doc = `unset - removes variables and functions
Usage: unset [-v | -f] NAME…
Effects: removes variables, elements of arrays (NAME[KEY]), or with -f functions
Exit status: 0, or 1 if a variable is read-only
Errors: NAME: cannot unset: readonly variable
Differs from the real one: an element's key is taken as it is written, not evaluated
Examples: x=1; unset x; echo \${x-gone}`;

export const unset: Command = {
  name: "unset",
  kind: "special",
  doc,
  run(context) {
    const options = parseOptions(context.args, "vf");
    if (typeof options === "string") throw new ShellError(options, 2);
    const { shell } = context;
    let status = 0;
    for (const operand of options.operands) {
      const [, name = operand, key] = /^(\w+)\[([^\]]+)\]$/.exec(operand) ?? [];
      const variable = shell.variables.get(name);
      if (options.flags.has("f") || (variable === undefined && !options.flags.has("v"))) {
        shell.functions.delete(name);
      } else if (variable?.readonly) status = context.complain(`${name}: cannot unset: readonly variable`);
      else if (key !== undefined) {
        if (variable?.value instanceof Map) variable.value.delete(key);
      } else shell.variables.delete(name);
    }
    return status;
  },
};
