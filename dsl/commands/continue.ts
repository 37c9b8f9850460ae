import { leaveLoops } from "./break.ts";
import type { Command } from "./command.ts";

/** `continue`. */
const doc = `continue - goes on with the next pass of a loop
Usage: continue [N]
Effects: goes on with the next pass of the N-th loop around it, the innermost without N
Exit status: 0
Errors: only meaningful in a \`for', \`while', or \`until' loop; N: numeric argument required
Differs from the real one: in nothing
Examples: for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done`;

export const continueCommand: Command = {
  name: "continue",
  kind: "special",
  doc,
  run: (context) => leaveLoops(context, "continue"),
};
