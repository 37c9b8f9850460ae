/**
 * Expressions of C on 64-bit signed integers: precedence, numbers, evaluation.
 *
 * *Document*: POSIX XCU 2.6.4 and "Shell Arithmetic" of the bash manual; overflow wraps, division by zero is an
 * error. The comma operator is not in the language.
 *
 * @module
 */
import type { Expression, Lvalue, WordPart } from "./ast.ts";
import { MAX_EXPRESSION_DEPTH, MAX_OPERATORS } from "./limits.ts";

/** An expression that cannot be evaluated; the message is bash's. */
export class ArithmeticError extends Error {
  override readonly name = "ArithmeticError";
}

/** An operand that its operator cannot have; bash names the expression and the operand, which the evaluation does not know. */
export class OperandError extends ArithmeticError {
  /** `before` finds the operator and what is behind it, and in the end another such operator. */
  constructor(message: string, readonly before: RegExp) {
    super(message);
  }

  /** bash's message for an expression: the operand can be told where there is one such operator. */
  in(expression: string): string {
    const [, operand, more] = this.before.exec(expression) ?? [];
    const token = operand === undefined || more !== undefined
      ? ""
      : ` (error token is "${operand.trimStart()}")`;
    return `${expression.trimStart()}: ${this.message}${token}`;
  }
}

/** Binary operators from the loosest to the tightest. `**` groups to the right. */
const levels: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
  ["**"],
];
const precedence = new Map(levels.flatMap((level, rank) => level.map((operator) => [operator, rank])));

/** Makes a tree of `first op operand op operand …` by precedence. */
export function combineBinary(
  first: Expression,
  rest: readonly { readonly operator: string; readonly operand: Expression }[],
): Expression {
  if (rest.length > MAX_OPERATORS) {
    throw new ArithmeticError(
      `an expression of ${rest.length} operators: at most ${MAX_OPERATORS} are taken`,
    );
  }
  let at = 0;
  const climb = (left: Expression, floor: number): Expression => {
    for (let next = rest[at]; next !== undefined; next = rest[at]) {
      const rank = precedence.get(next.operator) ?? -1;
      if (rank < floor) break;
      at++;
      let right = next.operand;
      for (let after = rest[at]; after !== undefined; after = rest[at]) {
        const afterRank = precedence.get(after.operator) ?? -1;
        const tighter = afterRank > rank || (afterRank === rank && after.operator === "**");
        if (!tighter) break;
        right = climb(right, afterRank);
      }
      left = { kind: "binary", operator: next.operator, left, right };
    }
    return left;
  };
  return climb(first, 0);
}

/** The digits of bash's bases up to 64; up to 36 capitals are small letters. */
const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_";

/** A number as C and bash write it: decimal, `0x`, octal `0`, `base#digits`. A string is bash's complaint. */
export function parseNumber(text: string): bigint | string {
  const tooGreat = `${text}: value too great for base (error token is "${text}")`;
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return BigInt.asIntN(64, BigInt(text));
  const based = /^(\d+)#([0-9a-zA-Z@_]+)$/.exec(text);
  if (based) {
    const base = Number(based[1]);
    if (base < 2 || base > 64) return `${text}: invalid arithmetic base (error token is "${text}")`;
    let value = 0n;
    for (const digit of based[2] ?? "") {
      const n = DIGITS.indexOf(base > 36 ? digit : digit.toLowerCase());
      if (n === -1 || n >= base) return tooGreat;
      value = value * BigInt(base) + BigInt(n);
    }
    return BigInt.asIntN(64, value);
  }
  if (/^0[0-7]*$/.test(text)) return BigInt.asIntN(64, BigInt(text === "0" ? 0 : `0o${text.slice(1)}`));
  if (/^[1-9]\d*$/.test(text)) return BigInt.asIntN(64, BigInt(text));
  return tooGreat;
}

/** Which element is meant: by number, in an associative array by its key; undefined if none is named. */
export type Index = bigint | string | undefined;

/** Where an expression finds its variables. */
export interface Scope {
  /** The text of a variable, or of its element; undefined if unset. */
  get(name: string, index: Index): string | undefined;
  set(name: string, index: Index, value: string): void;
  /** Whether the elements of an array have texts for keys. */
  isAssociative?(name: string): boolean;
  /** Texts of variables that are being evaluated as expressions. */
  depth: number;
  /** The tree of a text, for a variable whose value is an expression itself. */
  parse(text: string): Expression;
}

/** Expands `$…` inside an expression to text. Only this part of an evaluation may take simulated time. */
export type Expander<R> = (part: WordPart) => Generator<R, string, unknown>;

/** Evaluates an expression. @throws {ArithmeticError} */
export function* evaluate<R>(
  expression: Expression,
  scope: Scope,
  expand: Expander<R>,
): Generator<R, bigint, unknown> {
  switch (expression.kind) {
    case "number":
      return expression.value;
    case "variable": {
      const index = yield* indexOf(expression, scope, expand);
      return yield* textValue(scope.get(expression.name, index) ?? "", scope, expand, 0);
    }
    case "expansion":
      return yield* textValue(yield* expand(expression.part), scope, expand, 0);
    case "unary": {
      const operand = yield* evaluate(expression.operand, scope, expand);
      if (expression.operator === "!") return operand === 0n ? 1n : 0n;
      if (expression.operator === "~") return ~operand;
      return expression.operator === "-" ? BigInt.asIntN(64, -operand) : operand;
    }
    case "step": {
      const index = yield* indexOf(expression.target, scope, expand);
      const { name } = expression.target;
      const before = yield* textValue(scope.get(name, index) ?? "", scope, expand, 0);
      const after = BigInt.asIntN(64, before + expression.by);
      scope.set(name, index, String(after));
      return expression.prefix ? after : before;
    }
    case "binary":
      return yield* evaluateBinary(expression, scope, expand);
    case "choose": {
      const chosen = (yield* evaluate(expression.condition, scope, expand)) !== 0n;
      return yield* evaluate(chosen ? expression.yes : expression.no, scope, expand);
    }
    case "set": {
      const index = yield* indexOf(expression.target, scope, expand);
      const { name } = expression.target;
      const { operator } = expression;
      // As in bash, the old value is read before the other side changes it: q += q--.
      const before = operator === "" ? 0n : yield* textValue(scope.get(name, index) ?? "", scope, expand, 0);
      const right = yield* evaluate(expression.value, scope, expand);
      const value = operator === "" ? right : operate(operator, before, right);
      scope.set(name, index, String(value));
      return value;
    }
    default:
      return unreachable(expression);
  }
}

