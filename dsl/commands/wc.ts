import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `wc`. */
const doc = `wc - counts lines, words and bytes
Usage: wc [-lwcmL] [FILE]…
Effects: counts lines, words and bytes (-m characters, -L the width of the
  longest line)
Exit status: 0, or 1 if a file cannot be read
Errors: PATH: No such file or directory
Differs from the real one: no --files0-from
Examples: wc -l < /proc/cpuinfo`;

export const wc: Command = {
  name: "wc",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "lwcmL", "anywhere", {
      "lines": "l",
      "words": "w",
      "bytes": "c",
      "chars": "m",
      "max-line-length": "L",
    });
    if (typeof options === "string") return context.complain(options);
    const { flags, operands } = options;
    const { texts, failed } = yield* context.readFiles(operands);
    const wanted = flags.size === 0
      ? ["l", "w", "c"]
      : ["l", "w", "m", "c", "L"].filter((letter) => flags.has(letter));
    const rows = texts.map(({ path, text }) => ({
      name: operands.length === 0 ? "" : path,
      counts: wanted.map((letter) => countOf(letter, text)),
    }));
    if (rows.length > 1) {
      const totals = wanted.map((letter, i) =>
        rows.reduce((sum, { counts: { [i]: n = 0 } }) => letter === "L" ? Math.max(sum, n) : sum + n, 0)
      );
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
    case "L":
      return Math.max(...text.split("\n").map(widthOf));
    default:
      return new TextEncoder().encode(text).length;
  }
}

/** Columns that a line takes, tabs counted to the next multiple of 8. */
function widthOf(line: string): number {
  let width = 0;
  for (const c of line) width = c === "\t" ? (Math.floor(width / 8) + 1) * 8 : width + 1;
  return width;
}
