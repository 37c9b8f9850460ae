/**
 * Slides 5, 25 and 26: the latency of cyclictest, published beside modelled, as table and as histograms.
 *
 * @module
 */

import { totalExits } from "../../runtime/lab/views/exits.ts";
import type { Histogram } from "../../runtime/measure/histogram.ts";
import {
  PUBLISHED_LATENCIES,
  PUBLISHED_SAMPLES,
  type PublishedLatency,
} from "../../runtime/measure/published.ts";
import { latencySlide } from "../talk/slide_table.ts";
import { type HistogramChart, histogramFigure, type HistogramRow } from "../talk/histogram_figure.ts";
import { histogramText } from "../talk/histogram_text.ts";
import { paragraphs, type Part, table } from "../talk/part.ts";
import type { Runs } from "./runs.ts";
import { svgElement } from "../talk/svg.ts";

/** Where the bodies of a slide's histograms end, and the longest tail that fits its chart, µs. */
const EXTENTS: Readonly<Record<25 | 26, { readonly bodyUs: number; readonly tailUs: number }>> = {
  25: { bodyUs: 40, tailUs: 1000 },
  26: { bodyUs: 120, tailUs: 2000 },
};

/** Slide 25 or 26. */
export function latencyParts(slide: 25 | 26, runs: Runs): Part[] {
  const published = PUBLISHED_LATENCIES.filter((row) => row.slide === slide);
  const outcomes = new Map(published.map((row) => [row, runs.latency(row)]));
  const resultOf = (row: PublishedLatency) => {
    const outcome = outcomes.get(row);
    return outcome !== undefined && "result" in outcome ? outcome.result : undefined;
  };
  const content = latencySlide(slide, resultOf, runs.profile, runs.options.seed);
  const problems = published.flatMap((row) => {
    const outcome = outcomes.get(row)!;
    return "problem" in outcome ? [`n/a: ${row.system}, ${row.kernel}: ${outcome.problem}`] : [];
  });
  const rows = published.map((row) => ({
    published: row,
    modelled: resultOf(row)?.cyclictest.threads[0]?.histogram,
  }));
  return [
    table({ ...content, notes: [...problems, ...content.notes] }),
    histograms({
      name: `slide${slide}-histograms`,
      title: `Slide ${slide}: latency of cyclictest, logarithmic counts`,
      rows,
      ...EXTENTS[slide],
    }),
    chartTable(rows),
  ];
}

/** By which factor a bar may be off to count as reproduced; the readings themselves are good to ±40 %. */
const FACTOR = 3;
/** Bars that a run of this length should not reach say nothing. */
const FEWEST = 10;

/** What could be read off the talk's chart, beside what a run of `n` samples has: fullest bins, and single bars. */
function chartTable(rows: readonly HistogramRow[]): Part {
  const cells = rows.flatMap(({ published, modelled }) => {
    const { system, kernel, mode, chart } = published;
    const of = (what: string, theirs: string, ours: number | undefined, says: string) => [
      ...[system, kernel, what, theirs, ours, modelled === undefined ? "not run" : says],
    ];
    const fullest = modelled?.modeUs;
    return [
      ...(mode === undefined ? [] : [
        of(
          "fullest bin, us",
          `${mode.us} ±${mode.toleranceUs}`,
          fullest,
          Math.abs((fullest ?? NaN) - mode.us) <= mode.toleranceUs ? "within the reading" : "off",
        ),
      ]),
      ...chart.map(({ us, samples }) => {
        const expected = samples * (modelled?.count ?? PUBLISHED_SAMPLES) / PUBLISHED_SAMPLES;
        const ours = modelled?.counts[us];
        return of(
          `samples at ${us} us`,
          `${Math.round(expected)} ±40 %`,
          ours,
          barVerdict(ours ?? 0, expected),
        );
      }),
    ];
  });
  return table({
    title: "What the talk's chart shows beside that",
    columns: [
      { title: "system", align: "left" },
      { title: "kernel", align: "left" },
      { title: "what", align: "left" },
      { title: "read off the chart" },
      { title: "modelled" },
      { title: "verdict", align: "left" },
    ],
    rows: cells,
    notes: [
      "Bars are those of 300000 samples, scaled to the length of the run.",
      ...rows.map(({ published: { system, kernel, shape }, modelled }) =>
        `${system}, ${kernel}: ${shape}; modelled: ${bodyText(modelled)}`
      ),
    ],
  });
}

