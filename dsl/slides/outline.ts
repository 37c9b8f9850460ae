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
 * The steps of `counts`, bin `i` from `i` to `i + 1`. Empty bins are {@linkcode EMPTY_BIN}, so that a line does not
 * run level from one bin to the next one that has something.
 */
export function outline(counts: ArrayLike<number>, bins: number, x: Scale, y: Scale): Outline {
  const points: [number, number][] = [];
  for (let bin = 0; bin <= bins; bin++) {
    points.push([x(bin), y(Math.max(bin < bins ? counts[bin] ?? 0 : 0, EMPTY_BIN))]);
  }
  const floor = y(EMPTY_BIN);
  return {
    line: line().curve(curveStepAfter).digits(2)(points) ?? "",
    area: area().curve(curveStepAfter).digits(2).y0(floor)(points) ?? "",
  };
}
