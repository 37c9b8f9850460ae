/**
 * What many runs say together: a row for each system, kernel and setting, over its seeds.
 *
 * *Shown*: least minimum, printed average, mean with its interval over the seeds; the distribution of the runs' maxima,
 * and where the talk's maximum stands in it; percentiles of all samples; how far the run length bounds what was not seen.
 *
 * Maxima are never ranked: between two rows their distributions say something, two single values do not.
 *
 * @module
 */

import type { LabProfile } from "../../runtime/lab/defaults.ts";
import { provenanceLines } from "../../runtime/lab/provenance.ts";
import type { Histogram } from "../../runtime/measure/histogram.ts";
import { runLengthText, USUAL_RATES, type WishedRate } from "../../runtime/measure/miss_rate.ts";
import { PUBLISHED_SAMPLES, PUBLISHED_TRAFFIC } from "../../runtime/measure/published.ts";
import {
  distribution,
  mean,
  meanInterval,
  percentileOf,
  percentiles,
  SAMPLES_BEYOND,
  VALUES_FOR_P5,
} from "../../runtime/measure/statistics.ts";
import { type Cell, type Column, tableLines } from "../../runtime/measure/table.ts";
import {
  histogramOf,
  type LatencyRecord,
  publishedRowId,
  publishedRowOf,
  type RunRecord,
  type Settings,
  type TrafficRecord,
  valueOf,
} from "./run_record.ts";

/** The runs that differ in nothing but their seed. */
interface Row<R extends RunRecord> {
  readonly set: Settings;
  readonly system: string;
  readonly kernel: string;
  readonly records: readonly R[];
}

/** Two runs that should be the same are not. */
export class MergeError extends RangeError {
  override readonly name = "MergeError";
}

/**
 * The records in rows, in the order in which they first appear. A record that is there twice counts once.
 *
 * @throws MergeError if two runs under the same conditions and seed have different results
 */
function rowsOf<R extends RunRecord>(records: readonly R[]): Row<R>[] {
  const rows = new Map<string, Map<number, R>>();
  for (const record of records) {
    const { script, args, booted, set, nth, program, system, kernel, seed } = record;
    const load = record.program === "cyclictest"
      ? [record.guest_load, record.host_load > 0, record.n, record.interval_us]
      : [];
    const key = JSON.stringify([script, args, booted, set, nth, program, system, kernel, load]);
    const seeds = rows.get(key) ?? new Map<number, R>();
    const other = seeds.get(seed);
    if (other !== undefined && JSON.stringify(other) !== JSON.stringify(record)) {
      throw new MergeError(
        `${program} on ${system} with ${kernel}, seed ${seed}, is there twice with different results: of another ` +
          "version or profile?",
      );
    }
    seeds.set(seed, record);
    rows.set(key, seeds);
  }
  return [...rows.values()].map((seeds) => {
    const list = [...seeds.values()];
    const { set, system, kernel } = list[0]!;
    return { set, system, kernel, records: list };
  });
}

/** How a table of runs is written. */
export interface SweepTableOptions {
  /** Rates whose run length is told. */
  readonly rates?: readonly WishedRate[];
  /** The profile that all runs had beside their settings; undefined where it is not known. */
  readonly profile?: LabProfile;
}

/**
 * The lines of all tables.
 *
 * @throws MergeError if two runs under the same conditions and seed have different results
 */
export function sweepLines(records: readonly RunRecord[], options: SweepTableOptions = {}): string[] {
  const latencies = rowsOf(records.filter((record) => record.program === "cyclictest"));
  const traffic = rowsOf(records.filter((record) => record.program !== "cyclictest"));
  const blocks = [
    ...(latencies.length > 0 ? latencyBlocks(latencies, options.rates ?? USUAL_RATES) : []),
    ...(traffic.length > 0 ? [trafficBlock(traffic)] : []),
    closing(latencies, traffic, options.profile),
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, i) => i === 0 ? block : ["", ...block]);
}

const LEFT = { align: "left" } as const;

