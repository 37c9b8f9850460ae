import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `sync`. */
const doc = `sync - writes back what is only in memory
Usage: sync
Effects: none: the files are in memory, and there is no disk to write them to
Exit status: 0, or 1 on a wrong argument
Errors: invalid option -- 'X'
Differs from the real one: no operands
Examples: sync`;

export const sync: Command = {
  name: "sync",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "");
    if (typeof options === "string") return context.misuse(options);
    const [file] = options.operands;
    return file === undefined ? 0 : context.complain("operands are not modelled");
  },
};
