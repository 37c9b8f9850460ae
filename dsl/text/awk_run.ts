/**
 * Runs a program of `awk_program.ts` over lines.
 *
 * @module
 */
import type { AwkExpression, AwkPlace, AwkRule, AwkStatement } from "./awk_program.ts";
import { formatText, general } from "./format.ts";
import { decodeEscapes } from "../syntax/escapes.ts";
import { MAX_AWK_PASSES } from "../syntax/limits.ts";
import { type Matcher, replaceSpans } from "./patterns/matcher.ts";
import { regularExpression } from "./regular_expression.ts";
import { ShellError } from "../syntax/shell_error.ts";

/** A value: a number, a text, or a text that came from the input and counts as a number if it looks like one. */
type Value = number | string | { readonly input: string };

class Jump {
  constructor(readonly kind: "next" | "break" | "continue" | "exit", readonly status = 0) {}
}

/** One run of a program. */
export class AwkRun {
  /** How often its loops have turned. */
  #passes = 0;
  readonly #variables = new Map<string, Value>([["FS", " "], ["OFS", " "], ["ORS", "\n"], ["NR", 0], [
    "NF",
    0,
  ], ["SUBSEP", "\x1c"]]);
  readonly #arrays = new Map<string, Map<string, Value>>();
  readonly #open = new Set<AwkRule>();
  #fields: string[] = [];
  #line = "";

  constructor(readonly rules: readonly AwkRule[], readonly out: (text: string) => void) {}

  /** Sets a variable from the command line: `-v NAME=VALUE`. */
  assign(name: string, value: string): void {
    this.#variables.set(name, { input: decodeEscapes(value).text });
  }

  /** Runs BEGIN, the rules for each line of each file, and END; answers the status. */
  run(files: readonly { readonly path: string; readonly lines: readonly string[] }[]): number {
    let status = 0;
    try {
      this.#rulesFor("BEGIN");
      if (this.rules.some(({ when }) => when !== "BEGIN")) {
        for (const { path, lines } of files) {
          this.#variables.set("FILENAME", path).set("FNR", 0);
          for (const line of lines) {
            for (const name of ["NR", "FNR"]) {
              this.#variables.set(name, numberOf(this.#variables.get(name) ?? 0) + 1);
            }
            this.#setLine(line);
            this.#rulesFor(undefined);
          }
        }
      }
    } catch (jump) {
      if (!(jump instanceof Jump && jump.kind === "exit")) throw jump;
      status = jump.status;
    }
    try {
      this.#rulesFor("END");
    } catch (jump) {
      if (!(jump instanceof Jump && jump.kind === "exit")) throw jump;
      status = jump.status;
    }
    return status;
  }

  #rulesFor(when: "BEGIN" | "END" | undefined): void {
    for (const rule of this.rules) {
      const special = rule.when === "BEGIN" || rule.when === "END" ? rule.when : undefined;
      if (special !== when || (when === undefined && !this.#applies(rule))) continue;
      try {
        if (rule.action === undefined) this.out(this.#line + textOf(this.#variables.get("ORS") ?? "\n"));
        else this.#statement(rule.action);
      } catch (jump) {
        if (jump instanceof Jump && jump.kind === "next") return;
        throw jump;
      }
    }
  }

  #applies(rule: AwkRule): boolean {
    if (rule.when === undefined || typeof rule.when === "string") return true;
    if (rule.until === undefined) return this.#truth(rule.when);
    if (!this.#open.has(rule) && !this.#truth(rule.when)) return false;
    if (this.#truth(rule.until)) this.#open.delete(rule);
    else this.#open.add(rule);
    return true;
  }

  #setLine(line: string): void {
    this.#line = line;
    this.#fields = this.#split(line, this.#separator());
    this.#variables.set("NF", this.#fields.length);
  }

  #separator(): string {
    return textOf(this.#variables.get("FS") ?? " ");
  }

  #split(text: string, separator: string, isExpression = false): string[] {
    if (text === "") return [];
    if (!isExpression) {
      if (separator === " ") return text.trim() === "" ? [] : text.trim().split(/[ \t\n]+/);
      if (separator.length === 1) return text.split(separator);
    }
    const parts: string[] = [];
    let end = 0;
    for (const span of regularExpression(separator, "awk").all(text)) {
      if (span.start === span.end) continue;
      parts.push(text.slice(end, span.start));
      end = span.end;
    }
    return [...parts, text.slice(end)];
  }

  #statement(statement: AwkStatement): void {
    switch (statement.kind) {
      case "block":
        for (const one of statement.body) this.#statement(one);
        return;
      case "print": {
        const values = statement.args.map((argument) => this.#value(argument));
        if (statement.formatted) {
          const [format = "", ...rest] = values.map((value) => textOf(value));
          this.out(formatText(format, rest));
          return;
        }
        const texts = values.map((value) => typeof value === "number" ? numberText(value) : textOf(value));
        const [separator, end] = [this.#variables.get("OFS") ?? " ", this.#variables.get("ORS") ?? "\n"];
        this.out((texts.length > 0 ? texts.join(textOf(separator)) : this.#line) + textOf(end));
        return;
      }
      case "expression":
        this.#value(statement.value);
        return;
      case "if":
        if (this.#truth(statement.test)) this.#statement(statement.yes);
        else if (statement.no !== undefined) this.#statement(statement.no);
        return;
      case "while":
        while (this.#truth(statement.test) && !this.#pass(statement.body));
        return;
      case "for":
        if (statement.start !== undefined) this.#statement(statement.start);
        while (statement.test === undefined || this.#truth(statement.test)) {
          if (this.#pass(statement.body)) return;
          if (statement.step !== undefined) this.#statement(statement.step);
        }
        return;
      case "for-in":
        for (const key of [...this.#array(statement.array).keys()]) {
          this.#variables.set(statement.name, { input: key });
          if (this.#pass(statement.body)) return;
        }
        return;
      case "delete":
        if (statement.place.kind === "element") {
          this.#array(statement.place.name).delete(this.#key(statement.place.key));
        }
        return;
      case "exit":
        throw new Jump(
          "exit",
          statement.status === undefined ? 0 : numberOf(this.#value(statement.status)) & 255,
        );
      default:
        throw new Jump(statement.kind);
    }
  }

  /** One pass of a loop; true if it is over. */
  #pass(body: AwkStatement): boolean {
    if (++this.#passes > MAX_AWK_PASSES) {
      throw new ShellError(`its loops turn more than ${MAX_AWK_PASSES} times`, 2);
    }
    try {
      this.#statement(body);
    } catch (jump) {
      if (!(jump instanceof Jump) || (jump.kind !== "break" && jump.kind !== "continue")) throw jump;
      return jump.kind === "break";
    }
    return false;
  }

  #array(name: string): Map<string, Value> {
    let array = this.#arrays.get(name);
    if (array === undefined) this.#arrays.set(name, array = new Map());
    return array;
  }

  #key(key: readonly AwkExpression[]): string {
    return key.map((one) => textOf(this.#value(one))).join(textOf(this.#variables.get("SUBSEP") ?? ""));
  }

  #truth(expression: AwkExpression): boolean {
    const value = this.#value(expression);
    if (typeof value === "number") return value !== 0;
    if (typeof value === "string") return value !== "";
    return looksNumeric(value.input) ? Number(value.input) !== 0 : value.input !== "";
  }

  #get(place: AwkPlace): Value {
    switch (place.kind) {
      case "variable":
        return this.#variables.get(place.name) ?? { input: "" };
      case "element": {
        const [array, key] = [this.#array(place.name), this.#key(place.key)];
        if (!array.has(key)) array.set(key, { input: "" });
        return array.get(key) ?? "";
      }
      case "field": {
        const index = numberOf(this.#value(place.index));
        return { input: index === 0 ? this.#line : this.#fields[index - 1] ?? "" };
      }
    }
  }

  #set(place: AwkPlace, value: Value): Value {
    switch (place.kind) {
      case "variable":
        this.#variables.set(place.name, value);
        break;
      case "element":
        this.#array(place.name).set(this.#key(place.key), value);
        break;
      case "field": {
        const index = numberOf(this.#value(place.index));
        if (index === 0) this.#setLine(textOf(value));
        else {
          while (this.#fields.length < index) this.#fields.push("");
          this.#fields[index - 1] = textOf(value);
          this.#variables.set("NF", this.#fields.length);
          this.#line = this.#fields.join(textOf(this.#variables.get("OFS") ?? " "));
        }
      }
    }
    return value;
  }

  #value(expression: AwkExpression): Value {
    switch (expression.kind) {
      case "number":
        return expression.value;
      case "text":
        return decodeEscapes(expression.value).text;
      case "regex":
        return regularExpression(expression.source, "awk").test(this.#line) ? 1 : 0;
      case "variable":
      case "element":
      case "field":
        return this.#get(expression);
      case "unary": {
        if (expression.operator === "!") return this.#truth(expression.operand) ? 0 : 1;
        const operand = numberOf(this.#value(expression.operand));
        return expression.operator === "-" ? -operand : operand;
      }
      case "step": {
        const before = numberOf(this.#get(expression.place));
        this.#set(expression.place, before + expression.by);
        return expression.prefix ? before + expression.by : before;
      }
      case "choose":
        return this.#value(this.#truth(expression.test) ? expression.yes : expression.no);
      case "set": {
        const value = this.#value(expression.value);
        if (expression.operator === "") return this.#set(expression.place, value);
        const before = numberOf(this.#get(expression.place));
        return this.#set(expression.place, calculate(expression.operator, before, numberOf(value)));
      }
      case "in":
        return this.#array(expression.array).has(textOf(this.#value(expression.key))) ? 1 : 0;
      case "call":
        return this.#call(expression.name, expression.args);
      case "binary":
        return this.#binary(expression);
    }
  }

  #binary(expression: AwkExpression & { kind: "binary" }): Value {
    const { operator } = expression;
    if (operator === "&&") return this.#truth(expression.left) && this.#truth(expression.right) ? 1 : 0;
    if (operator === "||") return this.#truth(expression.left) || this.#truth(expression.right) ? 1 : 0;
    if (operator === "~" || operator === "!~") {
      const found = this.#pattern(expression.right).test(textOf(this.#value(expression.left)));
      return found === (operator === "~") ? 1 : 0;
    }
    const [left, right] = [this.#value(expression.left), this.#value(expression.right)];
    if (operator === " ") return textOf(left) + textOf(right);
    if (!["<", "<=", "==", "!=", ">", ">="].includes(operator)) {
      return calculate(operator, numberOf(left), numberOf(right));
    }
    const numeric = isNumeric(left) && isNumeric(right);
    const [a, b] = numeric ? [numberOf(left), numberOf(right)] : [textOf(left), textOf(right)];
    const order = a < b ? -1 : a > b ? 1 : 0;
    const holds = {
      "<": order < 0,
      "<=": order <= 0,
      "==": order === 0,
      "!=": order !== 0,
      ">": order > 0,
      ">=": order >= 0,
    };
    return holds[operator as keyof typeof holds] ? 1 : 0;
  }

  #pattern(expression: AwkExpression | undefined): Matcher {
    if (expression === undefined) throw new ShellError("a pattern is missing", 2);
    const source = expression.kind === "regex" ? expression.source : textOf(this.#value(expression));
    return regularExpression(source, "awk");
  }

  #call(name: string, args: readonly AwkExpression[]): Value {
    const [first, second, third] = args;
    const text = (argument: AwkExpression | undefined) =>
      argument === undefined ? this.#line : textOf(this.#value(argument));
    const number = (argument: AwkExpression | undefined) =>
      argument === undefined ? 0 : numberOf(this.#value(argument));
    switch (name) {
      case "length":
        if (first?.kind === "variable" && this.#arrays.has(first.name)) return this.#array(first.name).size;
        return text(first).length;
      case "substr": {
        const start = Math.round(number(second));
        const end = third === undefined ? Infinity : start + Math.round(number(third));
        return text(first).slice(Math.max(0, start - 1), Math.max(0, end - 1));
      }
      case "index":
        return text(first).indexOf(text(second)) + 1;
      case "int":
        return Math.trunc(number(first));
      case "sqrt":
        return Math.sqrt(number(first));
      case "tolower":
        return text(first).toLowerCase();
      case "toupper":
        return text(first).toUpperCase();
      case "sprintf": {
        const [format = "", ...rest] = args.map((argument) => textOf(this.#value(argument)));
        return formatText(format, rest);
      }
      case "split": {
        if (second?.kind !== "variable") {
          throw new ShellError("split: the second argument must be an array", 2);
        }
        const parts = third?.kind === "regex"
          ? this.#split(text(first), third.source, true)
          : this.#split(text(first), third === undefined ? this.#separator() : text(third));
        this.#arrays.set(second.name, new Map(parts.map((part, i) => [String(i + 1), { input: part }])));
        return parts.length;
      }
      default: { // sub and gsub
        const place: AwkExpression = third ?? { kind: "field", index: { kind: "number", value: 0 } };
        if (place.kind !== "variable" && place.kind !== "element" && place.kind !== "field") {
          throw new ShellError(`${name}: the third argument must be a variable`, 2);
        }
        const [pattern, replacement, subject] = [
          this.#pattern(first),
          text(second),
          textOf(this.#get(place)),
        ];
        const found = pattern.all(subject, name === "gsub" ? Infinity : 1);
        if (found.length > 0) {
          this.#set(
            place,
            replaceSpans(subject, found, (matched) => {
              return replacement.replace(/\\&|&/g, (mark) => mark === "&" ? matched : "&");
            }),
          );
        }
        return found.length;
      }
    }
  }
}

function calculate(operator: string, left: number, right: number): number {
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "^":
      return left ** right;
    default:
      if (right === 0) throw new ShellError(`division by zero in ${operator}`, 2);
      return operator === "/" ? left / right : left % right;
  }
}

const looksNumeric = (text: string) => /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/.test(text);
const isNumeric = (value: Value) =>
  typeof value === "number" ||
  (typeof value === "object" && (looksNumeric(value.input) || value.input === ""));

function numberOf(value: Value): number {
  if (typeof value === "number") return value;
  const text = typeof value === "string" ? value : value.input;
  return Number(/^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/.exec(text)?.[0] ?? 0);
}

function textOf(value: Value): string {
  if (typeof value === "number") return numberText(value);
  return typeof value === "string" ? value : value.input;
}

/** CONVFMT and OFMT are `%.6g`; whole numbers are written whole. */
function numberText(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return general(value, 6);
}
