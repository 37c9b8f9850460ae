import type { Coroutine } from "../jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `uniq`. */
const doc = `uniq - runs of equal lines once
Usage: uniq [-cdui] [FILE]
Effects: writes each run of equal lines once; -c with its length, -d only repeated ones, -u only single ones
Exit status: 0, or 1 if the file cannot be read
Errors: PATH: No such file or directory
Differs from the real one: no output operand, no -f, -s, -w
Examples: printf '%s\\n' a a b | uniq -c`;

export const uniq: Command = {
  name: "uniq",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "cdui", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { flags, operands } = options;
    if (operands.length > 1) return context.complain(`extra operand '${operands[1]}'`);
    const { texts, failed } = yield* context.readFiles(operands);
    const same = (a: string, b: string) => flags.has("i") ? a.toLowerCase() === b.toLowerCase() : a === b;
    const runs: { line: string; count: number }[] = [];
    for (const line of texts.flatMap(({ text }) => linesOf(text))) {
      const last = runs[runs.length - 1];
      if (last !== undefined && same(last.line, line)) last.count++;
      else runs.push({ line, count: 1 });
    }
    for (const { line, count } of runs) {
      if ((flags.has("d") && count === 1) || (flags.has("u") && count > 1)) continue;
      context.out((flags.has("c") ? `${String(count).padStart(7)} ` : "") + line + "\n");
    }
    return failed ? 1 : 0;
  },
};
