import type { Command } from "./command.ts";

/** `:`. */
const doc = `: - does nothing, and succeeds
Usage: : [ARGUMENT]…
Effects: none, beyond the expansion of its arguments and its redirections
Exit status: 0
Errors: none beyond those of the expansion
Differs from the real one: in nothing
Examples: : \${limit:=20}; echo $limit`;

export const colon: Command = { name: ":", kind: "special", doc, run: () => 0 };