function barVerdict(ours: number, expected: number): string {
  if (expected < FEWEST) return "too few samples to say";
  const ratio = ours / expected;
  const text = `x ${ratio < 0.1 ? ratio.toPrecision(1) : ratio.toFixed(2)}`;
  return ratio <= FACTOR && ratio >= 1 / FACTOR ? `${text}, within a factor of ${FACTOR}` : `off: ${text}`;
}

/** Where the body of a histogram begins and ends: the bins without a gap around the fullest. */
function bodyText(histogram: Histogram | undefined): string {
  const mode = histogram?.modeUs;
  if (histogram === undefined || mode === undefined) return "n/a";
  let from = mode, to = mode;
  while (from > 0 && histogram.counts[from - 1]! > 0) from--;
  while ((histogram.counts[to + 1] ?? 0) > 0) to++;
  return `no gap from ${from} to ${to} us`;
}

/** The histograms of several rows. */
export function histograms(chart: HistogramChart): Part {
  const figure = histogramFigure(chart);
  return {
    figure,
    text: () => chart.rows.flatMap((row, i) => [...(i === 0 ? [] : [""]), ...rowText(row, chart)]),
    html: () => `<figure>${svgElement(figure)}</figure>`,
    json: () => ({
      kind: "histograms",
      title: chart.title,
      unit: "us",
      rows: chart.rows.map(({ published, modelled }) => ({
        system: published.system,
        kernel: published.kernel,
        published_chart: published.chart.map(({ us, samples }) => [us, samples]),
        n: modelled?.count ?? null,
        bins: modelled === undefined ? null : [...modelled.entries()],
        beyond: modelled?.overflows ?? null,
      })),
    }),
  };
}

function rowText({ published, modelled }: HistogramRow, { rows, bodyUs }: HistogramChart): string[] {
  const { label, kernel, minUs, avgUs, maxUs } = published;
  const heading = `${label}, ${kernel}: published ${minUs}/${avgUs}/${maxUs}, modelled ${
    modelled === undefined || modelled.count === 0
      ? "n/a"
      : `${modelled.minUs}/${modelled.avgUs}/${modelled.maxUs}`
  }`;
  if (modelled === undefined || modelled.count === 0) return [heading];
  const most = Math.max(...rows.map((row) => row.modelled?.count ?? 1));
  return [heading, ...histogramText(modelled, bodyUs, Math.max(1, Math.ceil(Math.log10(most))))];
}

/** Slide 5. */
export function slide5(runs: Runs): Part[] {
  const rows = PUBLISHED_LATENCIES.filter((row) => row.slide === 25).map((row) => {
    const outcome = runs.latency(row);
    if ("problem" in outcome) return [row.system, row.kernel, undefined, undefined, undefined];
    const { cyclictest, exits } = outcome.result;
    const histogram = cyclictest.threads[0]?.histogram;
    return [
      row.system,
      row.kernel,
      histogram?.meanUs?.toFixed(2),
      histogram === undefined || histogram.count === 0
        ? undefined
        : row.system === "bare-metal"
        ? "-"
        : (totalExits(exits) / histogram.count).toFixed(2),
      histogram?.count,
    ];
  });
  return [
    table({
      title: "What the requirements come to: rows of slide 25",
      columns: [
        { title: "system", align: "left" },
        { title: "guest kernel", align: "left" },
        { title: "mean latency, us" },
        { title: "VM exits a period" },
        { title: "n" },
      ],
      rows,
    }),
    paragraphs("The guests are unmodified: the same kernels run on every system."),
  ];
}
