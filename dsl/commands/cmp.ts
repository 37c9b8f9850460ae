import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `cmp`. */
const doc = `cmp - whether two files are the same
Usage: cmp [-s] FILE FILE
Effects: says where the first difference is; -s says nothing
Exit status: 0 if they are the same, 1 if not, 2 if one cannot be read
Errors: FILE FILE differ: char N, line N; EOF on FILE after byte N, in line N
Differs from the real one: no -b, -l, -i, -n; counts characters
Examples: cmp /proc/cmdline /proc/cmdline`;

export const cmp: Command = {
  name: "cmp",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "s", "anywhere", { "quiet": "s", "silent": "s" });
    if (typeof options === "string") return context.misuse(options, 2);
    const { flags, operands } = options;
    if (operands.length === 0) return context.misuse(`missing operand after 'cmp'`, 2);
    const names = operands.length === 1 ? [operands[0]!, "-"] : operands;
    if (names.length > 2) return context.misuse(`extra operand '${names[2]}'`, 2);
    const { texts, failed } = yield* context.readFiles(names);
    if (failed) return 2;
    const [a = "", b = ""] = texts.map(({ text }) => text);
    if (a === b) return 0;
    if (flags.has("s")) return 1;
    let at = 0;
    while (at < a.length && at < b.length && a[at] === b[at]) at++;
    const before = a.slice(0, at);
    const line = before.split("\n").length;
    if (at < a.length && at < b.length) {
      context.out(`${names.join(" ")} differ: char ${at + 1}, line ${line}\n`);
    } else {
      const short = names[at === a.length ? 0 : 1]!;
      if (at === 0) context.err(`cmp: EOF on ${short} which is empty\n`);
      else {
        const where = before.endsWith("\n") ? `line ${line - 1}` : `in line ${line}`;
        context.err(`cmp: EOF on ${short} after byte ${at}, ${where}\n`);
      }
    }
    return 1;
  },
};
