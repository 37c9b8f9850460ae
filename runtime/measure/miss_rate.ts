/**
 * What a run without a miss says about the rate of misses.
 *
 * *Document*: the "rule of three": Hanley and Lippman-Hand, "If Nothing Goes Wrong, Is Everything All Right?",
 * JAMA 249 (1983).
 *
 * @module
 */

/**
 * The upper bound, at 95 % confidence, of the probability of an event that did not happen in `n` independent samples:
 * 3/n, and never more than 1. A maximum of 300,000 samples says no more than that a larger one is rarer than
 * 1 in 100,000.
 *
 * @throws RangeError if `n` is no positive integer: no sample bounds nothing.
 */
export function missRateBound(n: number): number {
  if (!Number.isInteger(n) || n < 1) {
    throw new RangeError(`Cannot bound a rate by ${n} samples: expected 1 or more`);
  }
  return Math.min(1, 3 / n);
}

/** {@linkcode missRateBound} as a sentence: `no miss in 300000 samples: rate at most 1.0e-5 (3/n, 95 %)`. */
export function missRateText(n: number): string {
  return `no miss in ${n} samples: rate at most ${missRateBound(n).toExponential(1)} (3/n, 95 %)`;
}
