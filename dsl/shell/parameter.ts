/**
 * `$x` and `${x…}`: the value of a parameter and what is done with it.
 *
 * *Document*: POSIX XCU 2.5, 2.6.2; "Shell Parameter Expansion" of the bash manual for replacement, slices and case.
 *
 * @module
 */
import type { ArithmeticText, ParameterOperation, ParameterPart, Word, WordPart } from "../syntax/ast.ts";
import { decodeEscapes, quoteForReading } from "../syntax/escapes.ts";
import { globMatcher } from "./glob.ts";
import type { Request } from "./jobs.ts";
import { replaceSpans, type Span } from "../text/patterns/matcher.ts";
import { EvaluationError, ShellError } from "../syntax/shell_error.ts";
import { type Shell, ShellExit } from "./state.ts";
import { computedArray } from "./special_variables.ts";

/** A subscript counts back to before the first element. */
export class SubscriptError extends ShellError {}

/** A run of characters of one kind, or the border between two fields. */
export type Piece =
  | { readonly text: string; readonly quoted: boolean; readonly split: boolean }
  | "break";

/** Every step of an expansion may run commands. */
export type Expansion<T> = Generator<Request, T, unknown>;

/** The expansion around a parameter: of words behind its operator, of its subscript, of offsets. */
export interface Surroundings {
  elementKey(shell: Shell, name: string, subscript: Word): Expansion<string>;
  expandArithmetic(shell: Shell, expression: ArithmeticText): Expansion<bigint>;
  expandParts(shell: Shell, parts: readonly WordPart[], quoted: boolean): Expansion<Piece[]>;
  expandPattern(shell: Shell, parts: readonly WordPart[]): Expansion<string>;
  expandQuoted(shell: Shell, parts: readonly WordPart[]): Expansion<string>;
  expandReplacement(shell: Shell, parts: readonly WordPart[]): Expansion<readonly string[]>;
}

/** Variables that bash computes and this shell does not. */
const uncomputed: ReadonlySet<string> = new Set([
  "BASH_LINENO",
  "GROUPS",
]);

/** Expands one parameter to pieces. */
export function* expandParameter(
  shell: Shell,
  part: ParameterPart,
  quoted: boolean,
  around: Surroundings,
): Expansion<Piece[]> {
  const { operation, name } = part;
  const all = part.name === "@" || part.name === "*" || part.subscript === "@" || part.subscript === "*";
  const joined = part.name === "*" || part.subscript === "*";
  const values = all ? listOf(shell, part) : undefined;
  const one = values === undefined ? yield* valueOf(around, shell, part) : undefined;
  const scalar = (text: string): Piece[] => [{ text, quoted, split: !quoted }];
  const several = (texts: readonly string[]): Piece[] => {
    if (quoted && joined) return scalar(texts.join(shell.ifs[0] ?? ""));
    return texts.flatMap((text, i): Piece[] => i === 0 ? scalar(text) : ["break", ...scalar(text)]);
  };

  const refused = refusedOperator(name, operation);
  if (refused !== undefined) throw new ShellError(`\${${name}${refused}}: bad substitution`);
  switch (operation?.kind) {
    case "length":
      if (values !== undefined) return scalar(String(values.length));
      return scalar(String(Array.from(checked(shell, part, one)).length));
    case "keys": {
      const value = shell.variables.get(name)?.value;
      const keys = value instanceof Map ? sortedKeys(value) : value === undefined ? [] : ["0"];
      return several(keys);
    }
    case "indirect": {
      const target = checked(shell, part, one);
      return scalar((yield* valueOf(around, shell, { ...part, name: target, operation: undefined })) ?? "");
    }
    case "use":
      return yield* use(
        around,
        shell,
        part,
        operation,
        quoted,
        values === undefined ? one : values.length === 0 ? undefined : values.join(" "),
        () => {
          return values === undefined ? scalar(one ?? "") : several(values);
        },
      );
  }
  // What stands behind the operator is looked at where there is something to change, and once for a whole list:
  // ${x#$((n++))} leaves n as it is if x is empty, and counts it once if x is an array.
  if (values === undefined) {
    const text = checked(shell, part, one);
    if (operation === undefined) return scalar(text);
    if (one === undefined || (text === "" && operation.kind === "trim")) return scalar("");
    if (operation.kind === "slice") return scalar(yield* sliceText(around, shell, part, operation, text));
    return scalar((yield* transformation(around, shell, operation))(text));
  }
  if (operation === undefined) return several(values);
  if (operation.kind === "slice") return several(yield* sliceList(around, shell, part, operation, values));
  return several(values.length === 0 ? [] : values.map(yield* transformation(around, shell, operation)));
}

