import type { Coroutine } from "../jobs.ts";
import { basicToRegExp, extendedToRegExp } from "../regular_expression.ts";
import { type Command, linesOf } from "./command.ts";
import { linesOfOption, parseOptions } from "./options.ts";

/** `grep`. */
const doc = `grep - the lines that match
Usage: grep [-EFGivclnqshHowx] [-m N] [-e PATTERN]… PATTERN [FILE]…
Effects: writes the lines that match; -v those that do not, -c how many, -l the files that have one, -n with numbers,
  -o only what matched, -q nothing
Exit status: 0 if a line was found, 1 if none was, 2 on an error
Errors: PATH: No such file or directory; what is not taken in a pattern is named
Differs from the real one: no -r, -A, -B, -C, -P; no back references
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
    const sources = pattern.split("\n").map((one) =>
      flags.has("F")
        ? one.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")
        : flags.has("E")
        ? extendedToRegExp(one)
        : basicToRegExp(one)
    );
    let source = sources.map((one) => `(?:${one})`).join("|");
    if (flags.has("w")) source = `(?<!\\w)(?:${source})(?!\\w)`;
    if (flags.has("x")) source = `^(?:${source})$`;
    const expression = new RegExp(source, flags.has("i") ? "gi" : "g");
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
        const matches = [...line.matchAll(expression)];
        if ((matches.length > 0) === flags.has("v")) continue;
        count++;
        if (flags.has("q") || flags.has("c") || flags.has("l")) continue;
        const number = flags.has("n") ? `${i + 1}:` : "";
        const shown = flags.has("o") ? matches.map((match) => match[0]).filter((one) => one !== "") : [line];
        for (const one of shown) context.out(`${prefix}${number}${one}\n`);
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
