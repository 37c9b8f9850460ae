/**
 * The outline of a histogram: steps from bin to bin. The only module that imports `d3-shape`.
 *
 * @module
 */

// @ts-types="npm:@types/d3-shape@3.2.0"
import { area, curveStepAfter, line } from "d3-shape";
import { EMPTY_BIN, type Scale } from "./axes.ts";

/** The steps of a histogram as two SVG paths: the line, and the area under it. */
export interface Outline {
  readonly line: string;
  readonly area: string;
}

/**
 * The steps of `counts`, bin `i` from `i` to `i + 1`, from the first bin that has something to the last. Empty bins
 * between them are {@linkcode EMPTY_BIN}, so that a line does not run level from one bin to the next full one.
 */
export function outline(counts: ArrayLike<number>, bins: number, x: Scale, y: Scale): Outline {
  const floor = y(EMPTY_BIN);
  const isFull = (bin: number) => (counts[bin] ?? 0) > 0;
  let from = 0, to = bins;
  while (from < to && !isFull(from)) from++;
  while (to > from && !isFull(to - 1)) to--;
  const points: [number, number][] = [[x(from), floor]];
  for (let bin = from; bin < to; bin++) points.push([x(bin), y(Math.max(counts[bin] ?? 0, EMPTY_BIN))]);
  points.push([x(to), floor]);
  return {
    line: line().curve(curveStepAfter).digits(2)(points) ?? "",
    area: area().curve(curveStepAfter).digits(2).y0(floor)(points) ?? "",
  };
}
