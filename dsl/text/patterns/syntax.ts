/**
 * What a pattern is once it has been read, whether it was written as a glob or as a regular expression; and what both
 * languages share: sets of characters and bracket expressions.
 *
 * *Document*: POSIX XBD 9.3.5 (bracket expressions), XCU 2.13.1 (what a glob changes in them).
 *
 * @module
 */

/** Characters as code points: pairs of a first and a last one, ascending and apart. */
export type CharacterSet = readonly number[];

/** A point between two characters that a pattern can ask for. */
export type Place =
  | "start"
  | "end"
  | "word start"
  | "word end"
  | "word border"
  | "no word border"
  | "no word before"
  | "no word after";

/** A pattern. */
export type Pattern =
  | { readonly kind: "set"; readonly members: CharacterSet }
  | { readonly kind: "place"; readonly place: Place }
  /** An empty one is the empty pattern. */
  | { readonly kind: "sequence"; readonly parts: readonly Pattern[] }
  | { readonly kind: "choice"; readonly options: readonly Pattern[] }
  /** `most` is infinite for `*` and `+`. */
  | { readonly kind: "repeat"; readonly body: Pattern; readonly least: number; readonly most: number }
  /** Groups are counted from 1. */
  | { readonly kind: "group"; readonly number: number; readonly body: Pattern }
  /** `\1`: what the group has matched. */
  | { readonly kind: "reference"; readonly number: number };

const LAST = 0x10ffff;

/** Every character, newlines among them. */
export const anyCharacter: CharacterSet = [0, LAST];

/** What `\w` stands for. */
export const wordCharacters: CharacterSet = setOf([0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a]);

/** Named classes, in the C locale. */
const classes: Readonly<Record<string, CharacterSet>> = {
  alnum: [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a],
  alpha: [0x41, 0x5a, 0x61, 0x7a],
  blank: [0x09, 0x09, 0x20, 0x20],
  cntrl: [0x00, 0x1f, 0x7f, 0x7f],
  digit: [0x30, 0x39],
  graph: [0x21, 0x7e],
  lower: [0x61, 0x7a],
  print: [0x20, 0x7e],
  punct: [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e],
  space: [0x09, 0x0d, 0x20, 0x20],
  upper: [0x41, 0x5a],
  word: wordCharacters,
  xdigit: [0x30, 0x39, 0x41, 0x46, 0x61, 0x66],
};

/** What `\s` stands for. */
export const spaceCharacters: CharacterSet = [0x09, 0x0d, 0x20, 0x20];

/** A set from pairs in any order. */
function setOf(pairs: readonly number[]): CharacterSet {
  const ranges: [number, number][] = [];
  for (let i = 0; i < pairs.length; i += 2) ranges.push([pairs[i]!, pairs[i + 1]!]);
  ranges.sort((a, b) => a[0] - b[0]);
  const joined: number[] = [];
  for (const [first, last] of ranges) {
    const end = joined.length - 1;
    if (end > 0 && first <= joined[end]! + 1) joined[end] = Math.max(joined[end]!, last);
    else joined.push(first, last);
  }
  return joined;
}

/** The other characters. */
export function complement(set: CharacterSet): CharacterSet {
  const others: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i]! > next) others.push(next, set[i]! - 1);
    next = set[i + 1]! + 1;
  }
  if (next <= LAST) others.push(next, LAST);
  return others;
}

/** The set with both cases of its letters. */
export function bothCases(set: CharacterSet): CharacterSet {
  const pairs = [...set];
  for (let i = 0; i < set.length; i += 2) {
    const [first, last] = [set[i]!, set[i + 1]!];
    for (const [from, to, shift] of [[0x41, 0x5a, 32], [0x61, 0x7a, -32]] as const) {
      const [a, b] = [Math.max(first, from), Math.min(last, to)];
      if (a <= b) pairs.push(a + shift, b + shift);
    }
    if (first !== last || first < 0x80) continue;
    const character = String.fromCodePoint(first);
    for (const other of [character.toLowerCase(), character.toUpperCase()]) {
      const code = other.codePointAt(0)!;
      if (String.fromCodePoint(code) === other) pairs.push(code, code);
    }
  }
  return setOf(pairs);
}

/** Whether a character is in a set. */
export function isMember(set: CharacterSet, code: number): boolean {
  let [low, high] = [0, set.length >> 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (code > set[2 * middle + 1]!) low = middle + 1;
    else high = middle;
  }
  return 2 * low < set.length && code >= set[2 * low]!;
}

/** One character. */
export function character(text: string): Pattern {
  const code = text.codePointAt(0)!;
  return { kind: "set", members: [code, code] };
}

/** A bracket expression. */
export interface Bracket {
  readonly members: CharacterSet;
  /** Where it ends: its last character. */
  readonly end: number;
  /** What a regular expression does not take, in the words of the C library; a glob passes over it. */
  readonly problem: string | undefined;
}

/** How a bracket expression is written. */
export interface BracketStyle {
  /** `!` negates, as `^` does. */
  readonly glob: boolean;
  /** A backslash takes the meaning from the next character (globs), or names one (`\n`, `\t`); it is no member. */
  readonly escape: ((next: string) => string | undefined) | undefined;
}

/** A bracket expression that starts at `start`; undefined if it is not closed. */
export function bracket(text: string, start: number, style: BracketStyle): Bracket | undefined {
  const pairs: number[] = [];
  let problem: string | undefined;
  let i = start + 1;
  const negated = text[i] === "^" || (style.glob && text[i] === "!");
  if (negated) i++;
  /** The member at `i`, behind which `i` stands afterwards; undefined for a class, which has been added. */
  const member = (endsRange: boolean): number | undefined => {
    const named = text[i] === "[" ? /^\[([:.=])(.*?)\1\]/s.exec(text.slice(i, i + 64)) : null;
    const [whole = "", kind, name = ""] = named ?? [];
    if (kind === ":" && (style.glob ? !endsRange && Object.hasOwn(classes, name) : true)) {
      i += whole.length;
      const named = Object.hasOwn(classes, name) ? classes[name] : undefined;
      if (named === undefined) problem ??= "Invalid character class name";
      else pairs.push(...named);
      return undefined;
    }
    if (kind !== undefined && kind !== ":") {
      i += whole.length;
      if (Array.from(name).length !== 1) problem ??= "Invalid collation character";
      return name.codePointAt(0) ?? 0;
    }
    const next = text[i] === "\\" ? text.codePointAt(i + 1) : undefined;
    const escaped = next === undefined ? undefined : style.escape?.(String.fromCodePoint(next));
    if (escaped !== undefined) {
      i += next! > 0xffff ? 3 : 2;
      return escaped.codePointAt(0)!;
    }
    const code = text.codePointAt(i)!;
    i += code > 0xffff ? 2 : 1;
    return code;
  };
  for (let first = true;; first = false) {
    if (i >= text.length) return undefined;
    if (text[i] === "]" && !first) break;
    const from = member(false);
    if (from === undefined) continue;
    if (text[i] !== "-" || text[i + 1] === "]" || text[i + 1] === undefined) {
      pairs.push(from, from);
      continue;
    }
    i++;
    const to = member(true);
    if (to === undefined || from > to) problem ??= "Invalid range end";
    else pairs.push(from, to);
  }
  const members = setOf(pairs);
  return { members: negated ? complement(members) : members, end: i, problem };
}
