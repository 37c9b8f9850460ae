import type { Command } from "./command.ts";

/** `true`. */
export const doc = `Usage: true [ARGUMENT]…
Effects: none
Exit status: 0
Differs from the real one: no`;

export const trueCommand: Command = { name: "true", kind: "builtin", doc, run: () => 0 };
