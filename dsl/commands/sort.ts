import type { Coroutine } from "../jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `sort`. */
const doc = `sort - lines in order
Usage: sort [-nrufb] [-k N[,M]] [-t SEPARATOR] [FILE]…
Effects: writes the lines in order of their characters; -n by number, -r reversed, -u each once, -f without regard to
  case, -k by fields N to M
Exit status: 0, or 2 on an error
Errors: cannot read: PATH: STRERROR
Differs from the real one: one key only, without offsets or options of its own but n and r; no -h, -V, -c, -m, -o
Examples: printf '%s\\n' 10 9 | sort -n`;

export const sort: Command = {
  name: "sort",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "nrufbk:t:", "anywhere");
    if (typeof options === "string") return context.complain(options, 2);
    const { flags, values, operands } = options;
    const { texts, failed } = yield* context.readFiles(operands);
    const key = values.get("k");
    const range = key === undefined ? undefined : /^(\d+)([nr]*)(?:,(\d+)([nr]*))?$/.exec(key);
    if (range === null) return context.complain(`-k ${key}: not taken`, 2);
    const own = (range?.[2] ?? "") + (range?.[4] ?? "");
    const numeric = flags.has("n") || own.includes("n");
    const reversed = flags.has("r") || own.includes("r");
    const separator = values.get("t");
    const keyOf = (line: string): string => {
      let text = line;
      if (range !== undefined) {
        const fields = separator === undefined ? line.match(/[ \t]*[^ \t]+/g) ?? [] : line.split(separator);
        const last = range[3] === undefined ? fields.length : Number(range[3]);
        text = fields.slice(Number(range[1]) - 1, last).join(separator ?? "");
      }
      if (flags.has("b")) text = text.trimStart();
      return flags.has("f") ? text.toUpperCase() : text;
    };
    const number = (text: string) => Number(/^[ \t]*(-?\d*\.?\d*)/.exec(text)?.[1] || 0);
    const compareKeys = (a: string, b: string) => {
      const [x, y] = [keyOf(a), keyOf(b)];
      const order = numeric ? number(x) - number(y) : x < y ? -1 : x > y ? 1 : 0;
      return reversed ? -order : order;
    };
    const lastResort = (a: string, b: string) =>
      flags.has("u") ? 0 : (a < b ? -1 : a > b ? 1 : 0) * (flags.has("r") ? -1 : 1);
    const lines = texts.flatMap(({ text }) => linesOf(text));
    lines.sort((a, b) => compareKeys(a, b) || lastResort(a, b));
    for (const [i, line] of lines.entries()) {
      const before = lines[i - 1];
      if (flags.has("u") && before !== undefined && compareKeys(before, line) === 0) continue;
      context.out(line + "\n");
    }
    return failed ? 2 : 0;
  },
};
