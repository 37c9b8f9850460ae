/**
 * A set of interrupt vectors: the 256-bit registers IRR, ISR and TMR are each one of these.
 *
 * @module
 */

/** 256 bits, one a vector, with the highest one at hand. */
export class VectorSet {
  readonly #words = new Int32Array(8);
  /** Bit N: word N is not 0. */
  #summary = 0;
  /** The highest member, or -1: kept where members come and go, as it is asked for far more often. */
  #highest = -1;

  /** Adds `vector`. */
  add(vector: number): void {
    const index = vector >>> 5;
    this.#words[index]! |= 1 << (vector & 31);
    this.#summary |= 1 << index;
    if (vector > this.#highest) this.#highest = vector;
  }

  /** Removes `vector`. */
  delete(vector: number): void {
    const index = vector >>> 5;
    const word = this.#words[index]! & ~(1 << (vector & 31));
    this.#words[index] = word;
    if (word === 0) this.#summary &= ~(1 << index);
    if (vector === this.#highest) this.#findHighest();
  }

  /** Whether `vector` is a member. */
  has(vector: number): boolean {
    return (this.#words[vector >>> 5]! & (1 << (vector & 31))) !== 0;
  }

  /** The highest member, or -1. */
  highest(): number {
    return this.#highest;
  }

  #findHighest(): void {
    const index = 31 - Math.clz32(this.#summary); // -1: it is empty
    this.#highest = index < 0 ? -1 : (index << 5) + 31 - Math.clz32(this.#words[index]!);
  }

  /** Removes all members. */
  clear(): void {
    this.#words.fill(0);
    this.#summary = 0;
    this.#highest = -1;
  }

  /** The 32-bit register number `index` (0 … 7), as the manual lays it out. */
  word(index: number): number {
    return this.#words[index]! >>> 0;
  }

  /** Puts a value into the register of that number. */
  setWord(index: number, value: number): void {
    this.#words[index] = value;
    if (value === 0) this.#summary &= ~(1 << index);
    else this.#summary |= 1 << index;
    this.#findHighest();
  }

  /** Its members, ascending. */
  members(): number[] {
    const list = [];
    for (let vector = 0; vector < 256; vector++) if (this.has(vector)) list.push(vector);
    return list;
  }
}
