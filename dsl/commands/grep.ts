import type { Coroutine } from "../jobs.ts";
import { parseRegularExpression } from "../regular_expression.ts";
import { Matcher } from "../patterns/matcher.ts";
import { character, type Pattern } from "../patterns/syntax.ts";
import { type Command, linesOf } from "./command.ts";
import { linesOfOption, parseOptions } from "./options.ts";

/** `grep`. */
const doc = `grep - the lines that match
Usage: grep [-EFGivclnqshHowx] [-m N] [-e PATTERN]… PATTERN [FILE]…
Effects: writes the lines that match; -v those that do not, -c how many, -l the files that have one, -n with numbers,
  -o only what matched, -q nothing
Exit status: 0 if a line was found, 1 if none was, 2 on an error
Errors: PATH: No such file or directory; what is not taken in a pattern is named
Differs from the real one: no -r, -A, -B, -C, -P
Examples: grep -c processor /proc/cpuinfo
  dmesg | grep -i pci || true`;

export const grep: Command = {
  name: "grep",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "EFGivclnqshHowxm:e:", "anywhere");
    if (typeof options === "string") return context.complain(options, 2);
    const { flags, values } = options;
    const operands = [...options.operands];
    const pattern = linesOfOption(options, "e") ?? operands.shift();
    if (pattern === undefined) {
      context.err("Usage: grep [OPTION]... PATTERNS [FILE]...\n");
      return 2;
    }
    const matcher = new Matcher(patternOf(pattern.split("\n"), flags), flags.has("i"));
    const isShown = !flags.has("q") && !flags.has("c") && !flags.has("l");
    const { texts, failed } = yield* context.readFiles(operands);
    if (flags.has("s")) context.output.length = 0;
    const names = flags.has("H") || (operands.length > 1 && !flags.has("h"));
    let found = false;
    for (const { path, text } of texts) {
      const label = path === "-" ? "(standard input)" : path;
      const prefix = names ? `${label}:` : "";
      let count = 0;
      const limit = Number(values.get("m") ?? Infinity);
      for (const [i, line] of linesOf(text).entries()) {
        if (count >= limit) break;
        if (matcher.test(line) === flags.has("v")) continue;
        count++;
        if (!isShown) continue;
        const number = flags.has("n") ? `${i + 1}:` : "";
        for (const one of flags.has("o") ? parts(matcher, line) : [line]) {
          context.out(`${prefix}${number}${one}\n`);
        }
      }
      if (count > 0) found = true;
      if (flags.has("q")) continue;
      if (flags.has("c")) context.out(`${prefix}${count}\n`);
      else if (flags.has("l") && count > 0) context.out(`${label}\n`);
    }
    if (found && flags.has("q")) return 0;
    return failed ? 2 : found ? 0 : 1;
  },
};

/** What one of the patterns matches, with what `-w` and `-x` ask for around it. */
function patternOf(patterns: readonly string[], flags: ReadonlySet<string>): Pattern {
  const tool = flags.has("E") ? "grep -E" : "grep";
  let groups = 0;
  const options = patterns.map((one): Pattern => {
    if (flags.has("F")) return { kind: "sequence", parts: Array.from(one, character) };
    const { pattern, last } = parseRegularExpression(one, tool, groups + 1);
    groups = last;
    return pattern;
  });
  const around = flags.has("x") ? ["start", "end"] as const : ["no word before", "no word after"] as const;
  const body: Pattern = options.length === 1 ? options[0]! : { kind: "choice", options };
  if (!flags.has("x") && !flags.has("w")) return body;
  const [before, after] = around.map((place): Pattern => ({ kind: "place", place }));
  return { kind: "sequence", parts: [before!, body, after!] };
}

/** What `-o` shows of a line: the matches that are not empty. */
function parts(matcher: Matcher, line: string): string[] {
  return matcher.all(line).map(({ start, end }) => line.slice(start, end)).filter((one) => one !== "");
}
