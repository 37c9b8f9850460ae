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
import type { Coroutine, Request } from "./jobs.ts";
import type { Matcher } from "../text/patterns/matcher.ts";
import { regularExpression } from "../text/regular_expression.ts";
import { EvaluationError, ShellError } from "../syntax/shell_error.ts";
import type { Shell } from "./state.ts";
import { trace } from "./xtrace.ts";

/** A term that is true, one that is false, and one that cannot be tested, which `!` and `||` take for false. */
const [TRUE, FALSE, INVALID] = [0, 1, 2];

/** The status of what holds or not. */
const statusOf = (holds: boolean) => holds ? TRUE : FALSE;

/** Evaluates a condition; answers its status. @throws {ShellError} */
export function* runTest(
  shell: Shell,
  test: TestExpression,
  /** `! ` for each negation around it, for `set -x`. */
  sign = "",
): Coroutine {
  const told = (...words: string[]) => {
    return trace(shell, `[[ ${sign}${words.map((word) => word === "" ? "''" : word).join(" ")} ]]`);
  };
  switch (test.kind) {
    case "or":
      return (yield* runTest(shell, test.left, sign)) && (yield* runTest(shell, test.right, sign));
    case "and":
      return (yield* runTest(shell, test.left, sign)) || (yield* runTest(shell, test.right, sign));
    case "not":
      return statusOf((yield* runTest(shell, test.operand, sign + "! ")) !== TRUE);
    case "word": {
      const text = yield* expandText(shell, test.word);
      yield* told("-n", text);
      return statusOf(text !== "");
    }
    case "unary": {
      const operand = yield* expandText(shell, test.word);
      yield* told(test.operator, operand);
      const answer = unaryTest(shell, test.operator, operand);
      if (answer === undefined) throw new ShellError(`${test.operator}: unary operator expected`, 2);
      return statusOf(answer);
    }
    case "binary":
      return yield* runBinaryTest(shell, test, told);
    default:
      throw new Error(`Unknown test ${JSON.stringify(test)}`);
  }
}

/** The matcher of a regular expression; undefined if it is none, of which bash says nothing. */
function matcherOf(source: string): Matcher | undefined {
  try {
    return regularExpression(source, "bash");
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    return undefined;
  }
}

function* runBinaryTest(
  shell: Shell,
  test: TestExpression & { kind: "binary" },
  told: (...words: string[]) => Generator<Request, void, unknown>,
): Coroutine {
  const left = yield* expandText(shell, test.left);
  if (test.operator === "=~") {
    const source = yield* expandRegExp(shell, test.right.parts);
    yield* told(left, "=~", source);
    const matcher = matcherOf(source);
    if (matcher === undefined) return INVALID;
    const span = matcher.first(left);
    const groups = shell.array("BASH_REMATCH");
    groups.clear();
    const found = span === undefined ? [] : matcher.groups(left, span);
    for (const [i, group] of found.entries()) groups.set(String(i), group ?? "");
    return statusOf(span !== undefined);
  }
  if (test.operator === "==" || test.operator === "=" || test.operator === "!=") {
    const pattern = yield* expandPattern(shell, test.right.parts);
    yield* told(left, test.operator, pattern);
    return statusOf(matchGlob(pattern, left) === (test.operator !== "!="));
  }
  const right = yield* expandText(shell, test.right);
  yield* told(left, test.operator, right);
  if (test.operator === "<") return statusOf(left < right);
  if (test.operator === ">") return statusOf(left > right);
  let [a, b] = [0n, 0n];
  try {
    a = yield* evaluateText(shell, left);
    b = yield* evaluateText(shell, right);
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    return shell.complain(error.saidBy("[["));
  }
  return statusOf(compareIntegers(a, test.operator, b));
}