/** The columns that say which row it is, and their cells. */
function heads<R extends RunRecord>(
  rows: readonly Row<R>[],
): { columns: Column[]; cells: (row: Row<R>) => Cell[] } {
  const paths = [...new Set(rows.flatMap(({ set }) => Object.keys(set)))];
  const loads = new Set(rows.map(loadText)).size > 1; // a column that is the same everywhere says nothing
  return {
    columns: [
      ...paths.map((title) => ({ title, ...LEFT })),
      { title: "system", ...LEFT },
      { title: "kernel", ...LEFT },
      ...(loads ? [{ title: "guest / host", ...LEFT }] : []),
    ],
    cells: (row) => [
      ...paths.map((path) => row.set[path]),
      ...[row.system, row.kernel],
      ...(loads ? [loadText(row)] : []),
    ],
  };
}

/** What guest and host did beside: `iperf / idle`, `idle / busy`. */
function loadText({ records: [record] }: Row<RunRecord>): string {
  if (record!.program !== "cyclictest") return "-";
  return `${record!.guest_load} / ${record!.host_load === 0 ? "idle" : "busy"}`;
}

function latencyBlocks(rows: readonly Row<LatencyRecord>[], rates: readonly WishedRate[]): string[][] {
  const { columns, cells } = heads(rows);
  const merged = rows.map(({ records }) => {
    const [first, ...rest] = records.map(histogramOf);
    for (const each of rest) first!.merge(each);
    return first!;
  });
  const averages = tableLines(
    [
      ...columns,
      ...["seeds", "samples", "min", "avg", "mean", "95 %", "exits/loop"].map((title) => ({ title })),
    ],
    rows.map((row, i) => {
      const interval = meanInterval(row.records.map(meanOf))!;
      return [
        ...cells(row),
        row.records.length,
        merged[i]!.count,
        rangeText(row.records.map(({ min_us }) => min_us!)),
        rangeText(row.records.map(({ avg_us }) => avg_us!)),
        interval.mean.toFixed(3),
        interval.halfWidth === undefined ? undefined : `±${interval.halfWidth.toFixed(3)}`,
        mean(row.records.map(({ exits, n }) => exits.total / n))!.toFixed(2),
      ];
    }),
  );
  return [
    ["Latency over the seeds, us (avg as cyclictest prints it; mean with Student's interval)", ...averages],
    maximaBlock(rows, columns, cells),
    percentileBlock(rows, merged, columns, cells),
    lengthLines(rows, merged, rates),
  ];
}

function meanOf(record: LatencyRecord): number {
  return record.histogram.sum_ns / record.n / 1000;
}

/** `13`, or `13 to 14` where the runs differ. */
function rangeText(values: readonly number[]): string {
  const least = Math.min(...values), most = Math.max(...values);
  return least === most ? String(least) : `${least} to ${most}`;
}

function maximaBlock(
  rows: readonly Row<LatencyRecord>[],
  columns: readonly Column[],
  cells: (row: Row<LatencyRecord>) => Cell[],
): string[] {
  const group = "a run's maximum over the seeds";
  const lines = tableLines(
    [
      ...columns,
      ...["min", "p5", "p50", "p95", "max", "p95/p5"].map((title) => ({ title, group })),
      ...["max", "percentile"].map((title) => ({ title, group: "the talk's" })),
    ],
    rows.map((row) => {
      const maxima = row.records.map(({ max_us }) => max_us!);
      const { min, p5, p50, p95, max } = distribution(maxima)!;
      const comparable = row.records[0]!.n === PUBLISHED_SAMPLES;
      const published = publishedRowOf(row.records[0]!)?.maxUs;
      return [
        ...cells(row),
        ...[min, p5, p50, p95, max].map((us) => us === undefined ? undefined : Number(us.toFixed(1))),
        p5 === undefined || p95 === undefined ? undefined : (p95 / p5).toFixed(1),
        published,
        published === undefined || !comparable ? undefined : percentileOf(published, maxima)!.toFixed(0),
      ];
    }),
  );
  const shorter = rows.some(({ records: [first] }) =>
    first!.n !== PUBLISHED_SAMPLES && publishedRowOf(first!) !== undefined
  );
  const few = rows.some(({ records }) => records.length < VALUES_FOR_P5);
  return [
    "Maxima, us: one of a run says little, so they are a distribution and are not ranked",
    ...lines,
    ...(shorter
      ? [`the talk's maximum is of ${PUBLISHED_SAMPLES} samples: its percentile takes runs of that length`]
      : []),
    ...(few ? [`p5 and p95 take ${VALUES_FOR_P5} runs`] : []),
  ];
}

