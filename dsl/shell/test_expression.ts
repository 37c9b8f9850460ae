/**
 * What stands between `[[` and `]]`: no field splitting, no globs; `==` matches a pattern, `=~` a regular expression.
 *
 * *Document*: "Conditional Constructs" of the bash manual.
 *
 * @module
 */
import type { TestExpression } from "../syntax/ast.ts";
import { compareIntegers, unaryTest } from "../commands/test.ts";
import { evaluateText, expandPattern, expandRegExp, expandText } from "./expand.ts";
import { matchGlob } from "./glob.ts";
import type { Request } from "./jobs.ts";
import type { Matcher } from "../text/patterns/matcher.ts";
import { regularExpression } from "../text/regular_expression.ts";
import { ShellError } from "../syntax/shell_error.ts";
import type { Shell } from "./state.ts";
import { trace } from "./xtrace.ts";

/** Evaluates a condition. @throws {ShellError} {TestError} */
export function* runTest(
  shell: Shell,
  test: TestExpression,
  /** `! ` for each negation around it, for `set -x`. */
  sign = "",
): Generator<Request, boolean, unknown> {
  const told = (...words: string[]) => {
    return trace(shell, `[[ ${sign}${words.map((word) => word === "" ? "''" : word).join(" ")} ]]`);
  };
  switch (test.kind) {
    case "or":
      return (yield* runTest(shell, test.left, sign)) || (yield* runTest(shell, test.right, sign));
    case "and":
      return (yield* runTest(shell, test.left, sign)) && (yield* runTest(shell, test.right, sign));
    case "not":
      return !(yield* runTest(shell, test.operand, sign + "! "));
    case "word": {
      const text = yield* expandText(shell, test.word);
      yield* told("-n", text);
      return text !== "";
    }
    case "unary": {
      const operand = yield* expandText(shell, test.word);
      yield* told(test.operator, operand);
      const answer = unaryTest(shell, test.operator, operand);
      if (answer === undefined) throw new ShellError(`${test.operator}: unary operator expected`, 2);
      return answer;
    }
    case "binary":
      return yield* runBinaryTest(shell, test, told);
    default:
      throw new Error(`Unknown test ${JSON.stringify(test)}`);
  }
}

/** A condition that cannot be tested: its command fails, and the shell goes on. */
export class TestError extends Error {
  /** The name that a stack trace prints. */
  override readonly name = "TestError";

  /** `message` is bash's, without the prefix; empty where bash says nothing. */
  constructor(message: string, readonly status: number) {
    super(message);
  }
}

function matcherOf(source: string): Matcher {
  try {
    return regularExpression(source, "bash");
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    throw new TestError("", 2);
  }
}

function* runBinaryTest(
  shell: Shell,
  test: TestExpression & { kind: "binary" },
  told: (...words: string[]) => Generator<Request, void, unknown>,
): Generator<Request, boolean, unknown> {
  const left = yield* expandText(shell, test.left);
  if (test.operator === "=~") {
    const source = yield* expandRegExp(shell, test.right.parts);
    yield* told(left, "=~", source);
    const matcher = matcherOf(source);
    const span = matcher.first(left);
    const groups = shell.array("BASH_REMATCH");
    groups.clear();
    const found = span === undefined ? [] : matcher.groups(left, span);
    for (const [i, group] of found.entries()) groups.set(String(i), group ?? "");
    return span !== undefined;
  }
  if (test.operator === "==" || test.operator === "=" || test.operator === "!=") {
    const pattern = yield* expandPattern(shell, test.right.parts);
    yield* told(left, test.operator, pattern);
    const matches = matchGlob(pattern, left);
    return matches === (test.operator !== "!=");
  }
  const right = yield* expandText(shell, test.right);
  yield* told(left, test.operator, right);
  if (test.operator === "<") return left < right;
  if (test.operator === ">") return left > right;
  let [a, b] = [0n, 0n];
  try {
    a = yield* evaluateText(shell, left);
    b = yield* evaluateText(shell, right);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    throw new TestError(`[[: ${error.message}`, 1);
  }
  return compareIntegers(a, test.operator, b);
}
