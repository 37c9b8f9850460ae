import type { Command } from "./command.ts";

/** `true`. */
const doc = `true - succeeds
Usage: true [ARGUMENT]…
Effects: none
Exit status: 0
Errors: none
Differs from the real one: in nothing
Examples: while true; do break; done`;

export const trueCommand: Command = { name: "true", kind: "builtin", doc, run: () => 0 };
