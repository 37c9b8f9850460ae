/**
 * The expression of `find`: from words to a tree.
 *
 * *Document*: POSIX XCU `find`; the GNU findutils manual. Messages are those of findutils 4.9.
 *
 * @module
 */
import { decodeEscapes } from "../syntax/escapes.ts";

/** What an expression is wrong in. */
export class FindError extends Error {}

/** A test, an action, or what joins them. */
export interface FindExpression {
  readonly kind:
    | "or"
    | "and"
    | "not"
    | "true"
    | "name"
    | "iname"
    | "path"
    | "ipath"
    | "type"
    | "empty"
    | "print"
    | "print0"
    | "printf"
    | "delete"
    | "prune"
    | "quit"
    | "exec"
    | "exec+";
  /** Of what joins. */
  readonly left?: FindExpression;
  readonly right?: FindExpression;
  /** A pattern, the letters of kinds, a format. */
  readonly text?: string;
  /** Of `-exec`: the words. */
  readonly command?: readonly string[];
}

/** An expression, and what in it holds for the whole search. */
export interface FindRequest {
  readonly expression: FindExpression;
  readonly minDepth: number;
  readonly maxDepth: number;
  /** What is in a directory comes before the directory. */
  readonly deepFirst: boolean;
}

const TEXTS = ["name", "iname", "path", "ipath", "type", "printf"] as const;
const PLAIN = ["true", "empty", "print", "print0", "delete", "prune", "quit"] as const;
/** Without one of these each path that fits is written. */
const ACTIONS: readonly string[] = ["print", "print0", "printf", "delete", "exec", "exec+"];
/** What GNU's has and this one has not. */
const NOT_MODELLED = new Set([
  ...["amin", "anewer", "atime", "cmin", "cnewer", "context", "ctime", "daystart", "execdir", "executable"],
  ...["fls", "follow", "fprint", "fprint0", "fprintf", "fstype", "gid", "group", "ilname", "inum", "iregex"],
  ...["iwholename", "links", "lname", "ls", "mmin", "mount", "mtime", "newer", "nogroup", "noleaf", "nouser"],
  ...["ok", "okdir", "perm", "readable", "regex", "regextype", "samefile", "size", "uid", "used", "user"],
  ...["wholename", "writable", "xdev", "xtype"],
]);
/** What `-printf` takes behind `%`. */
const DIRECTIVES = "pfhPdsmMyl%";

const TRUE: FindExpression = { kind: "true" };

/** Reads an expression. @throws {FindError} */
export function parseFind(words: readonly string[]): FindRequest {
  const parser = new Parser(words);
  const expression = words.length === 0 ? TRUE : parser.whole();
  const print: FindExpression = { kind: "print" };
  return {
    expression: parser.acts ? expression : { kind: "and", left: expression, right: print },
    minDepth: parser.minDepth,
    maxDepth: parser.maxDepth,
    deepFirst: parser.deepFirst,
  };
}

class Parser {
  minDepth = 0;
  maxDepth = Infinity;
  deepFirst = false;
  acts = false;
  #at = 0;

  constructor(readonly words: readonly string[]) {}

  whole(): FindExpression {
    const expression = this.#or("");
    if (this.#at < this.words.length) throw new FindError("you have too many ')'");
    return expression;
  }

  #or(after: string): FindExpression {
    let left = this.#and(after);
    for (let word = this.words[this.#at]; word === "-o" || word === "-or"; word = this.words[this.#at]) {
      this.#at++;
      left = { kind: "or", left, right: this.#and(word) };
    }
    return left;
  }

  #and(after: string): FindExpression {
    let left = this.#term(after);
    for (;;) {
      const word = this.words[this.#at];
      if (word === undefined || word === ")" || word === "-o" || word === "-or") return left;
      const isWritten = word === "-a" || word === "-and";
      if (isWritten) this.#at++;
      left = { kind: "and", left, right: this.#term(isWritten ? word : "") };
    }
  }

  #term(after: string): FindExpression {
    const word = this.words[this.#at++];
    if (word === undefined) throw new FindError(`expected an expression after '${after}'`);
    if (word === "!" || word === "-not") return { kind: "not", left: this.#term(word) };
    if (word === "(") {
      if (this.words[this.#at] === ")") {
        throw new FindError("invalid expression; empty parentheses are not allowed.");
      }
      const inner = this.#or(word);
      if (this.words[this.#at++] === ")") return inner;
      throw new FindError(
        "invalid expression; I was expecting to find a ')' somewhere but did not see one.",
      );
    }
    if (word === ")") throw new FindError("you have too many ')'");
    if (/^-(o|or|a|and)$/.test(word)) {
      throw new FindError(
        `invalid expression; you have used a binary operator '${word}' with nothing before it.`,
      );
    }
    return this.#primary(word);
  }

  #primary(word: string): FindExpression {
    const name = word.startsWith("-") ? word.slice(1) : "";
    const plain = PLAIN.find((each) => each === name);
    const text = TEXTS.find((each) => each === name);
    if (plain !== undefined) {
      if (ACTIONS.includes(plain)) this.acts = true;
      if (plain === "delete") this.deepFirst = true;
      return { kind: plain };
    }
    if (name === "false") return { kind: "not", left: TRUE };
    if (name === "depth") {
      this.deepFirst = true;
      return TRUE;
    }
    if (name === "maxdepth" || name === "mindepth") {
      const levels = this.#argument(word);
      if (!/^\d+$/.test(levels)) {
        throw new FindError(`Expected a positive decimal integer argument to ${word}, but got ‘${levels}’`);
      }
      this[name === "maxdepth" ? "maxDepth" : "minDepth"] = Number(levels);
      return TRUE;
    }
    if (text === "type") return { kind: "type", text: this.#kinds(this.#argument(word)) };
    if (text === "printf") {
      this.acts = true;
      return { kind: "printf", text: this.#format(this.#argument(word)) };
    }
    if (text !== undefined) return { kind: text, text: this.#argument(word) };
    if (name === "exec") return this.#exec();
    if (NOT_MODELLED.has(name)) throw new FindError(`${word}: not modelled`);
    if (!word.startsWith("-")) {
      throw new FindError(`paths must precede expression: \`${word}'`);
    }
    throw new FindError(`unknown predicate \`${word}'`);
  }

  #argument(word: string): string {
    const argument = this.words[this.#at++];
    if (argument === undefined) throw new FindError(`missing argument to \`${word}'`);
    return argument;
  }

  #kinds(letters: string): string {
    for (const letter of letters.split(",")) {
      if (/^[ps]$/.test(letter)) throw new FindError(`-type ${letter}: not modelled`);
      if (!/^[fdlbc]$/.test(letter)) throw new FindError(`Unknown argument to -type: ${letter}`);
    }
    return letters;
  }

  #format(written: string): string {
    for (const [directive, letter] of written.matchAll(/%-?\d*([^\d-]|$)/g)) {
      if (letter === "" || !DIRECTIVES.includes(letter!)) {
        throw new FindError(`-printf ${directive}: not modelled`);
      }
    }
    return decodeEscapes(written).text;
  }

  /** Up to `;`, or to `+` behind `{}`. */
  #exec(): FindExpression {
    this.acts = true;
    const command: string[] = [];
    for (let word = this.words[this.#at++]; word !== undefined; word = this.words[this.#at++]) {
      if (word === ";" && command.length > 0) return { kind: "exec", command };
      if (word === "+" && command.at(-1) === "{}" && command.length > 1) return { kind: "exec+", command };
      command.push(word);
    }
    throw new FindError("missing argument to `-exec'");
  }
}
