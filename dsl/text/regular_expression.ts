/**
 * Basic and extended regular expressions, as the tools read them.
 *
 * *Document*: POSIX XBD 9; where it leaves something open, the C library's choice for the tool: what `*` at a start, a
 * `{` that opens no interval or a `)` without its `(` mean.
 *
 * @module
 */
import { Matcher } from "./patterns/matcher.ts";
import {
  anyCharacter,
  bracket,
  character,
  complement,
  type Pattern,
  type Place,
  spaceCharacters,
  wordCharacters,
} from "./patterns/syntax.ts";
import { ShellError } from "../syntax/shell_error.ts";

/** How a tool reads an expression. */
interface Dialect {
  /** `\( \) \{ \} \| \+ \?` are the operators. */
  readonly basic: boolean;
  /** `*` with nothing before it: an ordinary character, an error, or as if it were not there. */
  readonly repeatFirst: "ordinary" | "error" | "nothing";
  /** A `{` that opens no interval is an ordinary character. */
  readonly openBrace: "ordinary" | "error";
  /** A `)` without its `(`. */
  readonly closeParenthesis: "ordinary" | "error";
  /** `\n`, `\t` and their like stand for characters; in brackets a backslash names those, or any character. */
  readonly escapes: "none" | "named" | "all";
}

const extended: Dialect = {
  basic: false,
  repeatFirst: "error",
  openBrace: "error",
  closeParenthesis: "ordinary",
  escapes: "none",
};
const basic: Dialect = { ...extended, basic: true, repeatFirst: "ordinary", closeParenthesis: "error" };

/** How each tool reads its expressions. */
const dialects = {
  /** `grep`, `expr`. */
  "grep": basic,
  /** `grep -E`. */
  "grep -E": { ...extended, repeatFirst: "nothing", openBrace: "ordinary" },
  "sed": { ...basic, escapes: "named" },
  "sed -E": { ...extended, closeParenthesis: "error", escapes: "named" },
  "awk": { ...extended, openBrace: "ordinary", escapes: "all" },
  /** `[[ =~ ]]`. */
  "bash": extended,
} as const satisfies Record<string, Dialect>;

/** A tool that takes regular expressions. */
export type Tool = keyof typeof dialects;

const cache = new Map<string, Matcher>();

/** An expression as a tool reads it, ready to be asked. @throws {ShellError} with the C library's message */
export function regularExpression(text: string, tool: Tool, ignoresCase = false): Matcher {
  const key = `${tool}/${ignoresCase ? "i" : ""}/${text}`;
  let matcher = cache.get(key);
  if (matcher === undefined) {
    matcher = new Matcher(parseRegularExpression(text, tool).pattern, ignoresCase);
    if (cache.size >= 128) cache.clear();
    cache.set(key, matcher);
  }
  return matcher;
}

/**
 * An expression as a pattern whose first group has the number `first`, and the number of its last group.
 *
 * @throws {ShellError} with the C library's message
 */
export function parseRegularExpression(
  text: string,
  tool: Tool,
  first = 1,
): { readonly pattern: Pattern; readonly last: number } {
  const parser = new Parser(text, dialects[tool], first);
  return { pattern: parser.parse(), last: parser.lastGroup };
}

/** How many of one thing `{n}` may ask for, in the C library. */
const MAX_REPEAT = 0x7fff;
/** How deep groups may stand in each other. */
const MAX_DEPTH = 200;

