import type { Command } from "./command.ts";

/** `false`. */
const doc = `false - fails
Usage: false [ARGUMENT]…
Effects: none
Exit status: 1
Errors: none
Differs from the real one: in nothing
Examples: false || echo $?`;

export const falseCommand: Command = { name: "false", kind: "builtin", doc, run: () => 1 };
