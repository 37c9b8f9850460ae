/**
 * Results as lines of JSON: what `run --json` writes.
 *
 * @module
 */

import type { ComputeResult, LabResult, TrafficResult } from "../../runtime/lab/lab.ts";
import { exitsByName, totalExits } from "../../runtime/lab/views/exits.ts";
import { rowOf } from "../talk/slide_table.ts";

/** The version of the format; a field that changes its meaning raises it. */
const FORMAT = 1;

/** The fields of a result, in the order in which they are written. */
export interface ResultFields {
  readonly version: number;
  readonly program: "cyclictest";
  readonly slide: number | null;
  readonly system: string;
  readonly kernel: string;
  readonly n: number;
  readonly seed: number;
  readonly interval_us: number;
  readonly min_us: number | null;
  readonly avg_us: number | null;
  readonly max_us: number | null;
  readonly mean_us: number | null;
  readonly host_load: number;
  readonly events: number;
  readonly exits: { readonly total: number; readonly [reason: string]: number };
  readonly hash: string;
  readonly profile: string;
}

/**
 * The fields of `{"version":1,"program":"cyclictest","slide":25,"system":"rfc-v2",…}`. Latencies in whole µs as cyclictest
 * prints them, of the first thread; `mean_us` has what they cut off. `slide` is the slide that publishes the row, null
 * where none does.
 */
export function resultFields(result: LabResult, profileHash: string): ResultFields {
  const { options, threads } = result.cyclictest;
  const histogram = threads[0]?.histogram;
  return {
    version: FORMAT,
    program: "cyclictest",
    slide: (rowOf(result, 25) ?? rowOf(result, 26))?.slide ?? null,
    system: result.system,
    kernel: result.kernel,
    n: histogram?.count ?? 0,
    seed: result.seed,
    interval_us: options.intervalUs,
    min_us: histogram?.minUs ?? null,
    avg_us: histogram?.avgUs ?? null,
    max_us: histogram?.maxUs ?? null,
    mean_us: histogram === undefined || histogram.count === 0
      ? null
      : Number((histogram.sumNs / histogram.count / 1000).toFixed(3)),
    host_load: result.hostLoad,
    events: result.events,
    exits: { total: totalExits(result.exits), ...Object.fromEntries(exitsByName(result.exits)) },
    hash: result.hash,
    profile: profileHash,
  };
}

/** A run of iperf or ping. */
export interface TrafficFields {
  readonly version: number;
  readonly program: "iperf" | "ping";
  readonly system: string;
  readonly kernel: string;
  readonly seed: number;
  readonly length_ns: number;
  readonly bits_per_second: number | null;
  readonly round_trip_ns: { readonly min: number; readonly mean: number; readonly max: number } | null;
  readonly host_cpu_percent: number;
  readonly profile: string;
}

/** The fields of a result of iperf or ping. */
export function trafficFields(result: TrafficResult, profile: string): TrafficFields {
  const { program, system, kernel, seed, lengthNs, bitsPerSecond, roundTrip, hostCpuPercent } = result;
  return {
    ...{ version: FORMAT, program, system, kernel, seed, length_ns: lengthNs },
    bits_per_second: bitsPerSecond ?? null,
    round_trip_ns: roundTrip === undefined
      ? null
      : { min: roundTrip.minNs, mean: roundTrip.meanNs, max: roundTrip.maxNs },
    host_cpu_percent: hostCpuPercent,
    profile,
  };
}

function computeFields(result: ComputeResult, profile: string) {
  const { system, kernel, seed, sysbench: { maxPrime, requests, totalNs }, exits, hostLoad } = result;
  return {
    ...{ version: FORMAT, program: "sysbench", system, kernel, seed },
    ...{ max_prime: maxPrime, requests, total_ns: totalNs, exits: { total: exits }, host_load: hostLoad },
    profile,
  };
}

/** What a session has measured, a line each: by cyclictest, then by iperf and ping, then by sysbench, each oldest first. */
export function resultLines(
  measured: {
    readonly results: readonly LabResult[];
    readonly traffic: readonly TrafficResult[];
    readonly computed: readonly ComputeResult[];
  },
  profileHash: string,
): string[] {
  return [
    ...measured.results.map((result) => resultFields(result, profileHash)),
    ...measured.traffic.map((result) => trafficFields(result, profileHash)),
    ...measured.computed.map((result) => computeFields(result, profileHash)),
  ].map((fields) => JSON.stringify(fields));
}
