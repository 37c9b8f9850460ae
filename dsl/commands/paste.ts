import type { Coroutine } from "../shell/jobs.ts";
import { decodeEscapes } from "../syntax/escapes.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `paste`. */
const doc = `paste - lines of files side by side
Usage: paste [-s] [-d LIST] [FILE]…
Effects: joins the first lines of all files, then the second, with the characters of LIST (a tab) in turn between them; -s
  joins the lines of each file
Exit status: 0, or 1 if a file cannot be read
Errors: PATH: STRERROR
Differs from the real one: standard input may be named once; no -z
Examples: seq 0 3 | paste -sd,`;

export const paste: Command = {
  name: "paste",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "sd:", "anywhere", { "serial": "s", "delimiters": "d" });
    if (typeof options === "string") return context.misuse(options);
    const marks = Array.from(decodeEscapes(options.values.get("d") ?? "\t").text.replaceAll("\0", ""));
    const joined = (parts: readonly string[]) =>
      parts.map((part, i) => (i === 0 ? "" : marks[(i - 1) % marks.length] ?? "") + part).join("");
    const { texts, failed } = yield* context.readFiles(options.operands);
    if (failed) return 1;
    const columns = texts.map(({ text }) => linesOf(text));
    if (options.flags.has("s")) {
      for (const lines of columns) context.out(joined(lines) + "\n");
      return 0;
    }
    const rows = columns.reduce((most, lines) => Math.max(most, lines.length), 0);
    for (let i = 0; i < rows; i++) context.out(joined(columns.map((lines) => lines[i] ?? "")) + "\n");
    return 0;
  },
};
