/**
 * A latency histogram with 1 µs bins, exact: it counts every sample, and its sums are integers.
 *
 * Like cyclictest it cuts a latency to whole microseconds before it counts it. Beside that it keeps the sum, minimum
 * and maximum in nanoseconds, so that a mean does not lose what the cut throws away.
 *
 * @module
 */
import type { Hashed, StateHash } from "../../hw/sim/state_hash.ts";

/** What a histogram consists of, in a form that can be written down. */
export interface HistogramParts {
  readonly bins: number;
  /** The bins that are not empty: whole µs and samples. */
  readonly counts: Iterable<readonly [us: number, samples: number]>;
  readonly overflows: number;
  readonly sumUs: number;
  readonly sumNs: number;
  readonly minNs: number;
  readonly maxNs: number;
}

/** Latencies of one thread or run. */
export class Histogram implements Hashed {
  declare readonly bins: number;
  /** Samples by whole microsecond; a latency of `bins` µs or more is in {@linkcode overflows} only. */
  readonly counts: Uint32Array;
  /** Number of samples, overflows included. */
  count = 0;
  /** Samples of `bins` µs or more. */
  overflows = 0;
  /** Sum of the latencies, each cut to whole µs. */
  sumUs = 0;
  /** Sum of the latencies in ns. */
  sumNs = NaN;
  /** Smallest latency in ns; `Infinity` without samples. */
  minNs = Infinity;
  /** Largest latency in ns; `-Infinity` without samples. */
  maxNs = -Infinity;
  /** Which sample was the smallest, counted from 1, the first of equal ones; 0 without samples. */
  minSample = 0;
  /** Which sample was the largest, likewise. */
  maxSample = 0;
  /** The last latency in whole µs; 0 without samples. */
  lastUs = 0;

  /**
   * @param bins Number of bins: latencies from 0 to `bins` - 1 µs, as with cyclictest's `-h bins`. 0 counts sums and
   * extremes only.
   * @throws RangeError if `bins` is no integer from 0 to 10,000,000.
   */
  constructor(bins: number) {
    this.bins = bins;
    this.sumNs = 0; // soon large: see `Engine`
    if (!Number.isInteger(bins) || bins < 0 || bins > 10_000_000) {
      throw new RangeError(
        `Cannot make a histogram with ${bins} bins: expected an integer from 0 to 10000000`,
      );
    }
    this.counts = new Uint32Array(bins);
  }

  /** A histogram out of its parts, as another one had them. Its last latency is not known: 0. */
  static of({ bins, counts, overflows, sumUs, sumNs, minNs, maxNs }: HistogramParts): Histogram {
    const histogram = new Histogram(bins);
    histogram.count = histogram.overflows = overflows;
    for (const [us, samples] of counts) {
      if (!(us in histogram.counts)) throw new RangeError(`There is no bin of ${us} us in ${bins} bins`);
      histogram.counts[us] = samples;
      histogram.count += samples;
    }
    return Object.assign(histogram, { sumUs, sumNs, minNs, maxNs });
  }

  /**
   * Counts one latency, an integer number of nanoseconds.
   *
   * @throws RangeError if it is negative or no integer: a sample before its time is a bug of the caller.
   */
  record(latencyNs: number): void {
    if (!(latencyNs >= 0) || !Number.isInteger(latencyNs)) {
      throw new RangeError(`Cannot count a latency of ${latencyNs} ns: expected an integer, not negative`);
    }
    const us = Math.floor(latencyNs / 1000);
    if (us < this.bins) this.counts[us]!++;
    else this.overflows++;
    this.count++;
    this.sumUs += us;
    this.sumNs += latencyNs;
    this.lastUs = us;
    if (latencyNs < this.minNs) {
      this.minNs = latencyNs;
      this.minSample = this.count;
    }
    if (latencyNs > this.maxNs) {
      this.maxNs = latencyNs;
      this.maxSample = this.count;
    }
  }

  /** Adds the samples of another histogram, as if they had been counted here after our own. */
  merge(other: Histogram): void {
    if (other.bins !== this.bins) {
      throw new RangeError(`Cannot merge a histogram of ${other.bins} bins into one of ${this.bins}`);
    }
    for (let us = 0; us < this.bins; us++) this.counts[us]! += other.counts[us]!;
    if (other.minNs < this.minNs) this.minSample = this.count + other.minSample;
    if (other.maxNs > this.maxNs) this.maxSample = this.count + other.maxSample;
    this.count += other.count;
    this.overflows += other.overflows;
    this.sumUs += other.sumUs;
    this.sumNs += other.sumNs;
    this.minNs = Math.min(this.minNs, other.minNs);
    this.maxNs = Math.max(this.maxNs, other.maxNs);
    if (other.count > 0) this.lastUs = other.lastUs;
  }

  /** Samples in the bins. */
  get inRange(): number {
    return this.count - this.overflows;
  }

  /** Smallest latency in whole µs, or undefined without samples. */
  get minUs(): number | undefined {
    return this.count === 0 ? undefined : Math.floor(this.minNs / 1000);
  }

  /** Largest latency in whole µs, or undefined without samples. */
  get maxUs(): number | undefined {
    return this.count === 0 ? undefined : Math.floor(this.maxNs / 1000);
  }

  /** Mean of the latencies as cyclictest prints it, cut twice to whole µs; undefined without samples. */
  get avgUs(): number | undefined {
    return this.count === 0 ? undefined : Math.floor(this.sumUs / this.count);
  }

  /** Mean of the latencies in µs, nothing cut; undefined without samples. */
  get meanUs(): number | undefined {
    return this.count === 0 ? undefined : this.sumNs / this.count / 1000;
  }

  /** The fullest bin in µs, the smallest of equally full ones; undefined if all are empty. */
  get modeUs(): number | undefined {
    let mode: number | undefined;
    let most = 0;
    for (let us = 0; us < this.bins; us++) {
      const samples = this.counts[us]!;
      if (samples > most) [mode, most] = [us, samples];
    }
    return mode;
  }

  /**
   * The smallest latency in whole µs that at least `share` of all samples do not exceed. Undefined without samples,
   * and where the answer lies among the overflows, whose latencies are not kept.
   */
  quantileUs(share: number): number | undefined {
    if (!(share > 0 && share <= 1)) {
      throw new RangeError(`Cannot take the quantile ${share}: expected 0 < q <= 1`);
    }
    if (this.count === 0) return undefined;
    const wanted = Math.ceil(share * this.count);
    let seen = 0;
    for (let us = 0; us < this.bins; us++) {
      seen += this.counts[us]!;
      if (seen >= wanted) return us;
    }
    return undefined;
  }

  /** The bins that are not empty, from the left: whole µs and samples. */
  *entries(): Generator<readonly [us: number, samples: number]> {
    for (let us = 0; us < this.bins; us++) {
      const samples = this.counts[us]!;
      if (samples > 0) yield [us, samples];
    }
  }

  /** Adds every bin and sum. */
  hashInto(hash: StateHash): void {
    hash.word(this.bins).number(this.count).word(this.overflows).number(this.sumUs).number(this.sumNs);
    hash.number(this.minNs).number(this.maxNs).word(this.lastUs);
    for (const [us, samples] of this.entries()) hash.word(us).word(samples);
  }
}
