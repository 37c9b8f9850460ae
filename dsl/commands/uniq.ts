import type { Coroutine } from "../shell/jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `uniq`. */
const doc = `uniq - runs of equal lines once
Usage: uniq [-cdDui] [-f FIELDS] [-s CHARACTERS] [-w CHARACTERS] [FILE]
Effects: writes each run of equal lines once; -c with its length, -d only repeated ones, -D all lines of those, -u only
  single ones; -i without regard to case; -f and -s leave out what stands first, -w compares so many characters
Exit status: 0, or 1 if the file cannot be read
Errors: PATH: No such file or directory
Differs from the real one: no output operand, no -z, --group
Examples: printf '%s\\n' a a b | uniq -c`;

export const uniq: Command = {
  name: "uniq",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "cdDuif:s:w:", "anywhere", {
      "count": "c",
      "repeated": "d",
      "unique": "u",
      "ignore-case": "i",
      "skip-fields": "f",
      "skip-chars": "s",
      "check-chars": "w",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, values, operands } = options;
    if (operands.length > 1) return context.misuse(`extra operand '${operands[1]}'`);
    for (
      const [letter, what] of [["f", "fields to skip"], ["s", "bytes to skip"], ["w", "bytes to compare"]]
    ) {
      const value = values.get(letter!);
      if (value !== undefined && !/^\d+$/.test(value)) {
        return context.complain(
          `${value}: invalid number of ${what}`,
        );
      }
    }
    const fields = new RegExp(`^(?:[ \\t]*[^ \\t]+){0,${values.get("f") ?? 0}}`);
    const [skip, most] = [Number(values.get("s") ?? 0), Number(values.get("w") ?? Infinity)];
    const keyOf = (line: string) => {
      const key = line.replace(fields, "").slice(skip).slice(0, most);
      return flags.has("i") ? key.toLowerCase() : key;
    };
    const { texts, failed } = yield* context.readFiles(operands);
    const runs: { key: string; lines: string[] }[] = [];
    for (const line of texts.flatMap(({ text }) => linesOf(text))) {
      const last = runs[runs.length - 1], key = keyOf(line);
      if (last?.key === key) last.lines.push(line);
      else runs.push({ key, lines: [line] });
    }
    for (const { lines } of runs) {
      const count = lines.length;
      if (((flags.has("d") || flags.has("D")) && count === 1) || (flags.has("u") && count > 1)) continue;
      const prefix = flags.has("c") ? `${String(count).padStart(7)} ` : "";
      for (const line of flags.has("D") ? lines : lines.slice(0, 1)) context.out(`${prefix}${line}\n`);
    }
    return failed ? 1 : 0;
  },
};
