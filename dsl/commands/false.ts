import type { Command } from "./command.ts";

/** `false`. */
export const doc = `Usage: false [ARGUMENT]…
Effects: none
Exit status: 1
Differs from the real one: no`;

export const falseCommand: Command = { name: "false", kind: "builtin", doc, run: () => 1 };
