import type { Command } from "./command.ts";

/** `exec`. */
const doc = `exec - keeps redirections, or ends the shell with a command
Usage: exec [COMMAND [ARGUMENT]…]
Effects: keeps its redirections for the rest of the shell; with a command, runs it and ends the shell
Exit status: 0, or the command's
Errors: those of redirections; COMMAND: not found
Differs from the real one: no -c, -l, -a
Examples: exec 3> /tmp/log; echo a >&3
  (exec nproc)`;

/** `simple.ts` carries it out, since it is the redirections of the command line that it keeps. */
export const exec: Command = {
  name: "exec",
  kind: "special",
  doc,
  run: (context) => context.complain("not supported behind `command' or in a variable", 2),
};
