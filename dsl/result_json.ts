/**
 * A result as one line of JSON.
 *
 * @module
 */

import type { LabResult } from "../runtime/lab/lab.ts";
import { exitsByName, totalExits } from "../runtime/lab/views/exits.ts";
import { rowOf } from "./slide_table.ts";

/** The version of the format; a field that changes its meaning raises it. */
const FORMAT = 1;

/** The fields of a result, in the order in which they are written. */
export interface ResultFields {
  readonly version: number;
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
 * `{"version":1,"slide":25,"system":"rfc-v2",…}`. Latencies in whole µs as cyclictest prints them, of the first thread;
 * `mean_us` has what they cut off. `slide` is the slide that publishes the row, null where none does.
 */
export function resultJson(result: LabResult, profileHash: string): string {
  return JSON.stringify(resultFields(result, profileHash));
}

/** The same before it is text. */
export function resultFields(result: LabResult, profileHash: string): ResultFields {
  const { options, threads } = result.cyclictest;
  const histogram = threads[0]?.histogram;
  return {
    version: FORMAT,
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
