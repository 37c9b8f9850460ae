import type { Command } from "./command.ts";

/** `pwd`. */
const doc = `pwd - the current directory
Usage: pwd [-L]
Effects: writes the current directory
Exit status: 0
Errors: -X: invalid option
Differs from the real one: no -P
Examples: pwd`;

export const pwd: Command = {
  name: "pwd",
  kind: "builtin",
  doc,
  run(context) {
    const other = context.args.find((argument) => argument !== "-L");
    if (other?.startsWith("-")) return context.complain(`${other}: invalid option`, 2);
    context.out(context.shell.cwd + "\n");
    return 0;
  },
};
