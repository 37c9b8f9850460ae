import type { Coroutine } from "../shell/jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `comm`. */
const doc = `comm - what two sorted files have in common
Usage: comm [-123] FILE FILE
Effects: writes lines that only the first has, only the second, and both, in columns; -1, -2, -3 leave a column out
Exit status: 0, or 1 if a file cannot be read
Errors: missing operand; PATH: STRERROR
Differs from the real one: does not look whether the files are sorted; no --check-order, --total
Examples: seq 4 > /tmp/a; seq 3 5 > /tmp/b; comm -13 /tmp/a /tmp/b`;

export const comm: Command = {
  name: "comm",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "123", "anywhere");
    if (typeof options === "string") return context.misuse(options);
    const { flags, operands } = options;
    if (operands.length === 0) return context.misuse("missing operand");
    if (operands.length === 1) return context.misuse(`missing operand after '${operands[0]}'`);
    if (operands.length > 2) return context.misuse(`extra operand '${operands[2]}'`);
    const { texts, failed } = yield* context.readFiles(operands);
    if (failed) return 1;
    const [one = [], other = []] = texts.map(({ text }) => linesOf(text));
    const indent = (column: "1" | "2" | "3") =>
      "\t".repeat(["1", "2"].filter((before) => before < column && !flags.has(before)).length);
    const write = (column: "1" | "2" | "3", line: string) => {
      if (!flags.has(column)) context.out(`${indent(column)}${line}\n`);
    };
    let [i, j] = [0, 0];
    while (i < one.length || j < other.length) {
      const [a, b] = [one[i], other[j]];
      if (b === undefined || (a !== undefined && a < b)) write("1", one[i++]!);
      else if (a === undefined || b < a) write("2", other[j++]!);
      else {
        write("3", a);
        i++;
        j++;
      }
    }
    return 0;
  },
};
