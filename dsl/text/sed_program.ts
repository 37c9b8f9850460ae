/**
 * The language of `sed`: from the text of a script to its commands.
 *
 * *Document*: POSIX XCU `sed`; GNU sed 4.9, whose messages are used.
 *
 * @module
 */
import type { Matcher } from "./patterns/matcher.ts";
import { regularExpression } from "./regular_expression.ts";
import { ShellError } from "../syntax/shell_error.ts";

/** Where a command applies. A pattern that is undefined is the last one that was used. */
export type SedAddress =
  | { readonly kind: "line"; readonly line: number }
  | { readonly kind: "last" }
  | { readonly kind: "pattern"; readonly pattern: Matcher | undefined }
  /** `first~step`. */
  | { readonly kind: "step"; readonly first: number; readonly step: number }
  /** `+N`, only as the second. */
  | { readonly kind: "more"; readonly count: number }
  /** `~N`, only as the second. */
  | { readonly kind: "multiple"; readonly of: number };

/** A piece of what `s` puts in. */
export type SedPiece =
  | { readonly kind: "text"; readonly text: string }
  /** Group 0: the whole match. */
  | { readonly kind: "group"; readonly group: number }
  /** `\U`, `\L`, `\u`, `\l`, `\E`: how what follows is written. */
  | { readonly kind: "case"; readonly letter: string };

/** A command of a script. */
export interface SedCommand {
  readonly from: SedAddress | undefined;
  readonly to: SedAddress | undefined;
  readonly negated: boolean;
  readonly name: string;
  /** `s`: undefined for the last pattern that was used. */
  readonly pattern?: Matcher | undefined;
  /** `s`. */
  readonly replacement?: readonly SedPiece[];
  /** `s`: the first match that is replaced, and whether those after it are too. */
  readonly nth?: number;
  readonly all?: boolean;
  readonly print?: boolean;
  /** `y`. */
  readonly sets?: readonly [readonly string[], readonly string[]];
  /** `a`, `i`, `c`: lines; `r`: a path; `b`, `t`, `T`, `:`: a label. */
  readonly text?: string;
  /** `q`, `Q`: the exit status. */
  readonly status?: number;
  /** `{`: where its `}` stands. */
  end?: number;
}

/** Reads a script. @throws {ShellError} where it is not taken */
export function parseSed(text: string, extended: boolean): SedCommand[] {
  return new SedParser(text, extended).parse();
}

const NAMES = "{}=abcdDgGhHilnNpPqQrstTxyz:#";

/** Commands of GNU's that are not taken. */
const REFUSED = "eFlRvwW";

class SedParser {
  #at = 0;
  readonly #commands: SedCommand[] = [];

  constructor(readonly text: string, readonly extended: boolean) {}

