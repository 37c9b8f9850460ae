/**
 * A pattern as a machine with many states at once (Thompson's construction): nodes that take a character, and nodes
 * that lead on without one.
 *
 * The order of the two ways out of a fork, and how `{n,m}` is written out, are those of the C library: its groups
 * follow the first way that leads to the match.
 *
 * @module
 */
import { ShellError } from "../../syntax/shell_error.ts";
import { bothCases, type CharacterSet, type Pattern, type Place, wordCharacters } from "./syntax.ts";

/** What a node does. */
export const TAKE = 0, FORK = 1, PLACE = 2, OPEN = 3, CLOSE = 4, CLOSE_OPTIONAL = 5, REFERENCE = 6, MATCH = 7;

/** How many nodes a pattern may have; the C library has a limit, too, and these words for it. */
const MAX_NODES = 40_000;
const tooBig = "Regular expression too big";

/** What stands beside a point: the edge of the text, a word's character, another one. */
export const EDGE = 0, WORD = 1, OTHER = 2;

const places: Readonly<Record<Place, (before: number, after: number) => boolean>> = {
  "start": (before) => before === EDGE,
  "end": (_, after) => after === EDGE,
  "word start": (before, after) => before !== WORD && after === WORD,
  "word end": (before, after) => before === WORD && after !== WORD,
  "word border": (before, after) => (before === WORD) !== (after === WORD),
  "no word border": (before, after) => (before === WORD) === (after === WORD),
  "no word before": (before) => before !== WORD,
  "no word after": (_, after) => after !== WORD,
};

/** A compiled pattern. Nodes are numbers; node 0 is the match. */
export class Program {
  /** What each node does. */
  readonly does: number[] = [MATCH];
  /** Where it leads; of a fork, the way that is preferred. */
  readonly next: number[] = [-1];
  /** Of a fork the other way, otherwise the number of a set, a place or a group. */
  readonly other: number[] = [-1];
  readonly sets: CharacterSet[] = [];
  readonly places: ((before: number, after: number) => boolean)[] = [];
  readonly start: number;
  /** How many groups there are. */
  groups = 0;
  hasReferences = false;

  constructor(pattern: Pattern, readonly ignoresCase: boolean) {
    this.start = this.#compile(pattern, 0, false);
  }

  #node(does: number, next: number, other = -1): number {
    if (this.does.length >= MAX_NODES) throw new ShellError(tooBig, 2);
    this.next.push(next);
    this.other.push(other);
    return this.does.push(does) - 1;
  }

  /**
   * The node where `pattern` begins that goes on at `next`.
   *
   * @param isCopy it is not the first time that it is written out: the C library then forgets which groups are optional
   * @param isOptional it is a group that need not be there
   */
  #compile(pattern: Pattern, next: number, isCopy: boolean, isOptional = false): number {
    switch (pattern.kind) {
      case "set":
        return this.#node(TAKE, next, this.#set(pattern.members));
      case "place":
        return this.#node(PLACE, next, this.places.push(places[pattern.place]) - 1);
      case "sequence":
        return pattern.parts.reduceRight((after, part) => this.#compile(part, after, isCopy), next);
      case "choice": {
        const [first, second, ...others] = pattern.options;
        // An empty option before another one comes after it.
        const options = isEmpty(first!) ? [second!, first!, ...others] : pattern.options;
        return options.map((option) => this.#compile(option, next, isCopy))
          .reduce((before, option) => this.#node(FORK, before, option));
      }
      case "group": {
        const { number, body } = pattern;
        this.groups = Math.max(this.groups, number);
        const end = this.#node(isOptional ? CLOSE_OPTIONAL : CLOSE, next, number);
        return this.#node(OPEN, this.#compile(body, end, isCopy), number);
      }
      case "reference":
        this.hasReferences = true;
        return this.#node(REFERENCE, next, pattern.number);
      case "repeat":
        return this.#repeat(pattern, next, isCopy);
    }
  }

  #repeat({ body, least, most }: Pattern & { kind: "repeat" }, next: number, isCopy: boolean): number {
    const optional = (after: number, isFirst: boolean) =>
      this.#compile(body, after, isCopy || least > 0 || !isFirst, isFirst && !isCopy);
    let start = next;
    if (most === Infinity) {
      start = this.#node(FORK, next, next);
      this.next[start] = optional(start, true);
    } else if (most > least) {
      // ((x)?x)?x: a way that takes more of them is preferred to one that takes longer ones.
      const bodies = [next];
      for (let i = most; i > least; i--) bodies.push(optional(bodies[bodies.length - 1]!, i === least + 1));
      start = bodies.pop()!;
      while (bodies.length > 0) start = this.#node(FORK, start, bodies.pop()!);
    }
    for (let i = least; i > 0; i--) start = this.#compile(body, start, isCopy || i > 1);
    return start;
  }

  #set(members: CharacterSet): number {
    const set = this.ignoresCase ? bothCases(members) : members;
    const known = this.sets.findIndex((one) =>
      one.length === set.length && one.every((n, i) => n === set[i])
    );
    return known !== -1 ? known : this.sets.push(set) - 1;
  }
}

function isEmpty(pattern: Pattern): boolean {
  return pattern.kind === "sequence" && pattern.parts.length === 0;
}

/** The characters of a program in classes whose members it does not tell apart. */
export class Alphabet {
  /** How many classes there are; the number itself stands for the edge of the text. */
  readonly size: number;
  /** Whether a set (first index) has a class. */
  readonly has: readonly Uint8Array[];
  /** {@linkcode WORD} or {@linkcode OTHER} for each class, {@linkcode EDGE} for the edge; all 0 if nobody asks. */
  readonly kinds: Uint8Array;
  readonly #borders: readonly number[];
  readonly #classes: Uint16Array;
  readonly #low = new Uint16Array(256);

  constructor(program: Program) {
    const asks = program.places.length > 0;
    const sets = asks ? [...program.sets, wordCharacters] : program.sets;
    const borders = new Set([0]);
    for (const set of sets) for (const [i, code] of set.entries()) borders.add(i % 2 === 0 ? code : code + 1);
    this.#borders = [...borders].sort((a, b) => a - b);
    this.#classes = new Uint16Array(this.#borders.length);
    const cursors = new Uint32Array(sets.length);
    const known = new Map<string, number>();
    const rows: Uint8Array[] = [];
    for (const [i, border] of this.#borders.entries()) {
      const row = Uint8Array.from(sets, (set, s) => {
        while (set[cursors[s]! + 1]! < border) cursors[s]! += 2;
        return set[cursors[s]!]! <= border ? 1 : 0;
      });
      const key = String.fromCharCode(...row);
      let number = known.get(key);
      if (number === undefined) known.set(key, number = rows.push(row) - 1);
      this.#classes[i] = number;
    }
    this.size = rows.length;
    this.has = program.sets.map((_, s) => Uint8Array.from(rows, (row) => row[s]!));
    this.kinds = new Uint8Array(this.size + 1);
    if (asks) rows.forEach((row, i) => this.kinds[i] = row[sets.length - 1] ? WORD : OTHER);
    for (let i = 0; i < this.#borders.length && this.#borders[i]! < 256; i++) {
      this.#low.fill(this.#classes[i]!, this.#borders[i]!, this.#borders[i + 1] ?? 256);
    }
  }

  #search(code: number): number {
    let [low, high] = [0, this.#borders.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#borders[middle]! <= code) low = middle;
      else high = middle - 1;
    }
    return this.#classes[low]!;
  }

  /** The class of a character. */
  classOf(code: number): number {
    return code < 256 ? this.#low[code]! : this.#search(code);
  }
}
