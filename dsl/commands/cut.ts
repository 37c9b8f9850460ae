import type { Coroutine } from "../shell/jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `cut`. */
const doc = `cut - fields or characters of lines
Usage: cut -f LIST [-d DELIMITER] [-s] [FILE]…
  cut -c LIST [FILE]…
  cut -b LIST [FILE]…
Effects: writes the fields or characters of each line that LIST names: N, N-, N-M, -M, joined by commas; --complement
  those that it does not name; --output-delimiter=TEXT between fields
Exit status: 0, or 1 on an error
Errors: you must specify a list of bytes, characters, or fields; PATH: No such file or directory
Differs from the real one: -b counts characters; no -z; an output delimiter is for fields
Examples: cut -d: -f2 /proc/cpuinfo
  uname -r | cut -c1-3`;

export const cut: Command = {
  name: "cut",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const long = {
      "complement": "C",
      "output-delimiter": "O",
      "fields": "f",
      "delimiter": "d",
      "characters": "c",
    };
    const options = parseOptions(context.args, "f:d:c:b:sCO:", "anywhere", {
      ...long,
      "only-delimited": "s",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, values, operands } = options;
    const list = values.get("f") ?? values.get("c") ?? values.get("b");
    if (list === undefined) {
      return context.misuse("you must specify a list of bytes, characters, or fields");
    }
    const ranges = list.split(",").map((range) => /^(\d+)?(-)?(\d+)?$/.exec(range));
    const what = values.has("f") ? "field" : "byte/character position";
    if (ranges.some((range) => range === null || (range[1] === undefined && range[3] === undefined))) {
      return context.misuse(what === "field" ? `invalid field value '${list}'` : `invalid ${what} '${list}'`);
    }
    if (ranges.some((range) => range?.[1] === "0")) {
      return context.misuse(`${what === "field" ? "fields" : `${what}s`} are numbered from 1`);
    }
    const named = (n: number) =>
      ranges.some((range) => {
        const from = Number(range?.[1] ?? 1);
        const to = range?.[2] === undefined ? from : Number(range[3] ?? Infinity);
        return n >= from && n <= to;
      });
    const chosen = (_: string, i: number) => named(i + 1) !== flags.has("C");
    const delimiter = values.get("d") ?? "\t";
    if (delimiter.length > 1) return context.misuse("the delimiter must be a single character");
    const between = values.get("O") ?? delimiter;
    const { texts, failed } = yield* context.readFiles(operands);
    for (const { text } of texts) {
      for (const line of linesOf(text)) {
        if (!values.has("f")) context.out(Array.from(line).filter(chosen).join("") + "\n");
        else if (line.includes(delimiter)) {
          context.out(line.split(delimiter).filter(chosen).join(between) + "\n");
        } else if (!flags.has("s")) context.out(line + "\n");
      }
    }
    return failed ? 1 : 0;
  },
};
