/**
 * Axes: from values to pixels, with ticks. The only module that imports `d3-scale`.
 *
 * @module
 */

// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear, scaleLog } from "d3-scale";
import { coordinate, lineFrom, powerOfTenAt, textAt } from "./svg.ts";

/** From a value to its place, in pixels. */
export type Scale = (value: number) => number;

/** What a logarithmic axis of counts puts in place of 0: half a count, below every tick. */
export const EMPTY_BIN = 0.5;

/** An axis along which equal steps are equally long; `ticks` are round values, about as many as wished. */
export function linear(
  from: number,
  to: number,
  range: readonly [number, number],
  wished = 5,
): { readonly scale: Scale; readonly ticks: readonly number[] } {
  const scale = scaleLinear().domain([from, to]).range(range);
  return { scale: (value) => scale(value), ticks: scale.ticks(wished) };
}

/** An axis along which equal factors are equally long; `decades` are the exponents of the powers of ten on it. */
export function logarithmic(
  from: number,
  to: number,
  range: readonly [number, number],
): { readonly scale: Scale; readonly decades: readonly number[] } {
  const scale = scaleLog().domain([from, to]).range(range).clamp(true);
  const decades: number[] = [];
  for (let exponent = Math.ceil(Math.log10(from) - 1e-9); exponent <= Math.log10(to) + 1e-9; exponent++) {
    decades.push(exponent);
  }
  return { scale: (value) => scale(value), decades };
}

/** Horizontal rules with a power of ten at the left end of every `every`-th; of none, if that is 0. */
export function countRules(
  { scale, decades }: ReturnType<typeof logarithmic>,
  left: number,
  right: number,
  every = 2,
): string {
  return decades.map((exponent, i) => {
    const y = scale(10 ** exponent);
    return lineFrom(left, y, right, y, "grid") +
      (every > 0 && i % every === 0 ? powerOfTenAt(left - 7, y + 4, exponent) : "");
  }).join("\n");
}

/** A horizontal axis line with ticks below it. */
export function bottomAxis(
  y: number,
  from: number,
  to: number,
  ticks: readonly { readonly x: number; readonly label: string }[],
): string {
  return lineFrom(from, y, to, y, "axis") +
    ticks.map(({ x, label }) =>
      lineFrom(x, y, x, y + 4, "axis") + textAt(x, y + 16, label, { classes: "tick", anchor: "middle" })
    ).join("");
}

/** A label along a vertical axis, read from below, centred at `y`. */
export function sideLabel(x: number, y: number, label: string): string {
  const [cx, cy] = [coordinate(x), coordinate(y)];
  return `<text x="${cx}" y="${cy}" transform="rotate(-90 ${cx} ${cy})" text-anchor="middle" class="small muted">${label}</text>`;
}
