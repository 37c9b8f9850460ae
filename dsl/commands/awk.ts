import { type AwkRule, parseAwk } from "../text/awk_program.ts";
import { AwkRun } from "../text/awk_run.ts";
import type { Coroutine } from "../shell/jobs.ts";
import { ShellError } from "../syntax/shell_error.ts";
import { type Command, linesOf } from "./command.ts";

/** `awk`. */
const doc = `awk - patterns and actions over lines and their fields
Usage: awk [-F SEPARATOR] [-v NAME=VALUE]… PROGRAM [FILE]…
  patterns, ranges, BEGIN, END; print, printf, if, while, for, for in, next, exit, delete; arrays, fields, all operators;
  length substr index split int sqrt tolower toupper sub gsub sprintf
Effects: runs PROGRAM over the lines
Exit status: 0, that of exit, or 2 on an error
Errors: syntax error near TEXT; PATH: No such file or directory
Differs from the real one: no functions of one's own, no getline, no redirections in the program, no RS
Examples: echo a b | awk '{ print $2 }'
  awk -F: '/processor/ { n++ } END { print n }' /proc/cpuinfo`;

export const awk: Command = {
  name: "awk",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const args = [...context.args];
    const assignments: [string, string][] = [];
    while (/^-./.test(args[0] ?? "") && args[0] !== "--") {
      const option = args.shift() ?? "";
      const value = option.length > 2 ? option.slice(2) : args.shift() ?? "";
      if (option.startsWith("-F")) assignments.push(["FS", value === "t" ? "\t" : value]);
      else if (option.startsWith("-v")) {
        const equals = value.indexOf("=");
        if (equals < 1) return context.complain(`\`${value}' argument to \`-v' not in \`var=value' form`, 2);
        assignments.push([value.slice(0, equals), value.slice(equals + 1)]);
      } else return context.complain(`unknown option ${option}`, 2);
    }
    if (args[0] === "--") args.shift();
    const program = args.shift();
    if (program === undefined) {
      context.err("usage: awk [-F fs][-v var=value] 'prog' [file ...]\n");
      return 2;
    }
    let rules: AwkRule[];
    try {
      rules = parseAwk(program);
    } catch (error) {
      if (!(error instanceof ShellError)) throw error;
      return context.complain(error.message, 2);
    }
    const needsInput = rules.some(({ when }) => when !== "BEGIN");
    const { texts, failed } = needsInput ? yield* context.readFiles(args) : { texts: [], failed: false };
    const run = new AwkRun(rules, (text) => context.out(text));
    for (const [name, value] of assignments) run.assign(name, value);
    const status = run.run(texts.map(({ path, text }) => ({ path, lines: linesOf(text) })));
    return failed && status === 0 ? 2 : status;
  },
};
