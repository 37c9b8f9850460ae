import { regularExpression } from "../text/regular_expression.ts";
import type { Command } from "./command.ts";

/** `expr`. */
const doc = `expr - the value of an expression
Usage: expr EXPRESSION
  A '|' B, A '&' B, A < <= = == != >= > B, A + - B, A '*' / % B, TEXT : PATTERN, '(' EXPRESSION ')',
  length TEXT, substr TEXT POSITION LENGTH, index TEXT CHARACTERS
Effects: writes the value
Exit status: 0, or 1 if the value is empty or 0, or 2 on an error
Errors: syntax error; non-integer argument; division by zero
Differs from the real one: no match, no + TEXT
Examples: expr 1 + 2 '*' 3
  expr 0000:05:00.0 : '.*:'`;

class ExprError extends Error {}

export const expr: Command = {
  name: "expr",
  kind: "filter",
  doc,
  run(context) {
    if (context.args.length === 0) return context.complain("missing operand", 2);
    try {
      const parser = new ExprParser(context.args);
      const value = parser.parse();
      context.out(value + "\n");
      return value === "" || /^-?0+$/.test(value) ? 1 : 0;
    } catch (error) {
      if (error instanceof ExprError) return context.complain(error.message, 2);
      throw error;
    }
  },
};

const levels: readonly (readonly string[])[] = [
  ["|"],
  ["&"],
  ["<", "<=", "=", "==", "!=", ">=", ">"],
  ["+", "-"],
  ["*", "/", "%"],
  [":"],
];

class ExprParser {
  #at = 0;

  constructor(readonly args: readonly string[]) {}

  parse(): string {
    const value = this.#level(0);
    const rest = this.args[this.#at];
    if (rest !== undefined) throw new ExprError(`syntax error: unexpected argument '${rest}'`);
    return value;
  }

  #level(rank: number): string {
    const operators = levels[rank];
    if (operators === undefined) return this.#primary();
    let left = this.#level(rank + 1);
    for (;;) {
      const operator = this.args[this.#at];
      if (operator === undefined || !operators.includes(operator)) return left;
      this.#at++;
      left = this.#operate(operator, left, this.#level(rank + 1));
    }
  }

  #primary(): string {
    const token = this.#take();
    switch (token) {
      case "(": {
        const value = this.#level(0);
        if (this.#take() !== ")") throw new ExprError("syntax error: expecting ')'");
        return value;
      }
      case "length":
        return String(this.#take().length);
      case "substr": {
        const [text, position, length] = [this.#take(), Number(this.#take()), Number(this.#take())];
        return position > 0 && length > 0 ? text.slice(position - 1, position - 1 + length) : "";
      }
      case "index": {
        const [text, set] = [this.#take(), this.#take()];
        return String([...text].findIndex((c) => set.includes(c)) + 1);
      }
    }
    return token;
  }

  #take(): string {
    const token = this.args[this.#at++];
    if (token === undefined) {
      throw new ExprError(`syntax error: missing argument after '${this.args[this.args.length - 1]}'`);
    }
    return token;
  }

  #operate(operator: string, left: string, right: string): string {
    const isTrue = (text: string) => text !== "" && !/^-?0+$/.test(text);
    if (operator === "|") return isTrue(left) ? left : isTrue(right) ? right : "0";
    if (operator === "&") return isTrue(left) && isTrue(right) ? left : "0";
    if (operator === ":") {
      const matcher = regularExpression(right, "grep");
      const end = matcher.prefix(left, true);
      if (matcher.groupCount > 0) {
        return end === undefined ? "" : matcher.groups(left, { start: 0, end })[1] ?? "";
      }
      return String(Array.from(left.slice(0, end ?? 0)).length);
    }
    if (levels[2]?.includes(operator)) {
      const numbers = [left, right].every((text) => /^-?\d+$/.test(text));
      const [a, b] = numbers ? [BigInt(left), BigInt(right)] : [left, right];
      const answer = operator === "<"
        ? a < b
        : operator === "<="
        ? a <= b
        : operator === ">"
        ? a > b
        : operator === ">="
        ? a >= b
        : (a === b) === (operator !== "!=");
      return answer ? "1" : "0";
    }
    if (![left, right].every((text) => /^-?\d+$/.test(text))) throw new ExprError("non-integer argument");
    const [a, b] = [BigInt(left), BigInt(right)];
    if (b === 0n && (operator === "/" || operator === "%")) throw new ExprError("division by zero");
    const value = operator === "+"
      ? a + b
      : operator === "-"
      ? a - b
      : operator === "*"
      ? a * b
      : operator === "/"
      ? a / b
      : a % b;
    return String(value);
  }
}
