import type { Coroutine } from "../jobs.ts";
import { regularExpression } from "../regular_expression.ts";
import { type Matcher, replaceSpans } from "../patterns/matcher.ts";
import { ShellError } from "../state.ts";
import { type Command, linesOf } from "./command.ts";
import { linesOfOption, parseOptions } from "./options.ts";

/** `sed`. */
const doc = `sed - edits lines
Usage: sed [-nEr] [-e SCRIPT] SCRIPT [FILE]…
Effects: edits each line: s/PATTERN/TEXT/[gpiN], d, p, q, y/SET/SET/, =; each with an address N, $, /PATTERN/, or two
  with a comma, and !; commands are separated by ; or newlines
Exit status: 0, 1 for a script that is not taken, 2 if a file cannot be read
Errors: -e expression #1, char N: unknown command; can't read PATH: No such file or directory
Differs from the real one: no -i, no a, i, c, no hold space, no labels, no { }
Examples: sed -n 1,3p /proc/cpuinfo
  echo 05:00.0 | sed 's/^/0000:/'`;

type Address = { readonly line: number } | { readonly last: true } | { readonly pattern: Matcher };

interface Edit {
  readonly from: Address | undefined;
  readonly to: Address | undefined;
  readonly negated: boolean;
  readonly name: string;
  readonly pattern?: Matcher;
  readonly replacement?: string;
  /** Which match `s` replaces; 0 for all. */
  readonly nth?: number;
  readonly print?: boolean;
  readonly sets?: readonly [string, string];
  /** Whether the range of its two addresses is open. */
  active: boolean;
}

export const sed: Command = {
  name: "sed",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "nEre:", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { flags } = options;
    const operands = [...options.operands];
    const script = linesOfOption(options, "e") ?? operands.shift();
    if (script === undefined) {
      context.err("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n");
      return 1;
    }
    let edits: Edit[];
    try {
      edits = new SedParser(script, flags.has("E") || flags.has("r")).parse();
    } catch (error) {
      if (!(error instanceof ShellError)) throw error;
      return context.complain(error.message);
    }
    const { texts, failed } = yield* context.readFiles(operands);
    const all = texts.map(({ text }) => text).join("");
    const lines = linesOf(all);
    const ended = all === "" || all.endsWith("\n");
    const result: string[] = [];
    for (const [i, line] of lines.entries()) {
      const edited = editLine(edits, line, i + 1, i === lines.length - 1, (text) => result.push(text));
      if (edited.text !== undefined && !flags.has("n")) result.push(edited.text);
      if (edited.quit) break;
    }
    context.out(result.join("\n") + (result.length > 0 && ended ? "\n" : ""));
    return failed ? 2 : 0;
  },
};

function editLine(
  edits: readonly Edit[],
  line: string,
  number: number,
  last: boolean,
  print: (text: string) => void,
): { text: string | undefined; quit: boolean } {
  let text = line;
  for (const edit of edits) {
    if (applies(edit, text, number, last) === edit.negated) continue;
    switch (edit.name) {
      case "d":
        return { text: undefined, quit: false };
      case "p":
        print(text);
        break;
      case "q":
        return { text, quit: true };
      case "=":
        print(String(number));
        break;
      case "y":
        text = Array.from(text, (c) => edit.sets?.[1][edit.sets[0].indexOf(c)] ?? c).join("");
        break;
      case "s": {
        const before = text;
        text = substitute(edit, text);
        if (edit.print && text !== before) print(text);
      }
    }
  }
  return { text, quit: false };
}

function applies(edit: Edit, text: string, number: number, last: boolean): boolean {
  const matches = (address: Address) =>
    "line" in address ? address.line === number : "last" in address ? last : address.pattern.test(text);
  if (edit.from === undefined) return true;
  if (edit.to === undefined) return matches(edit.from);
  if (!edit.active) {
    if (!matches(edit.from)) return false;
    edit.active = !("line" in edit.to && edit.to.line <= number);
    return true;
  }
  if (matches(edit.to) || ("line" in edit.to && edit.to.line < number)) edit.active = false;
  return true;
}