function percentileBlock(
  rows: readonly Row<LatencyRecord>[],
  merged: readonly Histogram[],
  columns: readonly Column[],
  cells: (row: Row<LatencyRecord>) => Cell[],
): string[] {
  const all = merged.map(percentiles);
  const names = all[0]!.map(({ name }) => name);
  const shown = names.filter((_, i) => all.some((each) => each[i]!.us !== undefined));
  const missing = all.flatMap((each) => each.find(({ us }) => us === undefined) ?? []);
  const first = missing[0];
  return [
    "Percentiles of all samples, whole us",
    ...tableLines(
      [...columns, ...shown.map((title) => ({ title }))],
      rows.map((row, i) => [...cells(row), ...all[i]!.slice(0, shown.length).map(({ us }) => us)]),
    ),
    ...(first === undefined
      ? []
      : [`n/a where fewer than ${SAMPLES_BEYOND} samples lie beyond: ${first.name} ${first.reason}`]),
  ];
}

/** What the samples bound, once for each number of samples. */
function lengthLines(
  rows: readonly Row<LatencyRecord>[],
  merged: readonly Histogram[],
  rates: readonly WishedRate[],
): string[] {
  return [
    ...new Set(rows.map((row, i) => runLengthText(merged[i]!.count, row.records[0]!.interval_us, rates))),
  ];
}

function trafficBlock(rows: readonly Row<TrafficRecord>[]): string[] {
  const { columns, cells } = heads(rows);
  const lines = tableLines(
    [
      ...columns,
      { title: "program", ...LEFT },
      ...["seeds", "mean", "95 %", "unit", "host CPU %"].map((title) => ({ title })),
      ...["value", "off"].map((title) => ({ title, group: "the talk's" })),
    ],
    rows.map((row) => {
      const { program } = row.records[0]!;
      const [measure, unit] = program === "iperf"
        ? ["throughput", "Gb/s"] as const
        : ["round trip", "us"] as const;
      const values = row.records.flatMap((record) => valueOf(record) ?? []);
      const interval = meanInterval(values);
      const published = PUBLISHED_TRAFFIC.find((each) =>
        each.system === row.system && each.measure === measure
      )?.value;
      return [
        ...cells(row),
        program,
        row.records.length,
        interval?.mean.toFixed(2),
        interval?.halfWidth === undefined ? undefined : `±${interval.halfWidth.toFixed(2)}`,
        unit,
        mean(row.records.map((record) => record.host_cpu_percent))!.toFixed(1),
        published,
        published === undefined || interval === undefined
          ? undefined
          : `${((interval.mean / published - 1) * 100).toFixed(1)} %`,
      ];
    }),
  );
  return ["Traffic over the seeds (slide 27 beside it)", ...lines];
}

/** Which rows were calibrated on, and the kinds of parameters. */
function closing(
  latencies: readonly Row<LatencyRecord>[],
  traffic: readonly Row<TrafficRecord>[],
  profile: LabProfile | undefined,
): string[] {
  if (profile === undefined) return [];
  const ids = latencies.flatMap(({ records }) => publishedRowId(records[0]!) ?? []);
  for (const { system, records } of traffic) {
    const measure = records[0]!.program === "iperf" ? "throughput" : "round-trip";
    if (PUBLISHED_TRAFFIC.some((each) => each.system === system)) ids.push(`slide27/${system}/${measure}`);
  }
  const others = [...latencies, ...traffic].length - ids.length;
  const rows = [...new Set(ids)];
  const lines = provenanceLines(profile, rows);
  return others === 0
    ? lines
    : [`${others} ${others === 1 ? "row" : "rows"} not in the talk: predicted`, ...lines];
}
