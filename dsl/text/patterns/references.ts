/**
 * Patterns with back-references: one way after the other, since no automaton remembers what a group has matched, within
 * a bounded number of steps.
 *
 * @module
 */
import { ShellError } from "../../syntax/shell_error.ts";
import {
  type Alphabet,
  CLOSE,
  CLOSE_OPTIONAL,
  EDGE,
  FORK,
  MATCH,
  OPEN,
  PLACE,
  type Program,
  REFERENCE,
  TAKE,
} from "./program.ts";
import { isMember } from "./syntax.ts";

/** How many steps one search may take; more for a long text, so that passing over it is never too much. */
const MAX_STEPS = 1_000_000;

/** A match: where it lies, and its groups as pairs of offsets, -1 for one that took no part. The first is the whole. */
export type Found = Int32Array;

/** One search in one text. */
export class ReferenceSearch {
  #steps: number;
  /** The groups that the program refers to. */
  readonly #referred: readonly number[];

  constructor(readonly program: Program, readonly alphabet: Alphabet, readonly text: string) {
    this.#steps = MAX_STEPS + 8 * text.length;
    const { does, other } = program;
    this.#referred = [...new Set(other.filter((_, node) => does[node] === REFERENCE))];
  }

  /** The longest match that begins at an offset; of equal ones the first. @throws {ShellError} after too many steps */
  at(start: number): Found | undefined {
    const { program, text } = this;
    const { does, next, other } = program;
    const slots = new Int32Array(2 * program.groups + 2).fill(-1);
    let best: Found | undefined;
    /** Ways not taken yet: node, offset, and how many of the changes to the slots they share. */
    const ways: number[] = [program.start, start, 0];
    const changes: [slot: number, before: number][] = [];
    const change = (slot: number, value: number) => {
      changes.push([slot, slots[slot]!]);
      slots[slot] = value;
    };
    /** Forks and offsets that were come to, by what the groups held that are referred to: they lead where they led. */
    const known = new Map<string, Set<number>>();
    const knownNow = () => {
      const key = this.#referred.map((group) => `${slots[2 * group]},${slots[2 * group + 1]}`).join();
      let set = known.get(key);
      if (set === undefined) known.set(key, set = new Set());
      return set;
    };
    while (ways.length > 0) {
      const shared = ways.pop()!;
      let at = ways.pop()!;
      let node = ways.pop()!;
      while (changes.length > shared) {
        const [slot, before] = changes.pop()!;
        slots[slot] = before;
      }
      let here = knownNow();
      while (node !== -1) {
        if (--this.#steps < 0) throw new ShellError("Back references take too many steps", 2);
        const operand = other[node]!;
        switch (does[node]) {
          case MATCH:
            if (best === undefined || at > best[1]!) {
              best = slots.slice();
              [best[0], best[1]] = [start, at];
            }
            if (at === text.length) return best;
            node = -1;
            continue;
          case TAKE: {
            const code = text.codePointAt(at);
            if (code === undefined || !isMember(program.sets[operand]!, code)) {
              node = -1;
              continue;
            }
            at += code > 0xffff ? 2 : 1;
            break;
          }
          case FORK: {
            const key = at * does.length + node;
            if (here.has(key)) {
              node = -1;
              continue;
            }
            here.add(key);
            ways.push(operand, at, changes.length);
            break;
          }
          case PLACE:
            if (!program.places[operand]!(this.#kind(at, -1), this.#kind(at, 0))) {
              node = -1;
              continue;
            }
            break;
          case OPEN:
            change(2 * operand, at);
            change(2 * operand + 1, -1);
            if (this.#referred.includes(operand)) here = knownNow();
            break;
          case CLOSE:
          case CLOSE_OPTIONAL:
            change(2 * operand + 1, at);
            if (this.#referred.includes(operand)) here = knownNow();
            break;
          case REFERENCE: {
            const [from, to] = [slots[2 * operand]!, slots[2 * operand + 1]!];
            const length = to - from;
            this.#steps -= length >> 3;
            if (to === -1 || !this.#same(text.slice(from, to), text.slice(at, at + length))) {
              node = -1;
              continue;
            }
            at += length;
          }
        }
        node = next[node]!;
      }
    }
    return best;
  }

  #same(a: string, b: string): boolean {
    return a === b || (this.program.ignoresCase && a.toLowerCase() === b.toLowerCase());
  }

  #kind(at: number, shift: -1 | 0): number {
    const code = this.text.charCodeAt(at + shift);
    return Number.isNaN(code) ? EDGE : this.alphabet.kinds[this.alphabet.classOf(code)]!;
  }
}
