/**
 * What is asked of a pattern: whether it matches, where, and what its groups have matched.
 *
 * The match is the leftmost one and of those the longest (POSIX); the groups are those of the C library. Time is linear
 * in the text, for one match and for all of them; only back-references are searched for step by step, up to a limit.
 *
 * *Document*: POSIX XBD 9.1.
 *
 * @module
 */
import { ShellError } from "../../syntax/shell_error.ts";
import { Automaton, kindAt, type Symbols, symbolsOf } from "./automaton.ts";
import { Alphabet, CLOSE, CLOSE_OPTIONAL, FORK, OPEN, Program, TAKE } from "./program.ts";
import { ReferenceSearch } from "./references.ts";
import { anyCharacter, type Pattern } from "./syntax.ts";

/** Where a match lies: offsets into the text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A text with other texts in the places of spans, which come from left to right. */
export function replaceSpans(
  text: string,
  spans: readonly Span[],
  replacement: (matched: string, span: Span) => string,
): string {
  const parts: string[] = [];
  let end = 0;
  for (const span of spans) {
    parts.push(text.slice(end, span.start), replacement(text.slice(span.start, span.end), span));
    end = span.end;
  }
  return parts.join("") + text.slice(end);
}

/** How many numbers may be noted while groups are looked for. */
const MAX_NOTED = 1 << 24;

/** How often a way through a pattern may come to the same fork without a character before it must leave it. */
const MAX_TURNS = 8;

/** A pattern that can be asked. */
export class Matcher {
  readonly #program: Program;
  readonly #alphabet: Alphabet;
  readonly #automata: (Automaton | undefined)[] = [];
  readonly #plain: PlainText | undefined;
  /** It can match at the start of a text only. */
  readonly #isAnchored: boolean;

  constructor(pattern: Pattern, ignoresCase = false) {
    this.#program = new Program(pattern, ignoresCase);
    this.#alphabet = new Alphabet(this.#program);
    this.#plain = ignoresCase ? undefined : plainText(pattern);
    const first = pattern.kind === "sequence" ? pattern.parts[0] : pattern;
    this.#isAnchored = first?.kind === "place" && first.place === "start";
  }

  /** How many groups it has. */
  get groupCount(): number {
    return this.#program.groups;
  }

