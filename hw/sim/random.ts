/**
 * Named random streams.
 *
 * Every source of randomness has a stream of its own, derived from (seed, name): adding a device shifts nobody
 * else's draws, so two configurations compared under one seed see the same arrivals.
 *
 * The generator is xoshiro128** (Blackman and Vigna, 2018), its state filled by splitmix32 from a hash of seed
 * and name.
 *
 * @module
 */

/** FNV-1a, 32 bits, of a name: which stream it is. */
function hashName(name: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}

/** One stream of pseudo-random numbers. */
export class RandomStream {
  declare readonly seed: number;
  declare readonly name: string;
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** The stream `name` of the run with seed `seed` (any integer up to 2^53). */
  constructor(seed: number, name: string) {
    this.seed = seed;
    this.name = name;
    let state = hashName(name, 0x811c_9dc5) ^ hashName(String(seed), 0x9e37_79b9);
    const splitmix = () => {
      state = (state + 0x9e37_79b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0_aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a_2d97);
      return z ^ (z >>> 15);
    };
    this.#a = splitmix();
    this.#b = splitmix();
    this.#c = splitmix();
    this.#d = splitmix() | 1; // never all zero
  }

  /** The next 32 bits, as a signed integer: for V8 that is a small one always. */
  #next(): number {
    const b = this.#b;
    const m = Math.imul(b, 5);
    const result = Math.imul((m << 7) | (m >>> 25), 9);
    const c = this.#c ^ this.#a;
    const d = this.#d ^ b;
    this.#b = b ^ c;
    this.#a ^= d;
    this.#c = c ^ (b << 9);
    this.#d = (d << 11) | (d >>> 21);
    return result;
  }

  /** A uniform integer, 0 … 2^32 - 1. */
  uint32(): number {
    return this.#next() >>> 0;
  }

  /** A uniform real number in the open interval (0, 1). */
  uniform(): number {
    return ((this.#next() >>> 0) + 0.5) * 2.3283064365386963e-10;
  }

  /** An exponential with mean 1. */
  exponential(): number {
    return -Math.log(this.uniform());
  }

  /**
   * A generalised Pareto excess with `scale` and `shape` (0 < shape < 1: heavy tail), in the unit of `scale`.
   */
  pareto(scale: number, shape: number): number {
    return (scale / shape) * (Math.pow(this.uniform(), -shape) - 1);
  }

  /** Where the stream stands: for the state hash. */
  position(): readonly number[] {
    return [this.#a, this.#b, this.#c, this.#d];
  }
}

/** The random numbers of one run: hands out each named stream once. */
export class Randomness {
  readonly #streams = new Map<string, RandomStream>();
  /** How many owners of that name have gone. */
  readonly #gone = new Map<string, number>();

  /** @param seed what the whole run is derived from, together with the script */
  constructor(readonly seed: number) {}

  /** The stream `name`. Asking again gives the same stream, where it stands. */
  stream(name: string): RandomStream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      this.#streams.set(name, stream = new RandomStream(this.seed, this.#unused(name)));
    }
    return stream;
  }

  /**
   * Whoever drew from the streams `owner.…` is gone. The next owner of that name draws from others: what happens to it is
   * no repetition.
   */
  retire(owner: string): void {
    const prefix = `${owner}.`;
    const names = [...this.#streams.keys()].filter((name) => name.startsWith(prefix));
    if (names.length === 0) return;
    for (const name of names) this.#streams.delete(name);
    this.#gone.set(owner, (this.#gone.get(owner) ?? 0) + 1);
  }

  /** A name that no stream has had: its owner may be the second of its name. */
  #unused(name: string): string {
    for (const [owner, gone] of this.#gone) if (name.startsWith(`${owner}.`)) return `${name}#${gone}`;
    return name;
  }

  /** All streams in use, by name in order of first use. */
  streams(): Iterable<RandomStream> {
    return this.#streams.values();
  }
}
