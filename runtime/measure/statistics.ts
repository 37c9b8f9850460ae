/**
 * What several runs together say: intervals for a mean, quantiles, the distribution of maxima, and how far into its
 * tail a histogram can be read.
 *
 * *Document*: Student's t for whole degrees of freedom: Abramowitz and Stegun, "Handbook of Mathematical Functions",
 * 26.7.3 and 26.7.4. Quantiles: definition 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996).
 *
 * Runs with different seeds are independent of each other, the samples of one run are not: an interval is taken over
 * the runs' means, never over a run's samples. Student's t is exact where the runs' means are normal, and each is a mean
 * of thousands of samples; no resampling, so no random number is drawn here.
 *
 * @module
 */

import type { Histogram } from "./histogram.ts";

/** The confidence of every interval that is printed. */
export const CONFIDENCE = 0.95;

/** The arithmetic mean; undefined without values. */
export function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The standard deviation of the population that the values are a sample of (n - 1); undefined for fewer than 2. */
export function standardDeviation(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined;
  const middle = mean(values)!;
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** The probability that |T| <= t, for Student's T with `degrees` of freedom. */
function studentCentral(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const sine = Math.sin(angle), cosine = Math.cos(angle);
  const odd = degrees % 2 === 1;
  let sum = 0;
  let term = odd ? cosine : 1;
  for (let power = odd ? 1 : 0; power <= degrees - 2; power += 2) {
    sum += term;
    term *= cosine * cosine * (power + 1) / (power + 2);
  }
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}

/**
 * Student's t for a two-sided interval: |T| is at most this with probability `confidence`. For 4 degrees of freedom and
 * 95 % it is 2.776.
 *
 * @throws RangeError if the degrees of freedom are no positive integer or the confidence is not between 0 and 1.
 */
export function studentT(degrees: number, confidence: number = CONFIDENCE): number {
  if (!Number.isInteger(degrees) || degrees < 1 || !(confidence > 0 && confidence < 1)) {
    throw new RangeError(
      `There is no Student's t for ${degrees} degrees of freedom and confidence ${confidence}: expected an integer ` +
        "from 1 and a number between 0 and 1",
    );
  }
  let low = 0, high = 1;
  while (studentCentral(high, degrees) < confidence) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (studentCentral(middle, degrees) < confidence) low = middle;
    else high = middle;
  }
  return high;
}

/** A mean and how far the true one may be off, at {@linkcode CONFIDENCE}. */
export interface MeanInterval {
  readonly mean: number;
  /** Half the interval's width; undefined for a single value, which bounds nothing. */
  readonly halfWidth: number | undefined;
}

/** The mean over independent runs with Student's interval; undefined without values. */
export function meanInterval(values: readonly number[]): MeanInterval | undefined {
  const middle = mean(values);
  if (middle === undefined) return undefined;
  const deviation = standardDeviation(values);
  if (deviation === undefined) return { mean: middle, halfWidth: undefined };
  return { mean: middle, halfWidth: studentT(values.length - 1) * deviation / Math.sqrt(values.length) };
}

/**
 * The value that a share of the values does not exceed, interpolated between neighbours (Hyndman and Fan's
 * definition 7, as R and NumPy take it). Undefined without values.
 *
 * @throws RangeError if `share` is not from 0 to 1.
 */
export function quantile(values: readonly number[], share: number): number | undefined {
  if (!(share >= 0 && share <= 1)) {
    throw new RangeError(`Cannot take the quantile ${share}: expected 0 <= q <= 1`);
  }
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!, high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (place - below);
}

/** Where `value` stands among `values`, in percent: those below it, and half of those equal. Undefined without values. */
export function percentileOf(value: number, values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const below = values.filter((each) => each < value).length;
  const equal = values.filter((each) => each === value).length;
  return 100 * (below + equal / 2) / values.length;
}

/** How many values it takes before a 5th and a 95th percentile are more than the extremes. */
export const VALUES_FOR_P5 = 20;

/** A distribution of one number over runs. */
export interface Distribution {
  readonly runs: number;
  readonly min: number;
  /** Undefined for fewer than {@linkcode VALUES_FOR_P5} runs. */
  readonly p5: number | undefined;
  readonly p50: number;
  /** Undefined for fewer than {@linkcode VALUES_FOR_P5} runs. */
  readonly p95: number | undefined;
  readonly max: number;
}

/** How a number, such as the largest latency of a run, is distributed over the runs; undefined without runs. */
export function distribution(values: readonly number[]): Distribution | undefined {
  if (values.length === 0) return undefined;
  const enough = values.length >= VALUES_FOR_P5;
  return {
    runs: values.length,
    min: quantile(values, 0)!,
    p5: enough ? quantile(values, 0.05) : undefined,
    p50: quantile(values, 0.5)!,
    p95: enough ? quantile(values, 0.95) : undefined,
    max: quantile(values, 1)!,
  };
}

/** A percentile of a histogram, or why there is none. */
export interface Percentile {
  /** `p99.9`. */
  readonly name: string;
  /** In whole µs: the smallest that so many samples do not exceed; undefined where `reason` says why. */
  readonly us: number | undefined;
  readonly reason?: string;
}

/** How many samples have to lie beyond a percentile for it to be more than a few extremes. */
export const SAMPLES_BEYOND = 10;

/** The percentiles that are asked for: shares beyond them, as one in so many. */
const LADDER = [
  ["p50", 2],
  ["p90", 10],
  ["p99", 100],
  ["p99.9", 1_000],
  ["p99.99", 10_000],
  ["p99.999", 100_000],
  ["p99.9999", 1_000_000],
] as const;

/**
 * p50, p90, p99, p99.9 and so on, one a power of ten. Those beyond 1 - 10/n are not given: fewer than ten samples
 * would stand for them.
 */
export function percentiles(histogram: Histogram): Percentile[] {
  const { count } = histogram;
  return LADDER.map(([name, oneIn]) => {
    if (count < SAMPLES_BEYOND * oneIn) {
      return { name, us: undefined, reason: `needs ${SAMPLES_BEYOND * oneIn} samples, there are ${count}` };
    }
    const us = histogram.quantileUs(1 - 1 / oneIn);
    return us === undefined ? { name, us, reason: `lies beyond the histogram's ${histogram.bins} us` } : {
      name,
      us,
    };
  });
}