  /** Whether it matches somewhere in the text. */
  test(text: string): boolean {
    if (this.#plain !== undefined) return this.#plain.isIn(text);
    if (this.#program.hasReferences) return this.first(text) !== undefined;
    const symbols = symbolsOf(text, this.#alphabet);
    return this.#run(this.#automaton(true, !this.#isAnchored), symbols, 0, false) !== -1;
  }

  /** Whether it matches the whole text. */
  testWhole(text: string): boolean {
    return this.#plain?.isIn(text, true) ?? this.prefix(text, true) === text.length;
  }

  /** The first match. */
  first(text: string): Span | undefined {
    return this.all(text, 1)[0];
  }

  /** The matches from left to right; an empty one where another ends is none. */
  all(text: string, count = Infinity): Span[] {
    if (this.#plain !== undefined && !this.#plain.isIn(text)) return [];
    if (this.#program.hasReferences) return this.#allByReference(text, count);
    const symbols = symbolsOf(text, this.#alphabet);
    const { length, offsets } = symbols;
    const starts = this.#isAnchored ? undefined : this.#starts(symbols);
    const found: Span[] = [];
    let passed: Int32Array | undefined;
    let before = -1; // where the last match has ended
    for (let at = 0; at <= length && found.length < count; at++) {
      if (starts !== undefined) {
        at = starts.indexOf(1, at);
        if (at === -1) break;
      } else if (at > 0) break;
      const end = this.#run(this.#automaton(true, false), symbols, at, true, passed);
      if (end === -1 || (end === at && at === before)) continue;
      found.push({ start: offsets?.[at] ?? at, end: offsets?.[end] ?? end });
      before = end;
      at = Math.max(at, end - 1);
      if (count > 1) passed ??= new Int32Array(length + 2).fill(-1);
    }
    return found;
  }

  #allByReference(text: string, count: number): Span[] {
    const search = new ReferenceSearch(this.#program, this.#alphabet, text);
    const found: Span[] = [];
    let before = -1;
    for (let at = 0; at <= text.length && found.length < count; at++) {
      const [start, end] = search.at(at) ?? [];
      if (start === undefined || end === undefined || (end === start && start === before)) continue;
      found.push({ start, end });
      before = end;
      at = Math.max(at, end - 1);
    }
    return found;
  }

  /** The end of the longest (or shortest) match that begins where the text does. */
  prefix(text: string, longest: boolean): number | undefined {
    if (this.#program.hasReferences) {
      return new ReferenceSearch(this.#program, this.#alphabet, text).at(0)?.[1];
    }
    const symbols = symbolsOf(text, this.#alphabet);
    const end = this.#run(this.#automaton(true, false), symbols, 0, longest);
    return end === -1 ? undefined : symbols.offsets?.[end] ?? end;
  }

  /** The start of the longest (or shortest) match that ends where the text does. */
  suffix(text: string, longest: boolean): number | undefined {
    const symbols = symbolsOf(text, this.#alphabet);
    const automaton = this.#automaton(false, false);
    let state = automaton.begin(kindAt(symbols, this.#alphabet, symbols.length));
    let start: number | undefined;
    for (let at = symbols.length; at >= 0; at--) {
      const step = automaton.step(state, at === 0 ? this.#alphabet.size : symbols.classes[at - 1]!);
      if ((step & 1) !== 0) {
        start = at;
        if (!longest) break;
      }
      state = step >> 1;
      if (automaton.isDead(state)) break;
    }
    return start === undefined ? undefined : symbols.offsets?.[start] ?? start;
  }

  /** What the groups have matched in a match of this pattern: the whole first, undefined for those without a part. */
  groups(text: string, { start, end }: Span): (string | undefined)[] {
    const slots = this.#program.hasReferences
      ? new ReferenceSearch(this.#program, this.#alphabet, text).at(start)!
      : this.#slots(text, start, end);
    return Array.from(
      { length: slots.length / 2 },
      (_, i) => slots[2 * i + 1] === -1 ? undefined : text.slice(slots[2 * i], slots[2 * i + 1]),
    );
  }

  #automaton(forward: boolean, floating: boolean): Automaton {
    const place = (forward ? 2 : 0) + (floating ? 1 : 0);
    return this.#automata[place] ??= new Automaton(this.#program, this.#alphabet, forward, floating);
  }

  /**
   * Where the longest (or first) match ends of those that the automaton comes to from `at` on; -1 without one.
   *
   * @param passed the states at the points behind the last match, which an earlier search has gone on to in vain: one
   * that comes to the same state at the same point need not go on. So all matches together take linear time.
   */
  #run(automaton: Automaton, symbols: Symbols, at: number, longest: boolean, passed?: Int32Array): number {
    const { classes, length } = symbols;
    const { size } = this.#alphabet;
    let state = automaton.begin(kindAt(symbols, this.#alphabet, at - 1));
    let end = -1;
    for (let i = at; i <= length; i++) {
      const step = automaton.step(state, i === length ? size : classes[i]!);
      if ((step & 1) !== 0) {
        end = i;
        if (!longest) return end;
      }
      state = step >> 1;
      if (automaton.isDead(state)) break;
      if (passed !== undefined) {
        if (passed[i + 1] === state) break;
        passed[i + 1] = state;
      }
    }
    return end;
  }

  /** For each point whether a match begins there. */
  #starts(symbols: Symbols): Uint8Array {
    const { classes, length } = symbols;
    const automaton = this.#automaton(false, true);
    const starts = new Uint8Array(length + 1);
    let state = automaton.begin(kindAt(symbols, this.#alphabet, length));
    for (let at = length; at >= 0; at--) {
      const step = automaton.step(state, at === 0 ? this.#alphabet.size : classes[at - 1]!);
      starts[at] = step & 1;
      state = step >> 1;
    }
    return starts;
  }

  /**
   * Pairs of offsets of the groups. The nodes from which the match's end can be reached are noted on the way back; then
   * the first way through them is followed: that is what the C library does.
   */
  #slots(text: string, start: number, end: number): Int32Array {
    const symbols = symbolsOf(text, this.#alphabet);
    const { offsets } = symbols;
    const [from, to] = offsets === undefined ? [start, end] : [offsets.indexOf(start), offsets.indexOf(end)];
    const { does, next, other, groups } = this.#program;
    const leading = this.#leading(symbols, from, to);
    const slots = new Int32Array(2 * groups + 2).fill(-1);
    [slots[0], slots[1]] = [from, to];
    let before = slots.slice(); // the groups as they were before an optional one matched nothing
    const turns = new Map<number, number>(); // how often each node was come to since the last character
    for (let [node, at] = [this.#program.start, from]; node !== 0;) {
      const operand = other[node]!;
      if (does[node] === TAKE) {
        at++;
        turns.clear();
        node = next[node]!;
        continue;
      }
      const turn = turns.get(node) ?? 0;
      turns.set(node, turn + 1);
      switch (does[node]) {
        case FORK: {
          const here = leading[at - from]!;
          // A way that has been gone without a character is left, and if that leads back here, both ways are tried.
          const isSecond = turns.has(next[node]!) && (turn < MAX_TURNS || turn % 2 === 1);
          if (here.has(operand) && (isSecond || !here.has(next[node]!))) {
            node = operand;
            continue;
          }
          break;
        }
        case OPEN:
          slots[2 * operand] = at;
          slots[2 * operand + 1] = -1;
          break;
        case CLOSE:
        case CLOSE_OPTIONAL: {
          const isEmpty = slots[2 * operand] === at;
          if (isEmpty && does[node] === CLOSE_OPTIONAL && before[2 * operand] !== -1) slots.set(before);
          else slots[2 * operand + 1] = at;
          if (!isEmpty) before = slots.slice();
        }
      }
      node = next[node]!;
    }
    if (offsets === undefined) return slots;
    return slots.map((slot) => slot === -1 ? -1 : offsets[slot]!);
  }

  /** For each point of a match the nodes that lead to its end. */
  #leading(symbols: Symbols, from: number, to: number): Set<number>[] {
    const automaton = this.#automaton(false, false);
    const known = new Map<number, Set<number>>();
    let noted = 0;
    const leading: Set<number>[] = [];
    let state = automaton.begin(kindAt(symbols, this.#alphabet, to));
    for (let at = to; at >= from; at--) {
      const symbol = at === 0 ? this.#alphabet.size : symbols.classes[at - 1]!;
      const key = state * (this.#alphabet.size + 1) + symbol;
      let nodes = known.get(key);
      if (nodes === undefined) {
        nodes = automaton.reached(state, symbol);
        known.set(key, nodes);
        noted += nodes.size;
      }
      if (++noted > MAX_NOTED) throw new ShellError("Memory exhausted", 2);
      leading.push(nodes);
      state = automaton.step(state, symbol) >> 1;
    }
    return leading.reverse();
  }
}

/** A pattern of ordinary characters, and of `*` (in a glob) or `.*` between them: texts answer it by themselves. */
class PlainText {
  constructor(
    readonly pieces: readonly string[],
    readonly atStart: boolean,
    readonly atEnd: boolean,
  ) {}

  /** Whether it matches somewhere, or the whole. */
  isIn(text: string, whole = false): boolean {
    const { pieces } = this;
    const [first, last] = [pieces[0]!, pieces[pieces.length - 1]!];
    const [atStart, atEnd] = [whole || this.atStart, whole || this.atEnd];
    if (pieces.length === 1 && atStart && atEnd) return text === first;
    if (atStart && !text.startsWith(first)) return false;
    const limit = atEnd ? text.length - last.length : text.length;
    if (atEnd && !text.endsWith(last)) return false;
    let at = atStart ? first.length : 0;
    for (const piece of pieces.slice(atStart ? 1 : 0, atEnd ? -1 : undefined)) {
      at = text.indexOf(piece, at);
      if (at === -1) return false;
      at += piece.length;
    }
    return at <= limit;
  }
}

function plainText(pattern: Pattern): PlainText | undefined {
  const parts = pattern.kind === "sequence" ? pattern.parts : [pattern];
  const pieces = [""];
  let [atStart, atEnd] = [false, false];
  for (const [i, part] of parts.entries()) {
    const isAny = part.kind === "repeat" && part.body.kind === "set" && part.body.members === anyCharacter;
    if (isAny && part.least === 0 && part.most === Infinity) pieces.push("");
    else if (part.kind === "set" && part.members.length === 2 && part.members[0] === part.members[1]) {
      pieces[pieces.length - 1] += String.fromCodePoint(part.members[0]!);
    } else if (part.kind === "place" && part.place === "start" && i === 0) atStart = true;
    else if (part.kind === "place" && part.place === "end" && i === parts.length - 1) atEnd = true;
    else return undefined;
  }
  return new PlainText(pieces, atStart, atEnd);
}