function unreachable(value: never): never {
  throw new Error(`Unknown expression ${JSON.stringify(value)}`);
}

function* indexOf<R>(
  target: Lvalue,
  scope: Scope,
  expand: Expander<R>,
): Generator<R, Index, unknown> {
  if (target.index === undefined) return undefined;
  const { subscript } = target;
  if (subscript === undefined || !scope.isAssociative?.(target.name)) {
    return yield* evaluate(target.index, scope, expand);
  }
  let key = "", end = 0;
  for (const hole of subscript.holes) {
    key += subscript.text.slice(end, hole.start) + (yield* expand(hole.part));
    end = hole.end;
  }
  return key + subscript.text.slice(end);
}

/** The expansions in an expression, in the order in which they stand in the source. */
export function expansionsIn(expression: Expression): (Expression & { readonly kind: "expansion" })[] {
  const found: (Expression & { kind: "expansion" })[] = [];
  const visit = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    const { subscript: _, ...each } = value as Lvalue; // its expansions are those of its index
    if ((value as Expression).kind === "expansion") found.push(value as Expression & { kind: "expansion" });
    else Object.values(each).forEach(visit);
  };
  visit(expression);
  return found.sort((a, b) => a.start - b.start);
}

function* evaluateBinary<R>(
  expression: Expression & { kind: "binary" },
  scope: Scope,
  expand: Expander<R>,
): Generator<R, bigint, unknown> {
  const left = yield* evaluate(expression.left, scope, expand);
  if (expression.operator === "&&" && left === 0n) return 0n;
  if (expression.operator === "||" && left !== 0n) return 1n;
  const right = yield* evaluate(expression.right, scope, expand);
  return operate(expression.operator, left, right);
}

/** The value of a text: empty is 0, a number is itself, anything else is an expression (bash: recursively). */
function* textValue<R>(
  text: string,
  scope: Scope,
  expand: Expander<R>,
  depth: number,
): Generator<R, bigint, unknown> {
  const trimmed = text.trim();
  if (trimmed === "") return 0n;
  if (/^-?[1-9]\d{0,17}$|^0$/.test(trimmed)) return BigInt(trimmed);
  if (/^[A-Za-z_]\w*$/.test(trimmed)) {
    if (depth > MAX_EXPRESSION_DEPTH) throw recursion(trimmed);
    return yield* textValue(scope.get(trimmed, undefined) ?? "", scope, expand, depth + 1);
  }
  if (scope.depth > MAX_EXPRESSION_DEPTH) throw recursion(trimmed);
  scope.depth++;
  try {
    return yield* evaluate(scope.parse(trimmed), scope, expand);
  } finally {
    scope.depth--;
  }
}

function recursion(text: string): ArithmeticError {
  return new ArithmeticError(`${text}: expression recursion level exceeded (error token is "${text}")`);
}

/** One binary operation, wrapped to 64 bits. */
function operate(operator: string, left: bigint, right: bigint): bigint {
  const truth = (value: boolean) => value ? 1n : 0n;
  switch (operator) {
    case "||":
      return truth(left !== 0n || right !== 0n);
    case "&&":
      return truth(left !== 0n && right !== 0n);
    case "|":
      return left | right;
    case "^":
      return left ^ right;
    case "&":
      return left & right;
    case "==":
      return truth(left === right);
    case "!=":
      return truth(left !== right);
    case "<":
      return truth(left < right);
    case "<=":
      return truth(left <= right);
    case ">":
      return truth(left > right);
    case ">=":
      return truth(left >= right);
    case "<<": // x86 uses the low six bits of the count
      return BigInt.asIntN(64, left << (right & 63n));
    case ">>":
      return left >> (right & 63n);
    case "+":
      return BigInt.asIntN(64, left + right);
    case "-":
      return BigInt.asIntN(64, left - right);
    case "*":
      return BigInt.asIntN(64, left * right);
    case "/":
    case "%":
      if (right === 0n) throw new OperandError("division by 0", /[/%]([^/%]*)([/%])?/);
      return BigInt.asIntN(64, operator === "/" ? left / right : left % right);
    case "**":
      if (right < 0n) throw new OperandError("exponent less than 0", /\*\*[-\s]*([^*]*)(\*\*)?/);
      return power(left, right);
    default:
      throw new Error(`Unknown operator ${operator}`);
  }
}

/** left ** right modulo 2^64, by squaring: the exponent may be large. */
function power(left: bigint, right: bigint): bigint {
  let result = 1n;
  for (let base = left; right > 0n; right >>= 1n, base = BigInt.asIntN(64, base * base)) {
    if (right & 1n) result = BigInt.asIntN(64, result * base);
  }
  return result;
}
