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

/** Spans of time by the names that rates are given in: seconds of each. */
const SPANS: ReadonlyMap<string, number> = new Map([
  ["second", 1],
  ["minute", 60],
  ["hour", 3600],
  ["day", 86_400],
  ["week", 604_800],
]);

/** A wished rate of misses. */
export interface WishedRate {
  /** As a sentence says it: `1 per hour`. */
  readonly text: string;
  readonly perSecond: number;
}

/** The rates whose run length is told where nobody wishes another one. */
export const USUAL_RATES: readonly WishedRate[] = ["1/hour", "1/day"].map((text) => parseRate(text)!);

/** A rate as `1/hour` or `0.5/day`; undefined where the text is none. */
export function parseRate(text: string): WishedRate | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*\/\s*([a-z]+)\s*$/.exec(text);
  const seconds = SPANS.get(match?.[2] ?? "");
  const times = Number(match?.[1]);
  if (seconds === undefined || !(times > 0)) return undefined;
  return { text: `${times} per ${match![2]}`, perSecond: times / seconds };
}

/** How long a run without a miss has to be to bound the rate of misses by `perSecond` at 95 %: seconds. */
export function runLengthS(perSecond: number): number {
  if (!(perSecond > 0)) {
    throw new RangeError(`No run bounds a rate by ${perSecond} per second: expected more than 0`);
  }
  return 3 / perSecond;
}

/** `90 s`, `3.0 h`, `72 h`, `21 d`. */
function spanText(seconds: number): string {
  const [value, unit] = seconds < 600
    ? [seconds, "s"]
    : seconds < 100 * 3600
    ? [seconds / 3600, "h"]
    : [seconds / 86_400, "d"];
  return `${value < 10 && unit !== "s" ? value.toFixed(1) : String(Number(value.toPrecision(3)))} ${unit}`;
}

/**
 * What a run length supports, and what it would take: `300000 samples in 300 s bound misses beyond the maximum to 1 in
 * 100 s (95 %); for < 1 per hour run 3.0 h, for < 1 per day run 72 h`.
 */
export function runLengthText(
  samples: number,
  intervalUs: number,
  wished: readonly WishedRate[] = USUAL_RATES,
): string {
  const lengthS = samples * intervalUs / 1e6;
  const needs = wished.map(({ text, perSecond }) =>
    runLengthS(perSecond) <= lengthS
      ? `enough for < ${text}`
      : `for < ${text} run ${spanText(runLengthS(perSecond))}`
  );
  return `${samples} samples in ${spanText(lengthS)} bound misses beyond the maximum to 1 in ${
    spanText(lengthS / 3)
  } (95 %); ${needs.join(", ")}`;
}
