/**
 * Runs of the talk's rows: each by the example script of its slide, on its system and kernel.
 *
 * @module
 */

import type { Fit } from "../../runtime/lab/calibration.ts";
import { fittedRows } from "../../runtime/lab/calibration.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import type { Histogram } from "../../runtime/measure/histogram.ts";
import {
  HOST_CPU_ROW,
  latencyRowId,
  PUBLISHED_LATENCIES,
  PUBLISHED_ROWS,
  PUBLISHED_SAMPLES,
  PUBLISHED_TRAFFIC,
  trafficRowId,
} from "../../runtime/measure/published.ts";
import { mean } from "../../runtime/measure/statistics.ts";
import { type Measured, type Target, TARGETS } from "../../runtime/measure/targets.ts";
import { EXAMPLES } from "../host/examples.ts";
import type { RunJob, RunOutcome } from "./run_job.ts";
import type { RunPool } from "./run_pool.ts";
import { histogramOf, publishedRowId, type Settings, valueOf } from "./run_record.ts";

/** How the rows are run. */
export interface RowRunOptions {
  /** Of cyclictest. */
  readonly loops: number;
  readonly seeds: readonly number[];
  readonly profiles: readonly ProfileText[];
}

/** A row could not be run, or has measured something else. */
export class RowRunError extends Error {
  override readonly name = "RowRunError";
}

/** The rows of these slides that there is a script for. */
export function runnableRows(slides: readonly number[]): string[] {
  return PUBLISHED_ROWS.filter((row) => {
    const slide = Number(/^slide(\d+)/.exec(row)?.[1]);
    return slides.includes(slide) && EXAMPLES.files.has(scriptOf(slide));
  });
}

/** The rows of these slides that there is no script for. */
export function missingRows(slides: readonly number[]): string[] {
  const runnable = runnableRows(slides);
  return PUBLISHED_ROWS.filter((row) =>
    slides.some((slide) => row.startsWith(`slide${slide}/`)) && !runnable.includes(row)
  );
}

/** The targets that stand in these rows. */
export function targetsIn(rows: readonly string[]): Target[] {
  return TARGETS.filter(({ row }) => rows.includes(row));
}

function scriptOf(slide: number): string {
  return `slide${slide}_row.rtk`;
}

/** Every run that these rows take: a latency row by itself, the bars of slide 27 together for each system. */
function rowJobs(
  rows: readonly string[],
  { loops, seeds, profiles }: RowRunOptions,
  set: Settings,
): RunJob[] {
  const wanted = new Set(rows);
  const latency = PUBLISHED_LATENCIES.filter((row) => wanted.has(latencyRowId(row)))
    .map(({ slide, system, kernel }) => ({
      script: scriptOf(slide),
      positional: [String(loops)],
      system,
      kernel,
    }));
  const systems = new Set(
    PUBLISHED_TRAFFIC.filter((row) => wanted.has(trafficRowId(row)) || wanted.has(HOST_CPU_ROW))
      .map(({ system }) => system),
  );
  const traffic = [...systems].map((system) => ({
    script: scriptOf(27),
    positional: [],
    system,
    kernel: "linux-3.4.0",
  }));
  return [...latency, ...traffic].flatMap(({ script, ...rest }) =>
    seeds.map((seed) => ({
      ...rest,
      path: script,
      text: EXAMPLES.files.get(script)!,
      folder: EXAMPLES,
      seed,
      profiles,
      set,
      strict: false,
    }))
  );
}

/** What the rows measure under each of several settings. All see the same random numbers. */
export async function measureRows(
  rows: readonly string[],
  options: RowRunOptions,
  settings: readonly Settings[],
  pool: RunPool,
  progress?: (ended: number, of: number) => void,
): Promise<MeasuredRows[]> {
  const jobs = settings.map((set) => rowJobs(rows, options, set));
  const all = jobs.flat();
  const outcomes = await pool.run(all, () => {}, (ended) => progress?.(ended, all.length));
  return jobs.map((mine) => gather(mine, outcomes.splice(0, mine.length)));
}

/** What rows have measured, together and seed by seed. */
export interface MeasuredRows extends Measured {
  /** Means of each seed's run, µs, by row; in the order of the seeds. */
  readonly means: ReadonlyMap<string, readonly number[]>;
}

function gather(jobs: readonly RunJob[], outcomes: readonly RunOutcome[]): MeasuredRows {
  const latency = new Map<string, Histogram>();
  const means = new Map<string, number[]>();
  const minima = new Map<string, number[]>();
  const traffic = new Map<string, number[]>();
  const hostCpu = new Map<string, number[]>();
  const add = (to: Map<string, number[]>, key: string, value: number) =>
    to.set(key, [...to.get(key) ?? [], value]);
  for (const [i, { status, stderr, records }] of outcomes.entries()) {
    const { path, system, kernel, seed } = jobs[i]!;
    if (status !== 0 || records.length === 0) {
      throw new RowRunError(`${path} on ${system} with ${kernel}, seed ${seed}: status ${status}\n${stderr}`);
    }
    for (const record of records) {
      if (record.program === "cyclictest") {
        const row = publishedRowId(record);
        if (row === undefined) throw new RowRunError(`${path} on ${system} has measured no row of the talk`);
        const histogram = histogramOf(record);
        const sum = latency.get(row);
        if (sum === undefined) latency.set(row, histogram);
        else sum.merge(histogram);
        add(means, row, record.histogram.sum_ns / record.n / 1000);
        if (record.n >= PUBLISHED_SAMPLES) add(minima, row, record.histogram.min_ns);
        continue;
      }
      const measure = record.program === "iperf" ? "throughput" : "round trip";
      const row = PUBLISHED_TRAFFIC.find((each) => each.system === system && each.measure === measure);
      const value = valueOf(record);
      if (path !== scriptOf(27) || row === undefined || value === undefined) continue;
      add(traffic, trafficRowId(row), value);
      add(means, trafficRowId(row), value);
      if (record.program === "iperf") add(hostCpu, system, record.host_cpu_percent);
    }
  }
  const single = meansOf(traffic);
  const [forwarding, direct] = ["kvm", "rfc-v2"].map((system) => mean(hostCpu.get(system) ?? []));
  if (forwarding !== undefined && direct !== undefined) single.set(HOST_CPU_ROW, forwarding - direct);
  return { latency, minNs: meansOf(minima), traffic: single, means };
}

function meansOf(values: ReadonlyMap<string, readonly number[]>): Map<string, number> {
  return new Map([...values].map(([row, each]) => [row, mean(each)!]));
}

/** Whether a profile with these fits was calibrated on a row, or predicts it. */
export function useOf(row: string, fits: readonly Fit[]): "fitted" | "predicted" {
  return fittedRows(fits).includes(row) ? "fitted" : "predicted";
}
