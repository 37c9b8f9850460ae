import type { Coroutine, Request } from "../shell/jobs.ts";
import { isErrno } from "../shell/ports.ts";
import { parseRegularExpression } from "../text/regular_expression.ts";
import { Matcher } from "../text/patterns/matcher.ts";
import { character, type Pattern } from "../text/patterns/syntax.ts";
import { type Command, type CommandContext, linesOf } from "./command.ts";
import { linesOfOption, parseOptions } from "./options.ts";

/** `grep`. */
const doc = `grep - the lines that match
Usage: grep [-EFGivclLnqshHowxr] [-m N] [-A N] [-B N] [-C N] [-e PATTERN]… PATTERN [FILE]…
Effects: writes the lines that match; -v those that do not, -c how many, -l the files that have one, -L those that have
  none, -n with numbers, -o only what matched, -q nothing; -A with N lines after each, -B before, -C (-N) around; -r the
  files below a directory, symbolic links left out
Exit status: 0 if a line was found, 1 if none was, 2 on an error
Errors: PATH: No such file or directory; what is not taken in a pattern is named
Differs from the real one: no -P, -a, -b, -z, --include; -r lists in the order of names
Examples: grep -c processor /proc/cpuinfo
  grep -r . /sys/devices/system/cpu/cpu3
  dmesg | grep -i pci || true`;

const LONG = {
  "extended-regexp": "E",
  "fixed-strings": "F",
  "basic-regexp": "G",
  "ignore-case": "i",
  "invert-match": "v",
  "count": "c",
  "files-with-matches": "l",
  "files-without-match": "L",
  "line-number": "n",
  "quiet": "q",
  "silent": "q",
  "no-messages": "s",
  "no-filename": "h",
  "with-filename": "H",
  "only-matching": "o",
  "word-regexp": "w",
  "line-regexp": "x",
  "recursive": "r",
  "max-count": "m",
  "after-context": "A",
  "before-context": "B",
  "context": "C",
  "regexp": "e",
  "color": "",
  "colour": "",
};

export const grep: Command = {
  name: "grep",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const args = context.args.map((argument) => argument.replace(/^-(\d+)$/, "-C$1"));
    const options = parseOptions(args, "EFGivclLnqshHowxrm:e:A:B:C:", "anywhere", LONG);
    if (typeof options === "string") {
      return options.startsWith("unrecognized")
        ? context.complain(`${options}\n${USAGE}`, 2)
        : context.complain(options, 2);
    }
    const { flags, values } = options;
    const operands = [...options.operands];
    const pattern = linesOfOption(options, "e") ?? operands.shift();
    if (pattern === undefined) {
      context.err(`${USAGE}\n`);
      return 2;
    }
    for (const letter of ["A", "B", "C", "m"]) {
      const value = values.get(letter);
      if (value === undefined || /^\d+$/.test(value)) continue;
      return context.complain(
        letter === "m" ? "invalid max count" : `${value}: invalid context length argument`,
        2,
      );
    }
    const matcher = new Matcher(patternOf(pattern.split("\n"), flags), flags.has("i"));
    const recursive = flags.has("r");
    const { files, failed } = yield* textsOf(context, operands, recursive);
    if (flags.has("s")) context.output.length = 0;
    const isOne = operands.length === 1 && files.length === 1 && files[0]!.path === operands[0];
    const names = flags.has("H") || ((operands.length > 1 || (recursive && !isOne)) && !flags.has("h"));
    const around = (letter: string) => Number(values.get(letter) ?? values.get("C") ?? 0);
    const printer = new Printer(context, matcher, flags, around("B"), around("A"));
    let found = false;
    for (const { path, text } of files) {
      const label = path === "-" ? "(standard input)" : path;
      const count = printer.file(
        names ? label : undefined,
        linesOf(text),
        Number(values.get("m") ?? Infinity),
      );
      const lists = flags.has("L") ? count === 0 : flags.has("l") && count > 0;
      if (count > 0) found = true;
      if (flags.has("q")) continue;
      if (flags.has("c") && !flags.has("l") && !flags.has("L")) {
        context.out(`${names ? `${label}:` : ""}${count}\n`);
      } else if (lists) context.out(`${label}\n`);
    }
    if (found && flags.has("q")) return 0;
    return failed ? 2 : found ? 0 : 1;
  },
};