const named: Readonly<Record<string, string>> = {
  a: "\x07",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const setEscapes: Readonly<Record<string, Pattern>> = {
  w: { kind: "set", members: wordCharacters },
  W: { kind: "set", members: complement(wordCharacters) },
  s: { kind: "set", members: spaceCharacters },
  S: { kind: "set", members: complement(spaceCharacters) },
};

const placeEscapes: Readonly<Record<string, Place>> = {
  "<": "word start",
  ">": "word end",
  b: "word border",
  B: "no word border",
  "`": "start",
  "'": "end",
};

const sequence = (parts: readonly Pattern[]): Pattern =>
  parts.length === 1 ? parts[0]! : { kind: "sequence", parts };

class Parser {
  #at = 0;
  #depth = 0;
  /** The groups that a back-reference may name. */
  #closed = new Set<number>();
  readonly #firstGroup: number;
  /** The number of the last group so far. */
  lastGroup: number;

  constructor(readonly text: string, readonly dialect: Dialect, group: number) {
    this.#firstGroup = group;
    this.lastGroup = group - 1;
  }

  parse(): Pattern {
    const pattern = this.#choice();
    if (this.#at < this.text.length) this.#fail("Unmatched ) or \\)");
    return pattern;
  }

  #fail(problem: string): never {
    throw new ShellError(problem, 2);
  }

  /** Whether an operator stands here, which a basic expression writes with a backslash. */
  #sees(operator: string): boolean {
    return this.text.startsWith(this.dialect.basic ? `\\${operator}` : operator, this.#at);
  }

  #skips(operator: string): boolean {
    if (!this.#sees(operator)) return false;
    this.#at += this.dialect.basic ? 2 : 1;
    return true;
  }

  #choice(): Pattern {
    const before = this.#closed;
    const options: Pattern[] = [];
    const closed: number[] = [];
    do {
      // A group of another branch can have matched nothing here: the C library refuses to refer to it.
      this.#closed = new Set(before);
      options.push(this.#branch());
      closed.push(...this.#closed);
    } while (this.#skips("|"));
    this.#closed = new Set(closed);
    return options.length === 1 ? options[0]! : { kind: "choice", options };
  }

  #branch(): Pattern {
    const parts: Pattern[] = [];
    for (;;) {
      if (this.#at >= this.text.length || this.#sees("|")) return sequence(parts);
      if (this.#sees(")") && (this.#depth > 0 || this.dialect.closeParenthesis === "error")) {
        return sequence(parts);
      }
      const last = parts[parts.length - 1];
      const isFirst = last === undefined || last.kind === "place"; // a place cannot be repeated
      if (isFirst && this.#seesRepeat()) {
        const { repeatFirst } = this.dialect;
        if (repeatFirst === "nothing") {
          this.#repeat(sequence([]));
          continue;
        }
        if (repeatFirst === "error" || this.#sees("{")) this.#fail("Invalid preceding regular expression");
        if (!this.#stars()) this.#at++; // the backslash
        parts.push(character(this.text[this.#at++]!));
        continue;
      }
      let part = this.#atom(isFirst);
      while (part.kind !== "place" && this.#seesRepeat()) part = this.#repeat(part);
      parts.push(part);
    }
  }

  #stars(): boolean {
    return this.text[this.#at] === "*";
  }

  #seesRepeat(): boolean {
    if (this.#stars() || this.#sees("+") || this.#sees("?")) return true;
    return this.#sees("{") && (this.dialect.openBrace === "error" || this.#interval() !== undefined);
  }

  /** The interval at this place: `{n}`, `{n,}`, `{,m}`, `{n,m}`. */
  #interval(): RegExpExecArray | undefined {
    const form = this.dialect.basic ? /\\\{(\d*)(,?)(\d*)\\\}/y : /\{(\d*)(,?)(\d*)\}/y;
    form.lastIndex = this.#at;
    const found = form.exec(this.text);
    return found === null || (found[1] === "" && found[2] === "") ? undefined : found;
  }

  #repeat(body: Pattern): Pattern {
    if (this.#stars()) {
      this.#at++;
      return { kind: "repeat", body, least: 0, most: Infinity };
    }
    if (this.#skips("+")) return { kind: "repeat", body, least: 1, most: Infinity };
    if (this.#skips("?")) return { kind: "repeat", body, least: 0, most: 1 };
    const found = this.#interval();
    if (found === undefined) {
      const close = this.dialect.basic ? "\\}" : "}";
      const isClosed = this.text.includes(close, this.#at);
      return this.#fail(isClosed ? "Invalid content of \\{\\}" : "Unmatched \\{");
    }
    const [whole, least = "", comma, most = ""] = found;
    const range = {
      least: Number(least),
      most: comma === "" ? Number(least) : most === "" ? Infinity : Number(most),
    };
    if (range.least > range.most) this.#fail("Invalid content of \\{\\}");
    if (range.least > MAX_REPEAT || (range.most !== Infinity && range.most > MAX_REPEAT)) {
      this.#fail("Regular expression too big");
    }
    this.#at += whole.length;
    return { kind: "repeat", body, ...range };
  }

  #atom(isFirst: boolean): Pattern {
    const { text, dialect } = this;
    const c = text[this.#at]!;
    if (this.#skips("(")) return this.#group();
    if (c === "[") {
      const style = { glob: false, escape: bracketEscapes[dialect.escapes] };
      const set = bracket(text, this.#at, style);
      if (set === undefined) return this.#fail("Unmatched [, [^, [:, [., or [=");
      if (/^\[:[a-z]+:\]$/.test(text.slice(this.#at, set.end + 1))) {
        this.#fail("character class syntax is [[:space:]], not [:space:]");
      }
      if (set.problem !== undefined) this.#fail(set.problem);
      this.#at = set.end + 1;
      return { kind: "set", members: set.members };
    }
    if (c === "\\") return this.#escape();
    if (c === "^" && (isFirst || !dialect.basic)) {
      this.#at++;
      return { kind: "place", place: "start" };
    }
    if (c === "$") {
      this.#at++;
      const isLast = this.#at === text.length || this.#sees(")") || this.#sees("|");
      return isLast || !dialect.basic ? { kind: "place", place: "end" } : character("$");
    }
    if (c === ".") {
      this.#at++;
      return { kind: "set", members: anyCharacter };
    }
    const one = String.fromCodePoint(text.codePointAt(this.#at)!);
    this.#at += one.length;
    return character(one);
  }

  #group(): Pattern {
    if (++this.#depth > MAX_DEPTH) this.#fail("Regular expression too big");
    const number = ++this.lastGroup;
    const body = this.#choice();
    if (!this.#skips(")")) this.#fail("Unmatched ( or \\(");
    this.#depth--;
    this.#closed.add(number);
    return { kind: "group", number, body };
  }

  #escape(): Pattern {
    const code = this.text.codePointAt(++this.#at);
    if (code === undefined) return this.#fail("Trailing backslash");
    const c = String.fromCodePoint(code);
    this.#at += c.length;
    if (/[1-9]/.test(c)) {
      const number = Number(c) + this.#firstGroup - 1;
      if (!this.#closed.has(number)) this.#fail("Invalid back reference");
      return { kind: "reference", number };
    }
    const place = placeEscapes[c];
    if (place !== undefined) return { kind: "place", place };
    const meant = this.dialect.escapes === "none" ? undefined : named[c];
    return setEscapes[c] ?? character(meant ?? c);
  }
}

const bracketEscapes = {
  none: undefined,
  named: (next: string) => named[next],
  all: (next: string) => named[next] ?? next,
} as const;
