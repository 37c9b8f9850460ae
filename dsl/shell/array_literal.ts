/**
 * Arrays in parentheses: `x=(1 2 [5]=3)`, `declare -A m=([k]=v)`.
 *
 * *Document*: "Arrays" of the bash manual. The words are expanded first; then the array is emptied, unless `+=` adds to it,
 * and its elements are set one by one, so that a subscript sees those before it.
 *
 * @module
 */
import type { ArrayArgument, ArrayElement } from "../commands/command.ts";
import type { ArrayAssignment } from "../syntax/ast.ts";
import { limitedWords } from "../syntax/limited.ts";
import { elementIndex, expandQuoted, expandText, expandWords } from "./expand.ts";
import type { Request } from "./jobs.ts";
import { SubscriptError } from "./parameter.ts";
import type { Shell, Variable } from "./state.ts";

/** Expands the words of an array; those of an associative one are not split. */
export function* expandElements(
  shell: Shell,
  { elements }: ArrayAssignment,
  isAssociative: boolean,
): Generator<Request, ArrayElement[], unknown> {
  const expanded: ArrayElement[] = [];
  for (const { key, value } of elements) {
    if (key !== undefined || isAssociative) {
      const text = key && (yield* expandQuoted(shell, key.parts));
      expanded.push({ key: text, value: yield* expandText(shell, value) });
    } else {for (const field of yield* expandWords(shell, [value])) {
        expanded.push({ key: undefined, value: field });
      }}
    limitedWords(expanded.length);
  }
  return expanded;
}

/** Sets an array, or adds to it. @throws {ShellError} if it is read-only, or a subscript cannot be evaluated */
export function* fillArray(
  shell: Shell,
  { name, append, elements }: ArrayArgument,
): Generator<Request, Variable, unknown> {
  const array = shell.array(name);
  const variable = shell.writable(name);
  if (!append) array.clear();
  if (variable.associative) {
    fillAssociative(shell, name, array, elements);
    return variable;
  }
  let next = [...array.keys()].reduce((end, key) => Math.max(end, Number(key) + 1), 0);
  for (const { key, value } of elements) {
    const at = key === undefined ? String(next) : yield* indexOf(shell, name, key);
    if (at === undefined) shell.complain(`[${key}]=${value}: bad array subscript`); // the other elements are set
    else {
      array.set(at, value);
      next = Number(at) + 1;
    }
  }
  return variable;
}

/** Which element a subscript means; undefined if none: one before the first, and an empty text. */
function* indexOf(shell: Shell, name: string, key: string): Generator<Request, string | undefined, unknown> {
  if (key === "") return undefined;
  try {
    return yield* elementIndex(shell, name, key);
  } catch (error) {
    if (error instanceof SubscriptError) return undefined;
    throw error;
  }
}

/** `([k]=v)`, or without subscripts one word for a key and the next for its value. */
function fillAssociative(
  shell: Shell,
  name: string,
  array: Map<string, string>,
  elements: readonly ArrayElement[],
): void {
  const isPairs = elements[0]?.key === undefined;
  const pairs = isPairs ? elements.filter((_, i) => i % 2 === 0) : elements;
  for (const [i, element] of pairs.entries()) {
    const key = isPairs ? element.value : element.key;
    const value = isPairs ? elements[2 * i + 1]?.value ?? "" : element.value;
    if (key === undefined) {
      shell.complain(`${name}: '${value}': must use subscript when assigning associative array`);
    } else if (key === "") {
      shell.complain(isPairs ? '"": bad array subscript' : `[]=${value}: bad array subscript`);
    } else array.set(key, value);
  }
}
