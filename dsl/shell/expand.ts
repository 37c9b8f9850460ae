/**
 * From words to fields: braces, tilde, parameters, command substitution, arithmetic, field splitting, globs, quotes.
 *
 * Everything here is a generator, since `$( )` runs commands and those take simulated time.
 *
 * *Document*: POSIX XCU 2.6.
 *
 * @module
 */
import { ArithmeticError, evaluate, type Expander, OperandError, type Scope } from "../syntax/arithmetic.ts";
import type { ArithmeticText, Expression, Word, WordPart } from "../syntax/ast.ts";
import { expandBraces } from "./braces.ts";
import { escapeGlob, expandGlob, hasGlob } from "./glob.ts";
import type { Request } from "./jobs.ts";
import { expandParameter, type Expansion, type Piece, SubscriptError } from "./parameter.ts";
import { limitedLength, limitedWords } from "../syntax/limited.ts";
import { parseExpression } from "../syntax/parse.ts";
import { EvaluationError, ShellError } from "../syntax/shell_error.ts";
import { computedArray } from "./special_variables.ts";
import type { Shell } from "./state.ts";
import { commandSubstitution, processSubstitution } from "./subshell.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";

/** Expands words to the fields of a command line. */
export function* expandWords(shell: Shell, words: readonly Word[]): Expansion<string[]> {
  const fields: string[] = [];
  let length = 0;
  for (const word of words) {
    const only = word.parts[0];
    if (word.parts.length === 1 && only?.kind === "quoted") {
      fields.push(only.text);
      continue;
    }
    for (const single of expandBraces(word)) {
      const pieces = yield* expandParts(shell, tilde(shell, single.parts), false);
      for (const field of splitFields(pieces, shell.ifs)) {
        for (const path of globField(shell, field)) {
          limitedWords(fields.push(path));
          limitedLength(length += path.length);
        }
      }
    }
  }
  return fields;
}

/** Expands a word to one text: an assignment, a redirection's target, the subject of `case`. */
export function* expandText(shell: Shell, word: Word, assignment = false): Expansion<string> {
  return textOf(yield* expandParts(shell, tilde(shell, word.parts, assignment), false), shell);
}

/** Expands to one text as between double quotes. */
export function* expandQuoted(shell: Shell, parts: readonly WordPart[]): Expansion<string> {
  return textOf(yield* expandParts(shell, parts, true), shell);
}

/** Expands to the source of a regular expression: quoted characters are ordinary in it. */
export function* expandRegExp(shell: Shell, parts: readonly WordPart[]): Expansion<string> {
  const pieces = yield* expandParts(shell, parts, false);
  const ordinary = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return pieces.map((piece) => piece === "break" ? " " : piece.quoted ? ordinary(piece.text) : piece.text)
    .join("");
}

/** Expands to a pattern: quoted characters are ordinary in it. */
export function* expandPattern(shell: Shell, parts: readonly WordPart[]): Expansion<string> {
  const pieces = yield* expandParts(shell, tilde(shell, parts), false);
  return pieces.map((piece) => piece === "break" ? " " : piece.quoted ? escapeGlob(piece.text) : piece.text)
    .join("");
}

/**
 * Expands to the texts between which what a pattern has matched is put: an `&` that nothing quotes stands for it;
 * `\&` and `\\` in what is expanded stand for & and \.
 */
export function* expandReplacement(shell: Shell, parts: readonly WordPart[]): Expansion<readonly string[]> {
  const texts = [""];
  for (const piece of yield* expandParts(shell, tilde(shell, parts), false)) {
    const isPlain = piece !== "break" && !piece.quoted;
    const text = piece === "break" ? shell.ifs[0] ?? "" : piece.text;
    for (const [part] of text.matchAll(isPlain ? /\\[\\&]|&|[^\\&]+|\\/g : /[^]+/g)) {
      if (isPlain && part === "&") texts.push("");
      else texts.push(texts.pop() + (isPlain ? part.replace(/^\\(?=.)/, "") : part));
    }
  }
  return texts;
}

function textOf(pieces: readonly Piece[], shell: Shell): string {
  const separator = shell.ifs[0] ?? "";
  limitedLength(pieces.reduce((length, piece) => length + (piece === "break" ? 1 : piece.text.length), 0));
  return pieces.map((piece) => piece === "break" ? separator : piece.text).join("");
}

/** Expands parts without splitting; `quoted` if they stand between double quotes. */
export function* expandParts(
  shell: Shell,
  parts: readonly WordPart[],
  quoted: boolean,
): Expansion<Piece[]> {
  const pieces: Piece[] = [];
  const result = (text: string) => pieces.push({ text, quoted, split: !quoted });
  for (const part of parts) {
    switch (part.kind) {
      case "literal":
        pieces.push({ text: part.text, quoted, split: false });
        break;
      case "quoted":
        pieces.push({ text: part.text, quoted: true, split: false });
        break;
      case "double":
        for (const piece of yield* expandDouble(shell, part.parts)) pieces.push(piece);
        break;
      case "parameter":
        for (const piece of yield* expandParameter(shell, part, quoted, surroundings)) pieces.push(piece);
        break;
      case "command":
        result(yield* commandSubstitution(shell, part.body));
        break;
      case "process":
        pieces.push({ text: yield* processSubstitution(shell, part.body), quoted: true, split: false });
        break;
      case "arithmetic":
        result(String(yield* expandArithmetic(shell, part.expression)));
        break;
      default:
        unreachable(part);
    }
  }
  return pieces;
}

