import { leaveLoops } from "./break.ts";
import type { Command } from "./command.ts";

/** `continue`. */
const doc = `continue - goes on with the next pass of a loop
Usage: continue [N]
Effects: goes on with the next pass of the N-th loop around it, the innermost without N
Exit status: 0
Errors: none outside of loops, where it does nothing, as in bash --posix; N: loop count out of range;
  N: numeric argument required, too many arguments, which end the shell
Differs from the real one: in nothing
Examples: for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done`;

export const continueCommand: Command = {
  name: "continue",
  kind: "special",
  doc,
  run: (context) => leaveLoops(context, "continue"),
};
