/**
 * A program run over a text with all its states at once, each set of them built when it is first met and kept: a step
 * is a look-up then. Forward from the program's start, or backward from its match.
 *
 * What is kept is bounded; beyond the bound it is forgotten and built again. So the time is linear in the text, with the
 * size of the program as its factor at worst.
 *
 * @module
 */
import { type Alphabet, EDGE, FORK, MATCH, PLACE, type Program, REFERENCE, TAKE } from "./program.ts";

/** How many numbers the tables of one automaton may have. */
const MAX_KEPT = 1 << 15;

/** Where the program can be between two characters, before it is known what the next one is. */
interface State {
  /** Nodes, ascending; those that they lead to without a character are not among them. */
  readonly seeds: readonly number[];
  /** The kind of the character behind. */
  readonly behind: number;
  /** For each class `2 * state + 1 if the goal was reached before it`; -1 where that is not known yet. */
  readonly steps: Int32Array;
}

/** One direction of a program. */
export class Automaton {
  readonly #does: Uint8Array;
  /** From each node: where it leads without a character. Forks have two. */
  readonly #leads: readonly (readonly number[])[];
  /** From each node: the nodes where a character leads, and by which set. */
  readonly #takes: readonly (readonly { readonly to: number; readonly set: number }[])[];
  readonly #from: number;
  readonly #goal: number;
  readonly #states: State[] = [];
  readonly #byKey = new Map<string, number>();
  #kept = 0;
  /** The number of the first state that is kept: a number that has been forgotten is not given again. */
  #first = 0;

  /**
   * @param forward from the start to the match, or back
   * @param floating it may begin at every point, not only at the first
   */
  constructor(
    readonly program: Program,
    readonly alphabet: Alphabet,
    readonly forward: boolean,
    readonly floating: boolean,
  ) {
    const { does, next, other, start } = program;
    this.#does = Uint8Array.from(does);
    const leads: number[][] = does.map(() => []);
    const takes: { to: number; set: number }[][] = does.map(() => []);
    const lead = (from: number, to: number) => forward ? leads[from]!.push(to) : leads[to]!.push(from);
    for (let node = 0; node < does.length; node++) {
      if (does[node] === MATCH) continue;
      const [from, to] = forward ? [node, next[node]!] : [next[node]!, node];
      if (does[node] === TAKE) takes[from]!.push({ to, set: other[node]! });
      else lead(node, next[node]!);
      if (does[node] === FORK) lead(node, other[node]!);
    }
    this.#leads = leads;
    this.#takes = takes;
    [this.#from, this.#goal] = forward ? [start, 0] : [0, start];
  }

  /** The state before the first character, with the kind of what lies behind it. */
  begin(behind: number): number {
    return this.#state(this.floating ? [] : [this.#from], behind);
  }

  /** Nothing can follow a state. */
  isDead(state: number): boolean {
    return !this.floating && this.#states[state - this.#first]!.seeds.length === 0;
  }

  /** The step from a state by a class of characters: `2 * state + 1 if the goal was reached before it`. */
  step(state: number, symbol: number): number {
    const known = this.#states[state - this.#first]!.steps[symbol]!;
    return known >= 0 ? known : this.#build(state, symbol);
  }

  #build(state: number, symbol: number): number {
    const { alphabet } = this;
    const { steps } = this.#states[state - this.#first]!;
    const here = this.reached(state, symbol);
    const seeds = new Set<number>();
    for (const node of symbol < alphabet.size ? here : []) {
      for (const { to, set } of this.#takes[node]!) if (alphabet.has[set]![symbol]) seeds.add(to);
    }
    const next = this.#state([...seeds].sort((a, b) => a - b), alphabet.kinds[symbol]!);
    return steps[symbol] = 2 * next + (here.has(this.#goal) ? 1 : 0);
  }

  /** The nodes of a state, once the class of the next character is known. */
  reached(state: number, symbol: number): Set<number> {
    const { seeds, behind } = this.#states[state - this.#first]!;
    const ahead = this.alphabet.kinds[symbol]!;
    const reached = new Set(seeds);
    if (this.floating) reached.add(this.#from);
    // A set is gone through in the order of its insertions, so what is added is come to later.
    for (const node of reached) {
      if (this.forward && !this.#passes(node, behind, ahead)) continue;
      for (const to of this.#leads[node]!) {
        if (this.forward || this.#passes(to, ahead, behind)) reached.add(to);
      }
    }
    return reached;
  }

  #passes(node: number, before: number, after: number): boolean {
    const does = this.#does[node];
    if (does === REFERENCE) throw new Error("an automaton remembers no group");
    return does !== PLACE || this.program.places[this.program.other[node]!]!(before, after);
  }

  #state(seeds: readonly number[], behind: number): number {
    const key = `${behind}:${seeds.join()}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#kept > MAX_KEPT) {
      this.#first += this.#states.length;
      this.#states.length = this.#kept = 0;
      this.#byKey.clear();
    }
    const steps = new Int32Array(this.alphabet.size + 1).fill(-1);
    this.#kept += steps.length + 2 * seeds.length;
    const number = this.#first + this.#states.push({ seeds, behind, steps }) - 1;
    this.#byKey.set(key, number);
    return number;
  }
}

/** A text as the classes of its characters. */
export interface Symbols {
  readonly classes: Uint16Array;
  readonly length: number;
  /** Where each character begins, and the last one ends; undefined if each has one unit. */
  readonly offsets: Int32Array | undefined;
}

/** The kind of what stands at a place of a text. */
export function kindAt(symbols: Symbols, alphabet: Alphabet, at: number): number {
  return at < 0 || at >= symbols.length ? EDGE : alphabet.kinds[symbols.classes[at]!]!;
}

let shared = new Uint16Array(256);

/** Reads a text; the result holds until the next text is read. */
export function symbolsOf(text: string, alphabet: Alphabet): Symbols {
  if (shared.length < text.length) shared = new Uint16Array(2 * text.length);
  const classes = shared;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code & 0xfc00) === 0xd800) return longSymbols(text, alphabet);
    classes[i] = alphabet.classOf(code);
  }
  return { classes, length: text.length, offsets: undefined };
}

function longSymbols(text: string, alphabet: Alphabet): Symbols {
  const offsets = new Int32Array(text.length + 1);
  const classes = new Uint16Array(text.length);
  let length = 0;
  let offset = 0;
  for (const one of text) {
    offsets[length] = offset;
    classes[length++] = alphabet.classOf(one.codePointAt(0)!);
    offset += one.length;
  }
  offsets[length] = offset;
  return { classes, length, offsets };
}