/** Expands what stands between double quotes. "" is a field; "$@" without parameters is none, nor is "$x$@" if x is empty. */
function* expandDouble(shell: Shell, parts: readonly WordPart[]): Expansion<Piece[]> {
  if (parts.length === 0) return [{ text: "", quoted: true, split: false }];
  if (parts.length === 1) return yield* expandParts(shell, parts, true);
  const pieces: Piece[] = [];
  let isNone = false;
  for (const part of parts) {
    const some = yield* expandParts(shell, [part], true);
    isNone ||= some.length === 0;
    for (const piece of some) pieces.push(piece);
  }
  return isNone && pieces.every((piece) => piece !== "break" && piece.text === "") ? [] : pieces;
}

function unreachable(value: never): never {
  throw new Error(`Unknown part ${JSON.stringify(value)}`);
}

/**
 * Evaluates an expression that is a tree, or text that becomes one by expansion.
 *
 * @param told is given its text with its expansions made, before it is evaluated
 */
export function* expandArithmetic(
  shell: Shell,
  expression: ArithmeticText | readonly WordPart[],
  told: (text: string) => Expansion<void> = tellNobody,
): Expansion<bigint> {
  if (!("tree" in expression)) return yield* evaluateText(shell, yield* expandQuoted(shell, expression));
  const { tree, text, holes } = expression;
  if (holes.length === 0) {
    yield* told(text);
    return yield* evaluateExpression(shell, tree, undefined, text);
  }
  const values = new Map<WordPart, string>();
  let expanded = "";
  let end = 0;
  for (const hole of holes) {
    const value = yield* expandOperand(shell, hole.part);
    values.set(hole.part, value);
    expanded += text.slice(end, hole.start) + value;
    end = hole.end;
  }
  yield* told(expanded + text.slice(end));
  const areOperands = [...values.values()].every((value) => /^\s*-?\w+\s*$/.test(value));
  if (!areOperands) return yield* evaluateText(shell, expanded + text.slice(end));
  return yield* evaluateExpression(shell, tree, values, expanded + text.slice(end));
}

function* tellNobody(): Expansion<void> {}

/** Expands a part of an expression. What is wrong in it is no failure of the expression: it ends the shell. */
function* expandOperand(shell: Shell, part: WordPart): Expansion<string> {
  try {
    return yield* expandQuoted(shell, [part]);
  } catch (error) {
    throw error instanceof EvaluationError ? new ShellError(error.message) : error;
  }
}

/** Evaluates a text. @throws {ShellError} with bash's message */
export function* evaluateText(shell: Shell, text: string): Expansion<bigint> {
  if (text.trim() === "") return 0n;
  return yield* evaluateExpression(shell, parseArithmetic(text), undefined, text);
}

