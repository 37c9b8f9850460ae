import { decodeEscapes } from "../syntax/escapes.ts";
import type { Coroutine } from "../shell/jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `xargs`. */
const doc = `xargs - arguments from standard input
Usage: xargs [-r] [-t] [-0] [-d CHARACTER] [-n COUNT] [-L COUNT] [-I TEXT] [COMMAND [ARGUMENT]…]
Effects: runs COMMAND (echo) with the words of standard input as further arguments, COUNT at a time; -I runs it once a
  line with TEXT replaced; -0 splits at NUL characters, -d at CHARACTER; -L as many lines
  at a time; -t says what it runs; -r does not run it without words
Exit status: 0; 123 if a run failed; 127 if there is no such command
Errors: those of the command; unmatched single quote; invalid option -- 'X'
Differs from the real one: no -P, -a, -p; any number of words goes into one run
Examples: seq 3 | xargs echo`;

export const xargs: Command = {
  name: "xargs",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "rt0d:n:L:I:", "first", {
      "no-run-if-empty": "r",
      "null": "0",
      "delimiter": "d",
      "max-args": "n",
      "max-lines": "L",
      "replace": "I",
      "verbose": "t",
    });
    if (typeof options === "string") return context.complain(options);
    const { flags, values } = options;
    const args = [...options.operands];
    const count = Number(values.get("n") ?? Infinity);
    if (!(count >= 1)) return context.complain("invalid number for -n option");
    const replace = values.get("I");
    if (args.length === 0) args.push("echo");
    const input = yield* context.readInput();
    const delimiter = flags.has("0") ? "\0" : decodeEscapes(values.get("d") ?? "").text;
    const words = delimiter === "" ? splitWords(input) : splitAt(input, delimiter);
    if (words === undefined) {
      return context.complain(
        "unmatched single quote; by default quotes are special to xargs unless you use the -0 option",
      );
    }
    const runs: string[][] = [];
    if (replace !== undefined) {
      const mark = replace;
      for (const line of linesOf(input)) {
        if (line.trim() !== "") runs.push(args.map((argument) => argument.replaceAll(mark, line.trim())));
      }
    } else if (values.has("L")) {
      const lines = linesOf(input).filter((line) => line.trim() !== "");
      const most = Number(values.get("L"));
      if (!(most >= 1)) return context.complain("value for -L option should be >= 1");
      for (let i = 0; i < lines.length; i += most) {
        runs.push([...args, ...splitWords(lines.slice(i, i + most).join("\n")) ?? []]);
      }
    } else {
      for (let i = 0; i < words.length; i += count) runs.push([...args, ...words.slice(i, i + count)]);
      if (runs.length === 0 && !flags.has("r")) runs.push(args);
    }
    let failed = 0;
    for (const run of runs) {
      if (flags.has("t")) context.shell.err(`${run.join(" ")}\n`);
      const status = yield* context.shell.environment.interpreter.runNamed(context.shell, run, {
        skipFunctions: true,
      });
      if (status === 127) return 127;
      if (status !== 0) failed = 123;
    }
    return failed;
  },
};

/** What stands between delimiters; the last may be missing. */
function splitAt(text: string, delimiter: string): string[] {
  const words = text.split(delimiter);
  if (words[words.length - 1] === "") words.pop();
  return words;
}

/** Words as xargs reads them: blanks separate, quotes and backslashes protect. */
function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  const token = /\s+|((?:'[^'\n]*'|"[^"\n]*"|\\[\s\S]|[^\s'"\\])+)/y;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null) return undefined;
    const [, word] = match;
    if (word !== undefined) {
      words.push(word.replace(/'([^']*)'|"([^"]*)"|\\([\s\S])/g, (_, a, b, c) => a ?? b ?? c));
    }
  }
  return words;
}
