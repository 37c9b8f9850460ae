/**
 * Latency histograms with logarithmic counts, one panel a row, published beside modelled: SVG.
 *
 * Each panel has two parts on one vertical axis. On the left the body, with a linear axis, in steps of 1 µs; on the
 * right the tail, with a logarithmic axis, each bin that is not empty as a line. Above the panel two rails show
 * minimum, average and maximum, the talk's and the run's; their right end is open, because a longer run would find
 * more. Rings are bars read off the talk's chart.
 *
 * @module
 */

import type { Histogram } from "../../runtime/measure/histogram.ts";
import { CHART_TOLERANCE, type PublishedLatency } from "../../runtime/measure/published.ts";
import { bottomAxis, countRules, EMPTY_BIN, linear, logarithmic, type Scale, sideLabel } from "./axes.ts";
import { outline } from "./outline.ts";
import type { Figure } from "./part.ts";
import { coordinate, lineFrom, textAt } from "./svg.ts";

/** A row of a latency slide: what the talk prints, and what a run has found. */
export interface HistogramRow {
  readonly published: PublishedLatency;
  /** Undefined where it was not run. */
  readonly modelled: Histogram | undefined;
}

/** What is drawn. */
export interface HistogramChart {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly HistogramRow[];
  /** Where the body ends and the tail begins, µs. */
  readonly bodyUs: number;
  /** Where the tail ends, µs. */
  readonly tailUs: number;
}

const LEFT = 62;
const BODY = 430;
const GAP = 26;
const TAIL = 150;
const RIGHT = 196;
const WIDTH = LEFT + BODY + GAP + TAIL + RIGHT;
const TOP = 46;
const RAILS = 26;
const PANEL = 104;
const BETWEEN = 20;
const BOTTOM = 46;

/** The drawing. */
export function histogramFigure(chart: HistogramChart): Figure {
  const { name, title, rows, bodyUs, tailUs } = chart;
  const pitch = RAILS + PANEL + BETWEEN;
  const height = TOP + rows.length * pitch - BETWEEN + BOTTOM;
  const body = linear(0, bodyUs, [LEFT, LEFT + BODY], 8);
  const tail = logarithmic(bodyUs, tailUs, [LEFT + BODY + GAP, LEFT + BODY + GAP + TAIL]);
  const most = Math.max(1, ...rows.map(({ modelled }) => modelled?.count ?? 0));
  const top = 10 ** Math.ceil(Math.log10(most) + 0.1);
  const place: Scale = (us) => us <= bodyUs ? body.scale(us) : tail.scale(us);
  const middle = TOP + (rows.length * pitch - BETWEEN + RAILS) / 2;
  const parts = [
    legend(rows.some(({ published }) => published.chart.length > 0)),
    sideLabel(16, middle, "samples per µs"),
    ...rows.map((row, i) => panel(row, TOP + i * pitch)),
  ];
  const axisY = TOP + rows.length * pitch - BETWEEN;
  parts.push(
    bottomAxis(axisY, LEFT, LEFT + BODY, body.ticks.map((us) => ({ x: body.scale(us), label: String(us) }))),
    bottomAxis(
      axisY,
      LEFT + BODY + GAP,
      LEFT + BODY + GAP + TAIL,
      tailTicks(bodyUs, tailUs).map((us) => ({ x: tail.scale(us), label: String(us) })),
    ),
    textAt(LEFT + BODY / 2, axisY + 36, "latency, µs", { classes: "small muted", anchor: "middle" }),
    textAt(LEFT + BODY + GAP + TAIL / 2, axisY + 36, "tail, µs (log)", {
      classes: "small muted",
      anchor: "middle",
    }),
    textAt(WIDTH - RIGHT + 22, axisY + 16, "min / average / max, µs;", { classes: "small muted" }),
    textAt(WIDTH - RIGHT + 22, axisY + 30, "maxima are not ranked", { classes: "small muted" }),
  );
  return { name, title, width: WIDTH, height, body: parts.join("\n") };

  function panel({ published, modelled }: HistogramRow, y: number): string {
    const floor = y + RAILS + PANEL;
    const counts = logarithmic(EMPTY_BIN, top, [floor, y + RAILS]);
    const pieces = [
      countRules(counts, LEFT, LEFT + BODY),
      countRules(counts, LEFT + BODY + GAP, LEFT + BODY + GAP + TAIL, 0),
      lineFrom(LEFT, floor, LEFT + BODY, floor, "axis"),
      lineFrom(LEFT + BODY + GAP, floor, LEFT + BODY + GAP + TAIL, floor, "axis"),
    ];
    const { system } = published;
    if (modelled !== undefined && modelled.count > 0) {
      const steps = outline(modelled.counts, bodyUs, body.scale, counts.scale);
      pieces.push(
        `<path d="${steps.area}" class="area ${system}"/>`,
        `<path d="${steps.line}" class="outline ${system}"/>`,
        ...[...modelled.entries()].filter(([us]) => us >= bodyUs).map(([us, samples]) => {
          const x = tail.scale(us + 0.5);
          return lineFrom(x, floor, x, counts.scale(samples), `single ${system}`);
        }),
        rail(y + 14, [modelled.minUs!, modelled.meanUs!, modelled.maxUs!], system),
      );
    }
    pieces.push(rail(y + 4, [published.minUs, published.avgUs, published.maxUs], "published"));
    for (const bin of published.chart) pieces.push(reading(bin.us, bin.samples, counts.scale));
    pieces.push(...labels(published, modelled, y + RAILS));
    return pieces.join("\n");
  }

  /** Minimum, average and maximum as a line with a dot: open at the right. */
  function rail(y: number, [min, average, max]: readonly [number, number, number], classes: string): string {
    const [from, at, to] = [place(min), place(average), place(max)];
    const end = `M${coordinate(to - 4)} ${coordinate(y - 3)}L${coordinate(to)} ${coordinate(y)}L${
      coordinate(to - 4)
    } ${coordinate(y + 3)}`;
    return lineFrom(from, y - 3, from, y + 3, `rail ${classes}`) +
      lineFrom(from, y, to, y, `rail ${classes}`) +
      `<path d="${end}" fill="none" class="rail ${classes}"/>` +
      `<circle cx="${coordinate(at)}" cy="${coordinate(y)}" r="3" class="dot ${classes}"/>`;
  }

  /** A bar of the talk's chart, with its error. */
  function reading(us: number, samples: number, y: Scale): string {
    const x = body.scale(us + 0.5);
    return lineFrom(x, y(samples * (1 - CHART_TOLERANCE)), x, y(samples * (1 + CHART_TOLERANCE)), "reading") +
      `<circle cx="${coordinate(x)}" cy="${coordinate(y(samples))}" r="3.4" class="reading"/>`;
  }
}

