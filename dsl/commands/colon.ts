import type { Command } from "./command.ts";

/** `:`. */
export const doc = `Usage: : [ARGUMENT]…
Effects: none, beyond the expansion of its arguments and its redirections
Exit status: 0
Differs from the real one: no`;

export const colon: Command = { name: ":", kind: "special", doc, run: () => 0 };
