import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `hostname`. */
const doc = `hostname - the name of the computer
Usage: hostname [-s]
Effects: writes it
Exit status: 0, or 1 on a wrong argument
Errors: changing the name is not modelled
Differs from the real one: it cannot be changed; no -f, -i, -I
Examples: hostname`;

export const hostname: Command = {
  name: "hostname",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "s");
    if (typeof options === "string") return context.complain(options, 4);
    if (options.operands.length > 0) return context.complain("changing the name is not modelled");
    context.out(`${context.shell.machine.hostname}\n`);
    return 0;
  },
};