/** Round values of a logarithmic axis that begins anywhere: 1, 2 and 5 times a power of ten. */
function tailTicks(from: number, to: number): number[] {
  const ticks: number[] = [];
  for (let decade = 1; decade <= to; decade *= 10) {
    for (const step of [1, 2, 5]) {
      const us = step * decade;
      if (us > from && us <= to) ticks.push(us);
    }
  }
  return ticks;
}

/** What a panel is, at its right. */
function labels(published: PublishedLatency, modelled: Histogram | undefined, y: number): string[] {
  const x = WIDTH - RIGHT + 22;
  const { label, kernel, system, minUs, avgUs, maxUs } = published;
  return [
    textAt(x, y + 12, label, { classes: `strong ${system}` }),
    textAt(x, y + 28, kernel, { classes: "small muted" }),
    textAt(x, y + 50, `published ${minUs} / ${avgUs} / ${maxUs}`, { classes: "small" }),
    modelled === undefined || modelled.count === 0
      ? textAt(x, y + 66, "modelled n/a", { classes: "small muted" })
      : textAt(x, y + 66, `modelled ${modelled.minUs} / ${modelled.avgUs} / ${modelled.maxUs}`, {
        classes: `small ${system}`,
      }),
    ...(modelled === undefined
      ? []
      : [textAt(x, y + 84, `n = ${modelled.count.toLocaleString("en").replaceAll(",", " ")}`, {
        classes: "small muted",
      })]),
  ];
}

/** How to read it, above the panels; rings only where there are some. */
function legend(hasReadings: boolean): string {
  const y = 18;
  const rail = (x: number) =>
    lineFrom(x, y - 7, x, y - 1, "rail published") + lineFrom(x, y - 4, x + 34, y - 4, "rail published") +
    `<path d="M${x + 30} ${y - 7}l4 3l-4 3" fill="none" class="rail published"/>` +
    `<circle cx="${x + 12}" cy="${y - 4}" r="3" class="dot published"/>`;
  return [
    rail(LEFT),
    textAt(LEFT + 42, y, "published min, average, max", { classes: "small muted" }),
    `<path d="M${LEFT + 214} ${y - 4}h34" class="rail rfc-v2"/><circle cx="${LEFT + 226}" cy="${
      y - 4
    }" r="3" class="dot rfc-v2"/>`,
    textAt(LEFT + 256, y, "modelled", { classes: "small muted" }),
    !hasReadings ? "" : lineFrom(LEFT + 330, y - 10, LEFT + 330, y + 2, "reading") +
      `<circle cx="${LEFT + 330}" cy="${y - 4}" r="3.4" class="reading"/>`,
    !hasReadings
      ? ""
      : textAt(LEFT + 340, y, "bar read off the talk's chart, ±40 %", { classes: "small muted" }),
  ].join("\n");
}
