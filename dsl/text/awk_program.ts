/**
 * The language of `awk`, a subset: from text to a program.
 *
 * *Document*: POSIX XCU awk. *Not taken*: functions of one's own, getline, redirections, `delete` of whole arrays,
 * `do`, `printf` with parentheses around all its arguments is taken; what is not taken is a syntax error.
 *
 * @module
 */
import { ShellError } from "../syntax/shell_error.ts";

/** An expression. */
export type AwkExpression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "regex"; readonly source: string }
  | AwkPlace
  | { readonly kind: "unary"; readonly operator: "!" | "-" | "+"; readonly operand: AwkExpression }
  | { readonly kind: "step"; readonly place: AwkPlace; readonly by: 1 | -1; readonly prefix: boolean }
  | {
    readonly kind: "binary";
    readonly operator: string;
    readonly left: AwkExpression;
    readonly right: AwkExpression;
  }
  | {
    readonly kind: "choose";
    readonly test: AwkExpression;
    readonly yes: AwkExpression;
    readonly no: AwkExpression;
  }
  | {
    readonly kind: "set";
    readonly place: AwkPlace;
    readonly operator: string;
    readonly value: AwkExpression;
  }
  | { readonly kind: "in"; readonly key: AwkExpression; readonly array: string }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly AwkExpression[] };

/** What can be assigned to. */
export type AwkPlace =
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "element"; readonly name: string; readonly key: readonly AwkExpression[] }
  | { readonly kind: "field"; readonly index: AwkExpression };

/** A statement. */
export type AwkStatement =
  | { readonly kind: "print"; readonly args: readonly AwkExpression[]; readonly formatted: boolean }
  | { readonly kind: "expression"; readonly value: AwkExpression }
  | { readonly kind: "block"; readonly body: readonly AwkStatement[] }
  | {
    readonly kind: "if";
    readonly test: AwkExpression;
    readonly yes: AwkStatement;
    readonly no: AwkStatement | undefined;
  }
  | { readonly kind: "while"; readonly test: AwkExpression; readonly body: AwkStatement }
  | {
    readonly kind: "for";
    readonly start: AwkStatement | undefined;
    readonly test: AwkExpression | undefined;
    readonly step: AwkStatement | undefined;
    readonly body: AwkStatement;
  }
  | { readonly kind: "for-in"; readonly name: string; readonly array: string; readonly body: AwkStatement }
  | { readonly kind: "delete"; readonly place: AwkPlace }
  | { readonly kind: "next" | "break" | "continue" }
  | { readonly kind: "exit"; readonly status: AwkExpression | undefined };

/** One rule: when, and what. Without an action it prints the line. */
export interface AwkRule {
  readonly when: "BEGIN" | "END" | AwkExpression | undefined;
  readonly until: AwkExpression | undefined;
  readonly action: AwkStatement | undefined;
}