  parse(): SedCommand[] {
    const open: number[] = [];
    for (;;) {
      this.#skip(/[\s;]/);
      if (this.#at >= this.text.length) break;
      const command = this.#command();
      if (command === undefined) continue; // a comment
      const index = this.#commands.push(command) - 1;
      if (command.name === "{") open.push(index);
      else if (command.name === "}") {
        const begin = open.pop();
        if (begin === undefined) this.#fail("unexpected `}'");
        this.#commands[begin]!.end = index;
      }
      if (command.name === "{") continue;
      this.#skip(/[ \t]/);
      const next = this.#peek();
      if (next === "#" || next === "}" || next === undefined) continue;
      this.#at++;
      if (!/[;\n]/.test(next)) this.#fail("extra characters after command");
    }
    if (open.length > 0) this.#failAt(0, "unmatched `{'");
    for (const { name, text: label = "" } of this.#commands) {
      if (!/^[btT]$/.test(name) || label === "") continue;
      if (!this.#commands.some((each) => each.name === ":" && each.text === label)) {
        throw new ShellError(`can't find label for jump to \`${label}'`, 1);
      }
    }
    return this.#commands;
  }

  #peek(): string | undefined {
    return this.text[this.#at];
  }

  #skip(kind: RegExp): void {
    while (kind.test(this.text[this.#at] ?? "")) this.#at++;
  }

  /** `at` characters have been read. */
  #failAt(at: number, problem: string): never {
    throw new ShellError(`-e expression #1, char ${at}: ${problem}`, 1);
  }

  #fail(problem: string): never {
    this.#failAt(this.#at, problem);
  }

  #command(): SedCommand | undefined {
    const from = this.#address();
    let to: SedAddress | undefined;
    this.#skip(/[ \t]/);
    if (this.#peek() === ",") {
      this.#at++;
      if (from === undefined) this.#fail("unexpected `,'");
      this.#skip(/[ \t]/);
      to = this.#secondAddress() ?? this.#fail("unexpected `,'");
    }
    this.#skip(/[ \t]/);
    const negated = this.#peek() === "!";
    if (negated) {
      this.#at++;
      this.#skip(/[ \t]/);
      if (this.#peek() === "!") {
        this.#at++;
        this.#fail("multiple `!'s");
      }
    }
    const zero = from?.kind === "line" && from.line === 0;
    if (zero && to?.kind !== "pattern") this.#fail("invalid usage of line address 0");
    const name = this.#peek();
    if (name === undefined) this.#fail("missing command");
    this.#at++;
    if (REFUSED.includes(name)) this.#fail(`\`${name}': not taken`);
    if (!NAMES.includes(name)) this.#fail(`unknown command: \`${name}'`);
    const base = { from, to, negated, name };
    switch (name) {
      case "#":
        if (from !== undefined) this.#fail("comments don't accept any addresses");
        this.#skip(/[^\n]/);
        return undefined;
      case "}":
        if (from !== undefined) this.#fail("} doesn't want any addresses");
        return base;
      case ":":
        if (from !== undefined) this.#fail(": doesn't want any addresses");
        this.#skip(/[ \t]/);
        return { ...base, text: this.#word(/[^\s;]/) || this.#fail('":" lacks a label') };
      case "b":
      case "t":
      case "T":
        this.#skip(/[ \t]/);
        return { ...base, text: this.#word(/[^\s;}]/) };
      case "r":
        this.#skip(/[ \t]/);
        return { ...base, text: this.#word(/[^\n]/) || this.#fail("missing filename in r/R/w/W commands") };
      case "q":
      case "Q":
        if (to !== undefined) this.#fail("command only uses one address");
        this.#skip(/[ \t]/);
        return { ...base, status: Number(this.#word(/\d/)) };
      case "a":
      case "i":
      case "c":
        return { ...base, text: this.#lines() };
      case "s":
        return this.#substitution(base);
      case "y":
        return this.#transliteration(base);
      default:
        return base;
    }
  }

  #word(kind: RegExp): string {
    const start = this.#at;
    this.#skip(kind);
    return this.text.slice(start, this.#at);
  }

  /** What `a`, `i` and `c` write: to the end of a line that no backslash continues. */
  #lines(): string {
    this.#skip(/[ \t]/);
    if (this.#peek() === undefined) this.#fail("expected \\ after `a', `c' or `i'");
    if (this.#peek() === "\\") {
      this.#at++;
      this.#skip(/[ \t]/);
      if (this.#peek() === "\n") this.#at++;
      if (this.#peek() === undefined) this.#fail("expected \\ after `a', `c' or `i'");
    }
    let text = "";
    for (let c = this.#peek(); c !== undefined && c !== "\n"; c = this.#peek()) {
      this.#at++;
      if (c === "\\") {
        c = this.#peek() ?? "";
        this.#at++;
      }
      text += c;
    }
    return text;
  }

  #substitution(base: SedCommand): SedCommand {
    const mark = this.#delimiter("s");
    const source = this.#until(mark, true, "unterminated `s' command");
    const text = this.#until(mark, false, "unterminated `s' command");
    let nth = 1, all = false, print = false, ignoreCase = false;
    for (let flag = this.#peek(); flag !== undefined && !/[\s;}#]/.test(flag); flag = this.#peek()) {
      if (/\d/.test(flag)) {
        nth = Number(this.#word(/\d/));
        if (nth === 0) this.#fail("number option to `s' command may not be zero");
        continue;
      }
      this.#at++;
      if (flag === "g") all = true;
      else if (flag === "p") print = true;
      else if (flag === "i" || flag === "I") ignoreCase = true;
      else if (/[mMew]/.test(flag)) this.#fail(`option ${flag} of the \`s' command is not taken`);
      else this.#fail("unknown option to `s'");
    }
    const pattern = this.#expression(source, ignoreCase);
    const replacement = piecesOf(text);
    const group = Math.max(0, ...replacement.map((piece) => piece.kind === "group" ? piece.group : 0));
    if (pattern !== undefined && group > pattern.groupCount) {
      this.#fail(`invalid reference \\${group} on \`s' command's RHS`);
    }
    return { ...base, pattern, replacement, nth, all, print };
  }

  #transliteration(base: SedCommand): SedCommand {
    const mark = this.#delimiter("y");
    const [from, to] = [0, 1].map(() => {
      const text = this.#until(mark, false, "unterminated `y' command");
      return Array.from(text.replace(/\\([\s\S])/g, (_, c) => ({ n: "\n", t: "\t" })[c as "n"] ?? c));
    });
    if (from!.length !== to!.length) this.#fail("strings for `y' command are different lengths");
    return { ...base, sets: [from!, to!] };
  }

  #delimiter(name: string): string {
    const mark = this.#peek();
    if (mark === undefined || mark === "\n" || mark === "\\") this.#fail(`unterminated \`${name}' command`);
    this.#at++;
    return mark;
  }

  #secondAddress(): SedAddress | undefined {
    const sign = this.#peek();
    if (sign !== "+" && sign !== "~") return this.#address();
    this.#at++;
    const number = this.#word(/\d/);
    if (number === "") this.#fail("expected number after +/~");
    return sign === "+" ? { kind: "more", count: Number(number) } : { kind: "multiple", of: Number(number) };
  }

  #address(): SedAddress | undefined {
    const c = this.#peek();
    if (c === undefined) return undefined;
    if (/\d/.test(c)) {
      const line = Number(this.#word(/\d/));
      if (this.#peek() !== "~") return { kind: "line", line };
      this.#at++;
      return { kind: "step", first: line, step: Number(this.#word(/\d/)) };
    }
    if (c === "$") {
      this.#at++;
      return { kind: "last" };
    }
    if (c !== "/" && c !== "\\") return undefined;
    this.#at++;
    const mark = c === "/" ? c : this.#delimiter("address");
    const source = this.#until(mark, true, "unterminated address regex");
    const ignoreCase = /[I]/.test(this.#peek() ?? "");
    if (ignoreCase) this.#at++;
    return { kind: "pattern", pattern: this.#expression(source, ignoreCase) };
  }

  /** The text up to an unescaped mark; in a pattern, marks inside brackets do not count. */
  #until(mark: string, pattern: boolean, problem: string): string {
    let text = "";
    for (let inBracket = false;; this.#at++) {
      const c = this.#peek();
      if (c === undefined || (pattern && c === "\n")) this.#fail(problem);
      if (c === "\\" && !inBracket) {
        const next = this.text[++this.#at];
        if (next === undefined) this.#fail(problem);
        text += next === mark ? next : c + next;
      } else if (c === mark && !inBracket) {
        this.#at++;
        return text;
      } else {
        if (pattern && c === "[" && !inBracket) inBracket = true;
        else if (c === "]" && !/\[\^?$/.test(text)) inBracket = false;
        text += c;
      }
    }
  }

  /** Undefined: the last one that was used. */
  #expression(source: string, ignoresCase: boolean): Matcher | undefined {
    if (source === "") return undefined;
    return regularExpression(source, this.extended ? "sed -E" : "sed", ignoresCase);
  }
}

/** What stands behind the second mark of `s`. */
function piecesOf(text: string): SedPiece[] {
  const pieces: SedPiece[] = [];
  for (const [token, escaped] of text.matchAll(/\\([\s\S])|&|[^\\&]+/g)) {
    if (token === "&") pieces.push({ kind: "group", group: 0 });
    else if (escaped === undefined) pieces.push({ kind: "text", text: token });
    else if (/\d/.test(escaped)) pieces.push({ kind: "group", group: Number(escaped) });
    else if (/[ULulE]/.test(escaped)) pieces.push({ kind: "case", letter: escaped });
    else pieces.push({ kind: "text", text: escaped === "n" ? "\n" : escaped === "t" ? "\t" : escaped });
  }
  return pieces;
}