const USAGE = "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.";

/** The files named, with `-r` those below the directories that are named. */
function* textsOf(
  context: CommandContext,
  paths: readonly string[],
  recursive: boolean,
): Generator<Request, { files: { path: string; text: string }[]; failed: boolean }, unknown> {
  if (!recursive) {
    const { texts, failed } = yield* context.readFiles(paths);
    return { files: texts, failed };
  }
  const { vfs } = context.shell.machine;
  const files: { path: string; text: string }[] = [];
  let hasFailed = false;
  const below = function* (path: string, named: boolean): Generator<Request, void, unknown> {
    const absolute = context.shell.resolve(path);
    const stat = named ? vfs.stat(absolute) : vfs.lstat(absolute);
    if (!isErrno(stat) && stat.kind === "directory") {
      const entries = vfs.list(absolute);
      for (const name of isErrno(entries) ? [] : entries) {
        yield* below(path === "" ? name : `${path.replace(/\/$/, "")}/${name}`, false);
      }
      return;
    }
    if (!named && (isErrno(stat) || stat.kind !== "file")) return;
    const { texts, failed } = yield* context.readFiles([path]);
    files.push(...texts);
    hasFailed ||= failed;
  };
  for (const path of paths.length > 0 ? paths : [""]) yield* below(path, true); // the current directory, unnamed
  return { files, failed: hasFailed };
}

/** Writes the lines that were found, with the lines around them. */
class Printer {
  /** A line has been written: a gap before the next one is marked. */
  #hasWritten = false;
  readonly #isShown: boolean;

  constructor(
    readonly context: CommandContext,
    readonly matcher: Matcher,
    readonly flags: ReadonlySet<string>,
    readonly before: number,
    readonly after: number,
  ) {
    this.#isShown = !["q", "c", "l", "L"].some((letter) => flags.has(letter));
  }

  /** Answers how many lines were found. */
  file(label: string | undefined, lines: readonly string[], most: number): number {
    const { flags, matcher } = this;
    let count = 0, shown = -1, until = -1;
    for (const [i, line] of lines.entries()) {
      const found = count < most && matcher.test(line) !== flags.has("v");
      if (count >= most && i > until) break;
      if (found) {
        count++;
        const first = Math.max(i - this.before, shown + 1);
        const isApart = this.#hasWritten && (shown === -1 || first > shown + 1);
        if (this.#isShown && isApart && this.before + this.after > 0) this.context.out("--\n");
        for (let each = first; each < i; each++) this.#write(label, each, lines[each]!, "-");
        until = i + this.after;
      } else if (i > until) continue;
      this.#write(label, i, line, found ? ":" : "-");
      shown = i;
    }
    return count;
  }

  #write(label: string | undefined, at: number, line: string, mark: ":" | "-"): void {
    if (!this.#isShown) return;
    this.#hasWritten = true;
    const { context, flags, matcher } = this;
    const only = flags.has("o");
    if (only && mark === "-") return;
    const prefix = `${label === undefined ? "" : label + mark}${flags.has("n") ? `${at + 1}${mark}` : ""}`;
    for (const one of only ? parts(matcher, line, flags.has("v")) : [line]) context.out(`${prefix}${one}\n`);
  }
}

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

/** What `-o` shows of a line: the matches that are not empty; nothing of a line that is there because it has none. */
function parts(matcher: Matcher, line: string, inverted: boolean): string[] {
  if (inverted) return [];
  return matcher.all(line).map(({ start, end }) => line.slice(start, end)).filter((one) => one !== "");
}
