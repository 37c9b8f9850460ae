import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `printenv`. */
const doc = `printenv - exported variables
Usage: printenv [NAME]…
Effects: writes the values of the variables named, or all with their names
Exit status: 0, or 1 if one is not exported
Errors: invalid option -- 'X'
Differs from the real one: no -0
Examples: printenv HOME`;

export const printenv: Command = {
  name: "printenv",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "");
    if (typeof options === "string") return context.misuse(options, 2);
    const { env } = context;
    if (options.operands.length === 0) {
      for (const [name, value] of env) context.out(`${name}=${value}\n`);
      return 0;
    }
    const values = options.operands.map((name) => env.get(name));
    for (const value of values) if (value !== undefined) context.out(`${value}\n`);
    return values.includes(undefined) ? 1 : 0;
  },
};