function substitute(edit: Edit, text: string): string {
  const { pattern, replacement = "", nth = 1 } = edit;
  if (pattern === undefined) return text;
  const found = pattern.all(text, nth === 0 ? Infinity : nth);
  return replaceSpans(text, nth === 0 ? found : found.slice(nth - 1), (matched, span) => {
    const groups = /\\\d/.test(replacement) ? pattern.groups(text, span) : [matched];
    return replacement.replace(/\\([\s\S])|&/g, (token, escaped: string | undefined) => {
      if (token === "&") return matched;
      if (/\d/.test(escaped ?? "")) return groups[Number(escaped)] ?? "";
      return escaped === "n" ? "\n" : escaped === "t" ? "\t" : escaped ?? "";
    });
  });
}

class SedParser {
  #at = 0;

  constructor(readonly text: string, readonly extended: boolean) {}

  parse(): Edit[] {
    const edits: Edit[] = [];
    for (;;) {
      while (/[\s;]/.test(this.text[this.#at] ?? "")) this.#at++;
      if (this.#at >= this.text.length) return edits;
      edits.push(this.#edit());
      while (/[ \t]/.test(this.text[this.#at] ?? "")) this.#at++;
      if (this.#at < this.text.length && !/[;\n]/.test(this.text[this.#at] ?? "")) {
        this.#fail("extra characters after command");
      }
    }
  }

  #fail(problem: string): never {
    throw new ShellError(`-e expression #1, char ${this.#at + 1}: ${problem}`);
  }

  #edit(): Edit {
    const from = this.#address();
    let to: Address | undefined;
    if (from !== undefined && this.text[this.#at] === ",") {
      this.#at++;
      to = this.#address() ?? this.#fail("unexpected `,'");
    }
    while (this.text[this.#at] === " ") this.#at++;
    const negated = this.text[this.#at] === "!";
    if (negated) this.#at++;
    const name = this.text[this.#at++] ?? "";
    const base = { from, to, negated, name, active: false };
    if ("dpq=".includes(name) && name !== "") return base;
    const mark = this.text[this.#at] ?? "";
    if (name === "s") {
      this.#at++;
      const pattern = this.#until(mark, true);
      const replacement = this.#until(mark, false);
      let nth = 1;
      let print = false;
      let ignoreCase = false;
      for (; /[gpiI0-9]/.test(this.text[this.#at] ?? ""); this.#at++) {
        const flag = this.text[this.#at] ?? "";
        if (flag === "g") nth = 0;
        else if (flag === "p") print = true;
        else if (/\d/.test(flag)) nth = Number(flag);
        else ignoreCase = true;
      }
      const matcher = this.#expression(pattern, ignoreCase);
      const group = Math.max(0, ...[...replacement.matchAll(/\\(.)/gs)].map(([, c]) => Number(c) || 0));
      if (group > matcher.groupCount) this.#fail(`invalid reference \\${group} on \`s' command's RHS`);
      return {
        ...base,
        pattern: matcher,
        replacement,
        nth,
        print,
      };
    }
    if (name === "y") {
      this.#at++;
      const sets: [string, string] = [this.#until(mark, false), this.#until(mark, false)];
      if (sets[0].length !== sets[1].length) this.#fail("strings for `y' command are different lengths");
      return { ...base, sets };
    }
    this.#at--;
    return this.#fail(name === "" ? "missing command" : `unknown command: \`${name}'`);
  }

  #address(): Address | undefined {
    const number = /\d+/y;
    number.lastIndex = this.#at;
    const found = number.exec(this.text)?.[0];
    if (found !== undefined) {
      this.#at += found.length;
      return { line: Number(found) };
    }
    if (this.text[this.#at] === "$") {
      this.#at++;
      return { last: true };
    }
    if (this.text[this.#at] !== "/") return undefined;
    this.#at++;
    return { pattern: this.#expression(this.#until("/", true), false) };
  }

  /** The text up to an unescaped mark; in a pattern, marks inside brackets do not count. */
  #until(mark: string, pattern: boolean): string {
    let text = "";
    for (let bracket = false;; this.#at++) {
      const c = this.text[this.#at];
      if (c === undefined) this.#fail("unterminated `s' command");
      if (c === "\\") {
        const next = this.text[++this.#at] ?? "";
        text += next === mark ? next : c + next;
      } else if (c === mark && !bracket) {
        this.#at++;
        return text;
      } else {
        if (pattern && c === "[") bracket = true;
        else if (c === "]" && !/\[\^?$/.test(text)) bracket = false;
        text += c;
      }
    }
  }

  #expression(pattern: string, ignoresCase: boolean): Matcher {
    return regularExpression(pattern, this.extended ? "sed -E" : "sed", ignoresCase);
  }
}
