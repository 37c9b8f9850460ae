/**
 * A hash of the state of the model: what must be equal after `step n; back n`, and for equal (version, script,
 * seed). Two independent 32-bit lanes (FNV-1a and a multiply-rotate mix), printed as 16 hex digits.
 *
 * @module
 */

const scratch = new DataView(new ArrayBuffer(8));

/** Collects state in a fixed order; the order is part of the hash. */
export class StateHash {
  #low = 0x811c_9dc5;
  #high = 0x9747_b28c;

  /** Adds a 32-bit word. */
  word(value: number): this {
    this.#low = Math.imul(this.#low ^ (value | 0), 0x0100_0193);
    let mixed = Math.imul(value | 0, 0xcc9e_2d51 | 0);
    mixed = (mixed << 15) | (mixed >>> 17);
    this.#high ^= Math.imul(mixed, 0x1b87_3593);
    this.#high = Math.imul((this.#high << 13) | (this.#high >>> 19), 5) + 0xe654_6b64 | 0;
    return this;
  }

  /** Adds any number, all 64 bits of it. */
  number(value: number): this {
    scratch.setFloat64(0, value);
    return this.word(scratch.getInt32(0)).word(scratch.getInt32(4));
  }

  /** Adds a text and its length. */
  text(value: string): this {
    this.word(value.length);
    for (let i = 0; i < value.length; i++) this.word(value.charCodeAt(i));
    return this;
  }

  /** Adds a truth value. */
  flag(value: boolean): this {
    return this.word(value ? 1 : 0);
  }

  /** Adds an array of words. */
  words(values: ArrayLike<number>): this {
    this.word(values.length);
    for (let i = 0; i < values.length; i++) this.word(values[i]!);
    return this;
  }

  /** The hash so far, 16 hex digits. */
  hex(): string {
    const finish = (h: number) => {
      h ^= h >>> 16;
      h = Math.imul(h, 0x85eb_ca6b);
      h ^= h >>> 13;
      h = Math.imul(h, 0xc2b2_ae35);
      return (h ^ (h >>> 16)) >>> 0;
    };
    return finish(this.#high).toString(16).padStart(8, "0") + finish(this.#low).toString(16).padStart(8, "0");
  }
}

/** Something whose state belongs into the hash. */
export interface Hashed {
  /** Adds the whole state, in a fixed order. */
  hashInto(hash: StateHash): void;
}
