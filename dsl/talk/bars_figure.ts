/**
 * Bars of several measures side by side, published beside modelled: SVG and text.
 *
 * @module
 */

import { bottomAxis, linear } from "./axes.ts";
import type { Figure } from "./part.ts";
import { coordinate, lineFrom, textAt } from "./svg.ts";

/** One bar. */
export interface Bar {
  /** What it is called, and the class of its colour. */
  readonly label: string;
  readonly system: string;
  /** What a run has measured; undefined where none has. */
  readonly modelled: number | undefined;
  /** What the talk's chart shows, and how far the reading may be off. */
  readonly published?: { readonly value: number; readonly tolerance: number };
}

/** One measure. */
export interface BarPanel {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const LEFT = 132;
const PANEL = 210;
const BETWEEN = 46;
const TOP = 66;
const BAR = 30;
const PITCH = 56;
const BOTTOM = 48;
/** Room for a value beside its bar. */
const NUMBER = 44;

/** How a value is written beside its bar. */
type NumberText = (value: number) => string;

/** The drawing: a panel for each measure, bars from 0. */
export function barsFigure(
  name: string,
  title: string,
  panels: readonly BarPanel[],
  numberText: NumberText,
): Figure {
  const rows = Math.max(...panels.map(({ bars }) => bars.length));
  const width = LEFT + panels.length * (PANEL + BETWEEN) - BETWEEN + 34;
  const floor = TOP + rows * PITCH;
  const pieces = [
    lineFrom(LEFT + 4, 11, LEFT + 4, 27, "reading") + lineFrom(LEFT, 19, LEFT + 8, 19, "reading"),
    textAt(LEFT + 16, 23, "published, read off the talk's chart", { classes: "small muted" }),
  ];
  panels.forEach(({ title: heading, unit, bars }, i) => {
    const left = LEFT + i * (PANEL + BETWEEN);
    const most = Math.max(1e-9, ...bars.flatMap((bar) => [bar.modelled ?? 0, bar.published?.value ?? 0]));
    const { scale, ticks } = linear(0, most * 1.22, [left, left + PANEL], 4);
    pieces.push(textAt(left, TOP - 12, `${heading}, ${unit}`, { classes: "strong" }));
    for (const tick of ticks) pieces.push(lineFrom(scale(tick), TOP, scale(tick), floor, "grid"));
    bars.forEach(({ label, system, modelled, published }, row) => {
      const y = TOP + row * PITCH + (PITCH - BAR) / 2;
      const middle = y + BAR / 2;
      if (i === 0) {
        pieces.push(textAt(left - 12, middle + 4, label, { classes: `strong ${system}`, anchor: "end" }));
      }
      if (modelled === undefined) {
        pieces.push(textAt(left + 6, middle + 4, "n/a", { classes: "small muted" }));
      } else {
        pieces.push(
          `<rect x="${coordinate(left)}" y="${coordinate(y)}" width="${
            coordinate(scale(modelled) - left)
          }" height="${BAR}" class="bar ${system}" fill-opacity=".85"/>`,
        );
      }
      if (published !== undefined) {
        const { value, tolerance } = published;
        pieces.push(
          lineFrom(scale(value), y - 3, scale(value), y + BAR + 3, "reading"),
          lineFrom(scale(value - tolerance), middle, scale(value + tolerance), middle, "reading"),
          textAt(scale(value), y - 6, String(value), { classes: "tick", anchor: "middle" }),
        );
      }
      if (modelled !== undefined) {
        const end = scale(modelled), mark = published === undefined ? -Infinity : scale(published.value);
        // Beside its bar, or beyond the talk's mark where that is in the way.
        const at = mark > end - 4 && mark < end + NUMBER ? mark : end;
        pieces.push(textAt(at + 7, middle + 4, numberText(modelled), { classes: `strong ${system}` }));
      }
    });
    pieces.push(
      lineFrom(left, TOP, left, floor, "axis"),
      bottomAxis(floor, left, left + PANEL, ticks.map((tick) => ({ x: scale(tick), label: String(tick) }))),
    );
  });
  return { name, title, width, height: floor + BOTTOM - 16, body: pieces.join("\n") };
}

/** Columns of the longest bar in a terminal. */
const LONGEST = 40;
const EIGHTHS = " ▏▎▍▌▋▊▉█";

/** The same as lines of text. `|` stands where the talk's value is. */
export function barsText(panels: readonly BarPanel[], numberText: NumberText): string[] {
  const names = Math.max(...panels.flatMap(({ bars }) => bars.map(({ label }) => label.length)));
  return panels.flatMap(({ title, unit, bars }, i) => {
    const most = Math.max(1e-9, ...bars.flatMap((bar) => [bar.modelled ?? 0, bar.published?.value ?? 0]));
    const lines = bars.map(({ label, modelled, published }) => {
      const eighths = Math.round((modelled ?? 0) / most * LONGEST * 8);
      const cells = ("█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "").trim()).padEnd(
        LONGEST + 1,
      );
      const mark = published === undefined ? -1 : Math.round(published.value / most * LONGEST);
      const bar = mark < 0 ? cells : `${cells.slice(0, mark)}|${cells.slice(mark + 1)}`;
      const value = modelled === undefined ? "n/a" : numberText(modelled);
      return `${label.padStart(names)}  ${bar} ${value.padStart(6)}${
        published === undefined ? "" : `  (published ${published.value})`
      }`;
    });
    return [...(i === 0 ? [] : [""]), `${" ".repeat(names)}  ${title}, ${unit}`, ...lines];
  });
}