function parseArithmetic(text: string): Expression {
  try {
    return parseExpression(text);
  } catch (error) {
    if (!(error instanceof ShellSyntaxError)) throw error;
    if (error.problem.includes("error token")) throw new EvaluationError(error.problem);
    const rest = text.slice(error.offset).trim();
    const token = rest === "" ? text.trim().slice(-1) : rest;
    const awaits = /(?:^|[-+*/%<>=!&|^~?:(])\s*$/.test(text.slice(0, error.offset));
    const what = awaits ? "syntax error: operand expected" : "syntax error in expression";
    throw new EvaluationError(`${text}: ${what} (error token is "${token}")`);
  }
}

/** Evaluates a tree with the shell's variables. @throws {ShellError} */
export function* evaluateExpression(
  shell: Shell,
  expression: Expression,
  /** Texts of its expansions, if they have been made. */
  values: ReadonlyMap<WordPart, string> = new Map(),
  /** Its own text, for messages. */
  text?: string,
): Expansion<bigint> {
  const expander: Expander<Request> = (part) => expandKnown(shell, part, values);
  try {
    return yield* evaluate(expression, scopeOf(shell), expander);
  } catch (error) {
    if (error instanceof OperandError && text !== undefined) throw new EvaluationError(error.in(text));
    if (error instanceof ArithmeticError) throw new EvaluationError(error.message);
    throw error;
  }
}

function* expandKnown(
  shell: Shell,
  part: WordPart,
  values: ReadonlyMap<WordPart, string>,
): Expansion<string> {
  return values.get(part) ?? (yield* expandOperand(shell, part));
}

function scopeOf(shell: Shell): Scope {
  return {
    depth: 0,
    get(name, index) {
      const value = shell.variables.get(name)?.value ?? computedArray(shell, name);
      const found = index === undefined
        ? shell.get(name)
        : value instanceof Map
        ? value.get(String(typeof index === "string" ? index : fromEnd(shell, name, index)))
        : index === 0n
        ? value
        : undefined;
      if (found === undefined && shell.options.nounset) throw new ShellError(`${name}: unbound variable`);
      return found;
    },
    set(name, index, value) {
      if (shell.variables.get(name)?.readonly) throw new EvaluationError(`${name}: readonly variable`);
      if (index === undefined) return void shell.set(name, value);
      const array = shell.array(name);
      const at = typeof index === "string" ? index : fromEnd(shell, name, index);
      if (at === undefined) shell.complain(`${name}[${index}]: bad array subscript`); // and it goes on, as bash does
      else array.set(String(at), value);
    },
    isAssociative: (name) => shell.variables.get(name)?.associative ?? false,
    parse: parseArithmetic,
  };
}

/** `~` and `~/x` at the start of a word; in an assignment also after each colon. */
function tilde(shell: Shell, parts: readonly WordPart[], assignment = false): readonly WordPart[] {
  const [first] = parts;
  if (first?.kind !== "literal" || !first.text.includes("~")) return parts;
  const home = shell.get("HOME") ?? "/root";
  const expression = assignment ? /(^|:)~(root)?(?=$|[/:])/g : /^()~(root)?(?=$|\/)/;
  const replaced: WordPart[] = [];
  let end = 0;
  for (const match of first.text.matchAll(new RegExp(expression, "g"))) {
    const [whole, before = "", user] = match;
    if (parts.length > 1 && match.index + whole.length === first.text.length) continue;
    replaced.push({ kind: "literal", text: first.text.slice(end, match.index) + before });
    replaced.push({ kind: "quoted", text: user === undefined ? home : "/root" });
    end = match.index + whole.length;
  }
  return [...replaced, { kind: "literal", text: first.text.slice(end) }, ...parts.slice(1)];
}

/** A field before globbing. */
type Field = { readonly text: string; readonly quoted: boolean }[];

/** Splits at the characters of IFS (XCU 2.6.5); pieces that are not to be split stay whole. */
function splitFields(pieces: readonly Piece[], ifs: string): Field[] {
  const fields: Field[] = [];
  let field: Field | undefined;
  let afterBlank = false;
  const end = () => {
    if (field !== undefined) fields.push(field);
    field = undefined;
  };
  for (const piece of pieces) {
    if (piece === "break") {
      end();
      continue;
    }
    if (!piece.split || ifs === "") {
      if (piece.quoted || piece.text !== "") (field ??= []).push(piece);
      continue;
    }
    let start = 0;
    const take = (to: number) => {
      if (to > start) (field ??= []).push({ text: piece.text.slice(start, to), quoted: false });
      start = to + 1;
    };
    for (let i = 0; i < piece.text.length; i++) {
      const c = piece.text[i] ?? "";
      if (!ifs.includes(c)) {
        afterBlank = false;
        continue;
      }
      take(i);
      const blank = c === " " || c === "\t" || c === "\n";
      if (field !== undefined) {
        end();
        afterBlank = blank;
      } else if (!blank) {
        if (!afterBlank) fields.push([]);
        afterBlank = false;
      }
    }
    take(piece.text.length);
  }
  end();
  return fields;
}

/** The paths that a field matches, or the field itself. */
function globField(shell: Shell, field: Field): string[] {
  const text = field.map((piece) => piece.text).join("");
  if (shell.options.noglob || !field.some((piece) => !piece.quoted && /[*?[]/.test(piece.text))) {
    return [text];
  }
  const pattern = field.map((piece) => piece.quoted ? escapeGlob(piece.text) : piece.text).join("");
  if (!hasGlob(pattern)) return [text];
  const found = expandGlob(pattern, shell.cwd, shell.machine.vfs);
  return found.length > 0 || shell.options.nullglob ? found : [text];
}

/** The key of an array's element: a number for an indexed array, a text for an associative one. */
export function* elementKey(shell: Shell, name: string, subscript: Word): Expansion<string> {
  if (shell.variables.get(name)?.associative) return yield* expandText(shell, subscript);
  return yield* elementIndex(shell, name, yield* expandQuoted(shell, subscript.parts));
}

/** The number that a text stands for in an indexed array; one below 0 counts back from its end. @throws {SubscriptError} */
export function* elementIndex(shell: Shell, name: string, text: string): Expansion<string> {
  const index = fromEnd(shell, name, yield* evaluateText(shell, text));
  if (index === undefined) throw new SubscriptError(`${name}[${text}]: bad array subscript`);
  return String(index);
}

/** An index of an array; one below 0 counts back from its end, and is undefined where it comes before the first. */
function fromEnd(shell: Shell, name: string, index: bigint): bigint | undefined {
  if (index >= 0n) return index;
  const value = shell.variables.get(name)?.value;
  const keys = value instanceof Map ? [...value.keys()].map(BigInt) : [];
  const found = index + keys.reduce((a, b) => a > b ? a : b, -1n) + 1n;
  return found < 0n ? undefined : found;
}

const surroundings = {
  elementKey,
  expandArithmetic,
  expandParts,
  expandPattern,
  expandQuoted,
  expandReplacement,
};
