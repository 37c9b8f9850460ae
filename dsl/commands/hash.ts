import { parseOptions } from "./options.ts";
import type { Command } from "./command.ts";
import { classify } from "./type.ts";

/** `hash`. */
const doc = `hash - whether programs are there
Usage: hash [-r] [NAME]…
Effects: looks for each program; -r forgets where programs lie, of which this shell keeps no note
Exit status: 0, or 1 if one is not there
Errors: NAME: not found
Differs from the real one: nothing is remembered, so nothing is listed; no -d, -l, -p, -t
Examples: hash taskset && echo there`;

export const hash: Command = {
  name: "hash",
  kind: "builtin",
  doc,
  run(context) {
    const options = parseOptions(context.args, "r");
    if (typeof options === "string") return context.complain(options, 2);
    let status = 0;
    for (const name of options.operands) {
      if (classify(context.shell, name) === undefined) status = context.complain(`${name}: not found`);
    }
    return status;
  },
};