const token =
  /\s*(?:#[^\n]*)?(?:(\n)|(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|"((?:[^"\\\n]|\\[\s\S])*)"|([A-Za-z_]\w*)|(\+\+|--|\+=|-=|\*=|\/=|%=|\^=|==|<=|>=|!=|!~|&&|\|\||[-+*/%^!<>=~?:,;(){}[\]$]))/y;

const functions = [
  "length",
  "substr",
  "index",
  "split",
  "int",
  "tolower",
  "toupper",
  "sub",
  "gsub",
  "sprintf",
  "sqrt",
];
const levels: readonly (readonly string[])[] = [["||"], ["&&"], ["~", "!~"], [
  "<",
  "<=",
  "==",
  "!=",
  ">",
  ">=",
]];

/** Parses a program. @throws {ShellError} for what is not taken */
export function parseAwk(text: string): AwkRule[] {
  return new AwkParser(text).program();
}

interface Token {
  readonly kind: "newline" | "number" | "text" | "name" | "operator" | "end";
  readonly text: string;
  /** Where it starts in the source. */
  readonly start: number;
  /** A `(` follows at once. */
  readonly called: boolean;
}

class AwkParser {
  #at = 0;
  #token: Token;
  #noIn = 0;

  constructor(readonly text: string) {
    this.#token = this.#read();
  }

  program(): AwkRule[] {
    const rules: AwkRule[] = [];
    for (;;) {
      this.#skip("newline", ";");
      if (this.#token.kind === "end") return rules;
      let when: AwkRule["when"];
      let until: AwkExpression | undefined;
      if (this.#is("BEGIN") || this.#is("END")) {
        when = this.#take().text as "BEGIN" | "END";
      } else if (!this.#is("{")) {
        when = this.#expression();
        if (this.#accept(",")) until = this.#expression();
      }
      rules.push({ when, until, action: this.#is("{") ? this.#block() : undefined });
    }
  }

  #read(): Token {
    token.lastIndex = this.#at;
    const match = token.exec(this.text);
    if (match === null) {
      const rest = this.text.slice(this.#at).trim();
      if (rest !== "" && !rest.startsWith("#")) {
        throw new ShellError(`syntax error at source line 1 near ${rest}`, 2);
      }
      this.#at = this.text.length;
      return { kind: "end", text: "", start: this.text.length, called: false };
    }
    this.#at = token.lastIndex;
    const [whole, newline, number, string, name, operator = ""] = match;
    const start = match.index + whole.length - whole.trimStart().length;
    const called = this.text[this.#at] === "(";
    if (newline !== undefined) return { kind: "newline", text: "newline", start, called };
    if (number !== undefined) return { kind: "number", text: number, start, called };
    if (string !== undefined) return { kind: "text", text: string, start, called };
    return name === undefined
      ? { kind: "operator", text: operator, start, called }
      : { kind: "name", text: name, start, called };
  }

  #take(): Token {
    const taken = this.#token;
    this.#token = this.#read();
    return taken;
  }

  #is(text: string): boolean {
    return this.#token.text === text && (this.#token.kind === "operator" || this.#token.kind === "name");
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#take();
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) this.#fail(`expected ${text}`);
  }

  #fail(problem: string): never {
    throw new ShellError(`syntax error near ${this.#token.text || "the end"}: ${problem}`, 2);
  }

  #skip(...texts: string[]): void {
    while (
      this.#token.kind === "newline" ? texts.includes("newline") : texts.some((text) => this.#is(text))
    ) this.#take();
  }

  #block(): AwkStatement {
    this.#expect("{");
    const body: AwkStatement[] = [];
    for (;;) {
      this.#skip("newline", ";");
      if (this.#accept("}")) return { kind: "block", body };
      body.push(this.#statement());
    }
  }

  #statement(): AwkStatement {
    this.#skip("newline");
    if (this.#is("{")) return this.#block();
    if (this.#accept("if")) {
      const test = this.#parenthesised();
      const yes = this.#statement();
      const [at, token] = [this.#at, this.#token];
      this.#skip("newline", ";");
      if (this.#accept("else")) return { kind: "if", test, yes, no: this.#statement() };
      [this.#at, this.#token] = [at, token];
      return { kind: "if", test, yes, no: undefined };
    }
    if (this.#accept("while")) {
      return { kind: "while", test: this.#parenthesised(), body: this.#statement() };
    }
    if (this.#accept("for")) return this.#for();
    const simple = this.#simple();
    if (!this.#is("}") && this.#token.kind !== "end" && this.#token.kind !== "newline") this.#expect(";");
    return simple;
  }

  #for(): AwkStatement {
    this.#expect("(");
    const [at, first] = [this.#at, this.#token];
    if (first.kind === "name") {
      this.#take();
      if (this.#accept("in")) {
        const array = this.#take().text;
        if (this.#accept(")")) return { kind: "for-in", name: first.text, array, body: this.#statement() };
      }
      [this.#at, this.#token] = [at, first];
    }
    const start = this.#is(";") ? undefined : this.#simple();
    this.#expect(";");
    const test = this.#is(";") ? undefined : this.#expression();
    this.#expect(";");
    const step = this.#is(")") ? undefined : this.#simple();
    this.#expect(")");
    const body = this.#accept(";") ? { kind: "block" as const, body: [] } : this.#statement();
    return { kind: "for", start, test, step, body };
  }

  #parenthesised(): AwkExpression {
    this.#expect("(");
    const test = this.#expression();
    this.#expect(")");
    return test;
  }

  #simple(): AwkStatement {
    const word = this.#token.kind === "name" ? this.#token.text : "";
    switch (word) {
      case "print":
      case "printf": {
        this.#take();
        const args = this.#endOfStatement() ? [] : this.#printArguments();
        if (this.#is(">")) this.#fail("redirections are not taken");
        if (word === "printf" && args.length === 0) this.#fail("expected a format");
        return { kind: "print", args, formatted: word === "printf" };
      }
      case "next":
      case "break":
      case "continue":
        this.#take();
        return { kind: word };
      case "exit":
        this.#take();
        return { kind: "exit", status: this.#endOfStatement() ? undefined : this.#expression() };
      case "delete": {
        this.#take();
        const place = this.#primary();
        if (place.kind !== "element") this.#fail("expected an element of an array");
        return { kind: "delete", place };
      }
      case "getline":
      case "function":
      case "do":
        return this.#fail(`${word} is not taken`);
    }
    return { kind: "expression", value: this.#expression() };
  }

  #endOfStatement(): boolean {
    return this.#is(";") || this.#is("}") || this.#token.kind === "newline" || this.#token.kind === "end";
  }

  /** `print (a, b)` is `print a, b`; in `print` a bare `>` is no comparison. */
  #printArguments(): AwkExpression[] {
    const [at, first] = [this.#at, this.#token];
    if (this.#accept("(")) {
      const args = this.#list();
      if (this.#accept(")") && this.#endOfStatement()) return args;
      [this.#at, this.#token] = [at, first];
    }
    this.#noIn++;
    const args = this.#list();
    this.#noIn--;
    return args;
  }

  #list(): AwkExpression[] {
    const args = [this.#expression()];
    while (this.#accept(",")) {
      this.#skip("newline");
      args.push(this.#expression());
    }
    return args;
  }

  #expression(): AwkExpression {
    const left = this.#level(0);
    if (this.#accept("?")) {
      const yes = this.#expression();
      this.#expect(":");
      return { kind: "choose", test: left, yes, no: this.#expression() };
    }
    const assignment = /^(?:[-+*/%^]?=)$/.test(this.#token.text) && this.#token.kind === "operator";
    if (assignment && (left.kind === "variable" || left.kind === "element" || left.kind === "field")) {
      const operator = this.#take().text.slice(0, -1);
      return { kind: "set", place: left, operator, value: this.#expression() };
    }
    return left;
  }

  #level(rank: number): AwkExpression {
    const operators = levels[rank];
    if (operators === undefined) return this.#concatenation();
    let left = this.#level(rank + 1);
    for (;;) {
      if (rank === 2 && this.#accept("in")) {
        left = { kind: "in", key: left, array: this.#take().text };
        continue;
      }
      const isOperator = this.#token.kind === "operator" && operators.includes(this.#token.text);
      if (!isOperator || (this.#noIn > 0 && this.#is(">"))) return left;
      const operator = this.#take().text;
      this.#skip("newline");
      left = { kind: "binary", operator, left, right: this.#level(rank + 1) };
    }
  }

  #concatenation(): AwkExpression {
    let left = this.#sum();
    const starts = () =>
      this.#token.kind === "number" || this.#token.kind === "text" || this.#is("$") || this.#is("(") ||
      (this.#token.kind === "name" && !this.#is("in"));
    while (starts()) left = { kind: "binary", operator: " ", left, right: this.#sum() };
    return left;
  }

  #sum(): AwkExpression {
    let left = this.#product();
    while (this.#is("+") || this.#is("-")) {
      const operator = this.#take().text;
      left = { kind: "binary", operator, left, right: this.#product() };
    }
    return left;
  }

  #product(): AwkExpression {
    let left = this.#unary();
    while (this.#is("*") || this.#is("/") || this.#is("%")) {
      const operator = this.#take().text;
      left = { kind: "binary", operator, left, right: this.#unary() };
    }
    return left;
  }

  #unary(): AwkExpression {
    for (const operator of ["!", "-", "+"] as const) {
      if (this.#accept(operator)) return { kind: "unary", operator, operand: this.#unary() };
    }
    const base = this.#postfix();
    return this.#accept("^") ? { kind: "binary", operator: "^", left: base, right: this.#unary() } : base;
  }

  #postfix(): AwkExpression {
    for (const [text, by] of [["++", 1], ["--", -1]] as const) {
      if (this.#accept(text)) return { kind: "step", place: this.#place(this.#primary()), by, prefix: true };
    }
    const base = this.#primary();
    for (const [text, by] of [["++", 1], ["--", -1]] as const) {
      if (this.#is(text) && base.kind !== "number" && this.#accept(text)) {
        return { kind: "step", place: this.#place(base), by, prefix: false };
      }
    }
    return base;
  }

  #place(expression: AwkExpression): AwkPlace {
    const { kind } = expression;
    return kind === "variable" || kind === "element" || kind === "field"
      ? expression
      : this.#fail("expected a variable");
  }

  #primary(): AwkExpression {
    if (this.#is("/")) return this.#regex();
    const taken = this.#take();
    if (taken.kind === "number") return { kind: "number", value: Number(taken.text) };
    if (taken.kind === "text") return { kind: "text", value: taken.text };
    if (taken.text === "$" && taken.kind === "operator") {
      const by = this.#is("++") || this.#is("--") ? this.#postfix() : this.#primary();
      return { kind: "field", index: by };
    }
    if (taken.text === "(" && taken.kind === "operator") {
      const outer = this.#noIn;
      this.#noIn = 0;
      const inner = this.#expression();
      this.#noIn = outer;
      this.#expect(")");
      return inner;
    }
    if (taken.kind !== "name") {
      this.#token = taken;
      return this.#fail("expected an expression");
    }
    if (functions.includes(taken.text)) {
      if (!this.#accept("(")) return { kind: "call", name: taken.text, args: [] };
      const args = this.#is(")") ? [] : this.#list();
      this.#expect(")");
      return { kind: "call", name: taken.text, args };
    }
    if (taken.called) this.#fail(`${taken.text}() is not taken`);
    if (this.#accept("[")) {
      const key = this.#list();
      this.#expect("]");
      return { kind: "element", name: taken.text, key };
    }
    return { kind: "variable", name: taken.text };
  }

  /** A slash where an operand stands opens a regular expression; it is read from the source, not as tokens. */
  #regex(): AwkExpression {
    let at = this.#token.start + 1;
    let bracket = false;
    const from = at;
    for (; at < this.text.length && (bracket || this.text[at] !== "/"); at++) {
      if (this.text[at] === "\\") at++;
      else if (this.text[at] === "[") bracket = true;
      else if (this.text[at] === "]") bracket = false;
    }
    if (at >= this.text.length) this.#fail("unterminated regular expression");
    this.#at = at + 1;
    this.#token = this.#read();
    return { kind: "regex", source: this.text.slice(from, at).replaceAll("\\/", "/") };
  }
}
