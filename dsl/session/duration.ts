/**
 * Durations as scripts write them: a number and a unit, `10us`, `1.5 ms`.
 *
 * @module
 */

const UNIT_NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** Nanoseconds of a text like `10us`, rounded to an integer; undefined where the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(ns|us|ms|s)\s*$/.exec(text);
  const unitNs = UNIT_NS[match?.[2] ?? ""];
  return match === null || unitNs === undefined ? undefined : Math.round(Number(match[1]) * unitNs);
}

/** A duration in the largest unit that leaves no leading zero: `1.5 ms`, `300 s`, `0 ns`. */
export function durationText(ns: number): string {
  for (const [unit, unitNs] of [["s", 1e9], ["ms", 1e6], ["us", 1e3]] as const) {
    if (Math.abs(ns) >= unitNs) return `${Number((ns / unitNs).toFixed(6))} ${unit}`;
  }
  return `${ns} ns`;
}

/** A point in time, to the nanosecond: `0.100003911 s`. */
export function timeText(ns: number): string {
  return `${Math.floor(ns / 1e9)}.${String(ns % 1e9).padStart(9, "0")} s`;
}
