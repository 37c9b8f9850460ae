/**
 * A latency histogram with logarithmic counts for a terminal: block characters, an eighth of a line each step.
 *
 * @module
 */

import type { Histogram } from "../../runtime/measure/histogram.ts";

const BLOCKS = " ▁▂▃▄▅▆▇█";
/** Columns of a panel at most. */
const COLUMNS = 64;
/** Room for a tick of the counts: `10^6 |`. */
const GUTTER = 6;

/**
 * The lines of one histogram from 0 to `bodyUs`: counts, axis, and in words what lies beyond. A line is a power of ten,
 * and its label is what it reaches at its top. A column is 1 µs, or as many as are needed to fit; its height is that of
 * its fullest bin.
 *
 * @param top the power of ten that fills a panel
 */
export function histogramText(histogram: Histogram, bodyUs: number, top: number): string[] {
  const step = Math.ceil(bodyUs / COLUMNS);
  const columns = Math.ceil(bodyUs / step);
  const heights = Array.from({ length: columns }, (_, column) => {
    let most = 0;
    for (let us = column * step; us < (column + 1) * step; us++) {
      most = Math.max(most, histogram.counts[us] ?? 0);
    }
    return most === 0 ? 0 : Math.max(1, Math.round(Math.log10(most) * 8)); // a single sample is seen
  });
  const lines: string[] = [];
  for (let row = top - 1; row >= 0; row--) {
    const bar = heights.map((height) => BLOCKS[Math.max(0, Math.min(8, height - row * 8))]).join("");
    lines.push(`${`10^${row + 1}`.padStart(GUTTER - 2)} |${bar}`.trimEnd());
  }
  let axis = "", labels = "";
  for (let column = 0; column <= columns; column++) {
    const us = column * step;
    const isTick = us % (10 * step) === 0;
    axis += isTick ? "+" : "-";
    if (isTick && labels.length <= column) labels = labels.padEnd(column) + us;
  }
  lines.push(`${" ".repeat(GUTTER - 1)}${axis}`, `${" ".repeat(GUTTER - 1)}${labels} us`);
  let beyond = histogram.overflows;
  for (let us = columns * step; us < histogram.bins; us++) beyond += histogram.counts[us]!;
  if (beyond > 0) {
    lines.push(
      `${" ".repeat(GUTTER)}from ${
        columns * step
      } us on: ${beyond} samples, the last at ${histogram.maxUs} us`,
    );
  }
  return lines;
}
