/**
 * What one run has measured, as one line of JSON that other runs can be merged with.
 *
 * @module
 */

import type { Lab, LabResult } from "../../runtime/lab/lab.ts";
import { Histogram } from "../../runtime/measure/histogram.ts";
import { latencyRowId, type PublishedLatency, publishedRow } from "../../runtime/measure/published.ts";
import { type ResultFields, resultFields, type TrafficFields, trafficFields } from "../run/result_json.ts";

/** Parameters that a sweep has set, by key path, as written: `200ns`. */
export type Settings = Readonly<Record<string, string>>;

/** Where a record comes from: what `sweep` varies. */
export interface RunOrigin {
  readonly script: string;
  /** `$1 $2 …`. */
  readonly args: readonly string[];
  /** System and kernel that were booted first: `kvm linux-3.4.0`. */
  readonly booted: string;
  readonly set: Settings;
  /** Which result of its program the run has had, from 1: a script may run one several times. */
  readonly nth: number;
}

/** A run of cyclictest; the fields of `run --json`, and its histogram. */
export interface LatencyRecord extends RunOrigin, ResultFields {
  readonly guest_load: string;
  /** Host CPU time in percent of one CPU while it ran; null where it was not measured. */
  readonly host_cpu_percent: number | null;
  readonly histogram: {
    readonly bins: number;
    readonly overflows: number;
    readonly sum_us: number;
    readonly sum_ns: number;
    readonly min_ns: number;
    readonly max_ns: number;
    /** Samples by whole µs. */
    readonly counts: Readonly<Record<string, number>>;
  };
}

/** A run of iperf or ping; the fields of `run --json`. */
export interface TrafficRecord extends RunOrigin, TrafficFields {}

/** What one line holds. */
export type RunRecord = LatencyRecord | TrafficRecord;

/** The records of what `lab`s have measured. A run without a sample is none. */
export function recordsOf(
  results: readonly LabResult[],
  traffic: Lab["traffic"],
  profileHash: string,
  origin: Omit<RunOrigin, "nth">,
): RunRecord[] {
  return [
    ...results.flatMap((result, i) => latencyRecord(result, profileHash, { ...origin, nth: i + 1 }) ?? []),
    ...traffic.map((result, i) => ({ ...origin, nth: i + 1, ...trafficFields(result, profileHash) })),
  ];
}

/** What a result may tell beside. */
interface Conditions {
  /** What the guest's network did meanwhile. */
  readonly guestLoad?: string;
  readonly hostCpuPercent?: number;
}

function latencyRecord(
  result: LabResult & Conditions,
  hash: string,
  origin: RunOrigin,
): LatencyRecord | undefined {
  const histogram = result.cyclictest.threads[0]?.histogram;
  if (histogram === undefined || histogram.count === 0) return undefined;
  const { guestLoad = "idle", hostCpuPercent } = result;
  const { bins, overflows, sumUs, sumNs, minNs, maxNs } = histogram;
  return {
    ...origin,
    ...resultFields(result, hash),
    guest_load: guestLoad,
    host_cpu_percent: hostCpuPercent ?? null,
    histogram: {
      ...{ bins, overflows, sum_us: sumUs, sum_ns: sumNs, min_ns: minNs, max_ns: maxNs },
      counts: Object.fromEntries(histogram.entries()),
    },
  };
}

/** The histogram of a record. */
export function histogramOf({ histogram }: LatencyRecord): Histogram {
  return Histogram.of({
    bins: histogram.bins,
    counts: Object.entries(histogram.counts).map(([us, samples]) => [Number(us), samples] as const),
    overflows: histogram.overflows,
    sumUs: histogram.sum_us,
    sumNs: histogram.sum_ns,
    minNs: histogram.min_ns,
    maxNs: histogram.max_ns,
  });
}

/** The row of the talk that was measured under the same conditions; undefined where the talk prints none. */
export function publishedRowOf(
  record: Pick<LatencyRecord, "system" | "kernel" | "guest_load" | "host_load">,
): PublishedLatency | undefined {
  return publishedRow({
    system: record.system,
    kernel: record.kernel,
    guestLoad: record.guest_load === "iperf" ? "iperf" : "idle",
    hostLoad: record.host_load === 0 ? "idle" : "infinite loops",
  });
}

/** The name of that row: `slide25/kvm/linux-3.4.0`. */
export function publishedRowId(record: LatencyRecord): string | undefined {
  const row = publishedRowOf(record);
  return row === undefined ? undefined : latencyRowId(row);
}

/** A line as a record; a text says why it is none. */
export function parseRecord(line: string): RunRecord | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return `no JSON: ${error.message}`;
    throw error;
  }
  const fields = (typeof value === "object" && value !== null ? value : {}) as Partial<LatencyRecord>;
  const { version, program, system, kernel, seed, set, script, booted } = fields;
  if (version !== 1) return `expected a record of version 1, found ${version ?? "none"}`;
  const strings = [program, system, kernel, script, booted].every((field) => typeof field === "string");
  const whole = typeof seed === "number" && typeof set === "object" &&
    (program !== "cyclictest" || typeof fields.histogram?.counts === "object");
  if (!strings || !whole) return "expected a line that sweep --json has written";
  return value as RunRecord;
}

/** Gb/s of iperf, the mean round trip of ping in µs. */
export function valueOf(record: TrafficRecord): number | undefined {
  if (record.bits_per_second !== null) return record.bits_per_second / 1e9;
  return record.round_trip_ns === null ? undefined : record.round_trip_ns.mean / 1000;
}
