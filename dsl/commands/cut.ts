import type { Coroutine } from "../jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `cut`. */
const doc = `cut - fields or characters of lines
Usage: cut -f LIST [-d DELIMITER] [-s] [FILE]…, cut -c LIST [FILE]…, cut -b LIST [FILE]…
Effects: writes the fields or characters of each line that LIST names: N, N-, N-M, -M, joined by commas
Exit status: 0, or 1 on an error
Errors: you must specify a list of bytes, characters, or fields; PATH: No such file or directory
Differs from the real one: -b counts characters; no --complement, --output-delimiter
Examples: cut -d: -f2 /proc/cpuinfo
  uname -r | cut -c1-3`;

export const cut: Command = {
  name: "cut",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "f:d:c:b:s", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { flags, values, operands } = options;
    const list = values.get("f") ?? values.get("c") ?? values.get("b");
    if (list === undefined) {
      return context.complain("you must specify a list of bytes, characters, or fields");
    }
    const ranges = list.split(",").map((range) => /^(\d+)?(-)?(\d+)?$/.exec(range));
    if (ranges.some((range) => range === null || (range[1] === undefined && range[3] === undefined))) {
      return context.complain(`invalid field value '${list}'`);
    }
    const chosen = (n: number) =>
      ranges.some((range) => {
        const from = Number(range?.[1] ?? 1);
        const to = range?.[2] === undefined ? from : Number(range[3] ?? Infinity);
        return n >= from && n <= to;
      });
    const delimiter = values.get("d") ?? "\t";
    const { texts, failed } = yield* context.readFiles(operands);
    for (const { text } of texts) {
      for (const line of linesOf(text)) {
        if (!values.has("f")) context.out(Array.from(line).filter((_, i) => chosen(i + 1)).join("") + "\n");
        else if (line.includes(delimiter)) {
          context.out(line.split(delimiter).filter((_, i) => chosen(i + 1)).join(delimiter) + "\n");
        } else if (!flags.has("s")) context.out(line + "\n");
      }
    }
    return failed ? 1 : 0;
  },
};
