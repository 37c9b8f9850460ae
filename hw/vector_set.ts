/**
 * A set of interrupt vectors: the 256-bit registers IRR, ISR and TMR are each one of these.
 *
 * @module
 */

/** 256 bits, one a vector, with the highest one at hand. */
export class VectorSet {
  readonly #words = new Int32Array(8);

  /** Adds `vector`. */
  add(vector: number): void {
    this.#words[vector >>> 5]! |= 1 << (vector & 31);
  }

  /** Removes `vector`. */
  delete(vector: number): void {
    this.#words[vector >>> 5]! &= ~(1 << (vector & 31));
  }

  /** Whether `vector` is a member. */
  has(vector: number): boolean {
    return (this.#words[vector >>> 5]! & (1 << (vector & 31))) !== 0;
  }

  /** The highest member, or -1. */
  highest(): number {
    const words = this.#words;
    for (let i = 7; i >= 0; i--) {
      const word = words[i]!;
      if (word !== 0) return (i << 5) + 31 - Math.clz32(word);
    }
    return -1;
  }

  /** Removes all members. */
  clear(): void {
    this.#words.fill(0);
  }

  /** The 32-bit register number `index` (0 … 7), as the manual lays it out. */
  word(index: number): number {
    return this.#words[index]! >>> 0;
  }

  /** Its members, ascending. */
  members(): number[] {
    const list = [];
    for (let vector = 0; vector < 256; vector++) if (this.has(vector)) list.push(vector);
    return list;
  }
}
