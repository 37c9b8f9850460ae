import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";
import { readPart, writeParts } from "./head.ts";

/** `tail`. */
const doc = `tail - the last lines
Usage: tail [-qv] [-n [+]N | -N | -c BYTES] [FILE]…
Effects: writes the last N lines, 10 without a number; with + from line N on; -q without the names of several
  files, -v with that of one
Exit status: 0, or 1 if a file cannot be read
Errors: cannot open 'PATH' for reading: STRERROR; invalid number of lines: 'TEXT'
Differs from the real one: no -f
Examples: dmesg | tail -n 1`;

export const tail: Command = {
  name: "tail",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const form = /^[-+]?\d+$/;
    const part = readPart(context, { lines: form, bytes: form });
    if (typeof part === "string") return context.complain(part);
    const n = Math.abs(Number(part.count));
    const fromStart = part.count.startsWith("+");
    return yield* writeParts(
      context,
      part,
      (length) => [fromStart ? Math.max(0, n - 1) : Math.max(0, length - n)],
    );
  },
};