/** The operator of `${?^}`, and of `${#/}`, which asks how long a parameter is that there is not. */
function refusedOperator(name: string, operation: ParameterOperation | undefined): string | undefined {
  switch (operation?.kind) {
    case "case":
      return /[#?-]/.test(name) ? operation.operator : undefined;
    case "replace": {
      const isBare = operation.pattern.length === 0 && operation.replacement.length === 0;
      return name === "#" && isBare && operation.operator === "/" ? "/" : undefined;
    }
    case "trim":
    case "use": {
      const isBare = operation.word.length === 0 && !("colon" in operation && operation.colon);
      return name === "#" && isBare && /^[%+=]$/.test(operation.operator) ? operation.operator : undefined;
    }
  }
  return undefined;
}

type Slice = Extract<ParameterOperation, { kind: "slice" }>;

/** An offset or a length; one that fails is said to be the parameter's. */
function* numberOf(
  around: Surroundings,
  shell: Shell,
  { name }: ParameterPart,
  expression: ArithmeticText,
): Expansion<number> {
  try {
    return Number(yield* around.expandArithmetic(shell, expression));
  } catch (error) {
    throw error instanceof EvaluationError ? new ShellError(error.saidBy(name)) : error;
  }
}

/** `${x:OFFSET:LENGTH}`; the length is not looked at where the offset is outside. */
function* sliceText(
  around: Surroundings,
  shell: Shell,
  part: ParameterPart,
  operation: Slice,
  text: string,
): Expansion<string> {
  const characters = Array.from(text);
  const offset = operation.offset === undefined ? 0 : yield* numberOf(around, shell, part, operation.offset);
  const start = offset < 0 ? characters.length + offset : offset;
  if (start < 0 || start > characters.length) return "";
  if (operation.length === undefined) return characters.slice(start).join("");
  const length = yield* numberOf(around, shell, part, operation.length);
  const end = length < 0 ? characters.length + length : start + length;
  if (end < start && length < 0) throw new ShellError(`${length}: substring expression < 0`);
  return characters.slice(start, end).join("");
}

/** `${x[@]:OFFSET:LENGTH}`: from the first element on whose number is at least the offset. */
function* sliceList(
  around: Surroundings,
  shell: Shell,
  part: ParameterPart,
  operation: Slice,
  values: readonly string[],
): Expansion<readonly string[]> {
  const isArguments = part.name === "@" || part.name === "*"; // the 0th is the shell's name
  const held = shell.variables.get(part.name)?.value;
  if (!isArguments && values.length === 0) return [];
  if (!isArguments && !(held instanceof Map)) {
    return [yield* sliceText(around, shell, part, operation, values[0] ?? "")];
  }
  const list = isArguments ? [shell.scriptPath ?? shell.zero, ...values] : values;
  const keys = isArguments || !(held instanceof Map) ? [] : sortedKeys(held).map(Number);
  const numbers = keys.length > 0 && keys.every((key) => !Number.isNaN(key)) ? keys : [...list.keys()];
  const size = numbers[numbers.length - 1]! + 1;
  const offset = operation.offset === undefined ? 0 : yield* numberOf(around, shell, part, operation.offset);
  const first = offset < 0 ? size + offset : offset;
  if (first < 0 || (isArguments ? first > size : first >= size)) return [];
  const start = first === size ? size : numbers.findIndex((number) => number >= first);
  if (operation.length === undefined) return list.slice(start);
  return list.slice(start, start + (yield* numberOf(around, shell, part, operation.length)));
}

/** The value, or a complaint under `set -u`. */
function checked(shell: Shell, part: ParameterPart, value: string | undefined): string {
  if (value === undefined && shell.options.nounset) throw new ShellError(`${part.name}: unbound variable`);
  return value ?? "";
}

function listOf(shell: Shell, part: ParameterPart): string[] {
  if (part.name === "@" || part.name === "*") return [...shell.positional];
  const value = shell.variables.get(part.name)?.value ?? computedArray(shell, part.name);
  if (value instanceof Map) return sortedKeys(value).map((key) => value.get(key) ?? "");
  return value === undefined ? [] : [value];
}

/** Keys of an array: numbers in ascending order, texts as they came. */
function sortedKeys(array: ReadonlyMap<string, string>): string[] {
  const keys = [...array.keys()];
  return keys.every((key) => /^\d+$/.test(key)) ? keys.sort((a, b) => Number(a) - Number(b)) : keys;
}

function* valueOf(around: Surroundings, shell: Shell, part: ParameterPart): Expansion<string | undefined> {
  const { name, subscript } = part;
  if (/^\d+$/.test(name)) {
    return name === "0" ? shell.scriptPath ?? shell.zero : shell.positional[Number(name) - 1];
  }
  switch (name) {
    case "#":
      return String(shell.positional.length);
    case "?":
      return String(shell.status);
    case "$":
      return String(shell.pid);
    case "!":
      return shell.lastBackground === undefined ? undefined : String(shell.lastBackground.pid);
    case "-":
      return optionLetters(shell);
  }
  if (subscript === undefined || typeof subscript === "string") {
    const value = shell.get(name);
    // A shell would compute these; an empty text would be a wrong result.
    if (value === undefined && uncomputed.has(name)) throw new ShellError(`$${name}: not in this language`);
    return value;
  }
  const value = shell.variables.get(name)?.value ?? computedArray(shell, name);
  if (value === undefined && uncomputed.has(name)) throw new ShellError(`$${name}: not in this language`);
  let key: string;
  try {
    key = yield* around.elementKey(shell, name, subscript);
  } catch (error) {
    if (!(error instanceof SubscriptError)) throw error;
    shell.complain(`${name}: bad array subscript`); // reading goes on with nothing
    return undefined;
  }
  return value instanceof Map ? value.get(key) : key === "0" ? value : undefined;
}

/** `$-`. */
function optionLetters(shell: Shell): string {
  const { options } = shell;
  const letters: [boolean, string][] = [
    [options.allexport, "a"],
    [options.errexit, "e"],
    [options.noglob, "f"],
    [shell.interactive, "i"],
    [options.nounset, "u"],
    [options.xtrace, "x"],
    [options.noclobber, "C"],
    [options.errtrace, "E"],
  ];
  return letters.map(([on, letter]) => on ? letter : "").join("");
}

/** `${x:-w}` and its like. */
function* use(
  around: Surroundings,
  shell: Shell,
  part: ParameterPart,
  operation: ParameterOperation & { kind: "use" },
  quoted: boolean,
  value: string | undefined,
  own: () => Piece[],
): Expansion<Piece[]> {
  const missing = value === undefined || (operation.colon && value === "");
  const isNone = value === undefined && (part.name === "@" || part.subscript === "@");
  switch (operation.operator) {
    case "-":
      return missing ? yield* alternative(around, shell, operation, quoted) : own();
    case "+":
      return missing
        ? (quoted && !isNone ? [{ text: "", quoted, split: false }] : [])
        : yield* alternative(around, shell, operation, quoted);
    case "=": {
      if (!missing) return own();
      if (!/^[A-Za-z_]\w*$/.test(part.name)) throw new ShellError(`$${part.name}: cannot assign in this way`);
      const text = yield* around.expandQuoted(shell, operation.word);
      if (typeof part.subscript === "string") {
        throw new ShellError(`${part.name}[${part.subscript}]: bad array subscript`);
      }
      if (part.subscript === undefined) shell.set(part.name, text);
      else shell.array(part.name).set(yield* around.elementKey(shell, part.name, part.subscript), text);
      return [{ text, quoted, split: !quoted }];
    }
    case "?": {
      if (!missing) return own();
      const text = yield* around.expandQuoted(shell, operation.word);
      shell.complain(`${part.name}: ${text === "" ? "parameter null or not set" : text}`);
      throw new ShellExit(1);
    }
  }
}

/** The word of `-` and `+`. Its own text is split as if it were the value, unless quotes protect it. */
function* alternative(
  around: Surroundings,
  shell: Shell,
  operation: ParameterOperation & { kind: "use" },
  quoted: boolean,
): Expansion<Piece[]> {
  const pieces = yield* around.expandParts(shell, operation.word, quoted);
  if (quoted) return pieces.length > 0 ? pieces : [{ text: "", quoted, split: false }];
  return pieces.map((piece) => piece === "break" || piece.quoted ? piece : { ...piece, split: true });
}

/** What `${x@…}` does with a value. */
const TRANSFORMS: Readonly<Record<"Q" | "U" | "u" | "L" | "E", (text: string) => string>> = {
  Q: quoteForReading,
  U: (text) => text.toUpperCase(),
  u: (text) => text.slice(0, 1).toUpperCase() + text.slice(1),
  L: (text) => text.toLowerCase(),
  E: (text) => decodeEscapes(text).text,
};

/** Operations from one text to another. */
function* transformation(
  around: Surroundings,
  shell: Shell,
  operation: ParameterOperation,
): Expansion<(text: string) => string> {
  switch (operation.kind) {
    case "trim": {
      const pattern = yield* around.expandPattern(shell, operation.word);
      return (text) => trim(operation.operator, pattern, text);
    }
    case "replace": {
      const pattern = yield* around.expandPattern(shell, operation.pattern);
      const replacement = yield* around.expandReplacement(shell, operation.replacement);
      if (pattern === "" && /^\/{1,2}$/.test(operation.operator)) return (text) => text;
      const replaced = (matched: string) => replacement.join(matched);
      return (text) => replaceSpans(text, matchesOf(operation.operator, pattern, text), replaced);
    }
    case "case": {
      const change = (s: string) => operation.operator[0] === "^" ? s.toUpperCase() : s.toLowerCase();
      return operation.operator.length === 2 ? change : (text) => change(text.slice(0, 1)) + text.slice(1);
    }
    case "transform":
      return TRANSFORMS[operation.operator];
    default:
      throw new Error(`${operation.kind} does not change a text`);
  }
}

/** Removes the shortest (`#`, `%`) or longest (`##`, `%%`) prefix or suffix that matches. */
function trim(operator: "#" | "##" | "%" | "%%", pattern: string, text: string): string {
  const longest = operator.length === 2;
  if (operator[0] === "#") return text.slice(globMatcher(pattern).prefix(text, longest));
  return text.slice(0, globMatcher(pattern).suffix(text, longest));
}

/** What `${x/…}` replaces: the first match, all, or the one at the start (`/#`) or the end (`/%`). */
function matchesOf(operator: "/" | "//" | "/#" | "/%", pattern: string, text: string): Span[] {
  const matcher = globMatcher(pattern);
  if (operator === "/" || operator === "//") return matcher.all(text, operator === "/" ? 1 : Infinity);
  if (operator === "/#") {
    const end = matcher.prefix(text, true);
    return end === undefined ? [] : [{ start: 0, end }];
  }
  const start = matcher.suffix(text, true);
  return start === undefined ? [] : [{ start, end: text.length }];
}
