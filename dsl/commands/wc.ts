import type { Coroutine } from "../jobs.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `wc`. */
const doc = `wc - counts lines, words and bytes
Usage: wc [-lwcm] [FILE]…
Effects: counts lines, words and bytes (-m characters)
Exit status: 0, or 1 if a file cannot be read
Errors: PATH: No such file or directory
Differs from the real one: no -L, --files0-from
Examples: wc -l < /proc/cpuinfo`;

export const wc: Command = {
  name: "wc",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "lwcm", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { flags, operands } = options;
    const { texts, failed } = yield* context.readFiles(operands);
    const wanted = flags.size === 0
      ? ["l", "w", "c"]
      : ["l", "w", "m", "c"].filter((letter) => flags.has(letter));
    const rows = texts.map(({ path, text }) => ({
      name: operands.length === 0 ? "" : path,
      counts: wanted.map((letter) => countOf(letter, text)),
    }));
    if (rows.length > 1) {
      const totals = wanted.map((_, i) => rows.reduce((sum, row) => sum + (row.counts[i] ?? 0), 0));
      rows.push({ name: "total", counts: totals });
    }
    const digits = Math.max(...rows.flatMap(({ counts }) => counts.map((n) => String(n).length)), 1);
    // As GNU's: one column from standard input is not padded; several from it are seven wide.
    const width = wanted.length === 1 && rows.length === 1 ? 1 : operands.length === 0 ? 7 : digits;
    for (const { name, counts } of rows) {
      context.out(
        counts.map((n) => String(n).padStart(width)).join(" ") + (name === "" ? "" : ` ${name}`) + "\n",
      );
    }
    return failed ? 1 : 0;
  },
};

function countOf(letter: string, text: string): number {
  switch (letter) {
    case "l":
      return text.split("\n").length - 1;
    case "w":
      return text.split(/\s+/).filter((word) => word !== "").length;
    case "m":
      return Array.from(text).length;
    default:
      return new TextEncoder().encode(text).length;
  }
}
