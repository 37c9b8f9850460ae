/**
 * An explained sample as one line of JSON.
 *
 * @module
 */

import type { LabResult } from "../../runtime/lab/lab.ts";
import type { WatchedSample } from "../../runtime/lab/sample_watch.ts";
import type { OtherSystem } from "./rerun.ts";
import { groupsOf, layersOf, waitsOf } from "../../runtime/lab/views/sample.ts";

/** The version of the format; a field that changes its meaning raises it. */
const FORMAT = 1;

/**
 * `{"version":1,"explains":"cyclictest","sample":217304,…}`. All times are integer ns; the `ns` of `parts` sum up to
 * `latency_ns`, and so do those of `layers`.
 */
export function sampleJson(
  result: LabResult,
  thread: number,
  sample: WatchedSample,
  others: readonly OtherSystem[],
  profile: string,
): string {
  const { system, kernel, seed, hostLoad } = result;
  return JSON.stringify({
    version: FORMAT,
    explains: "cyclictest",
    system,
    kernel,
    seed,
    host_load: hostLoad,
    thread,
    ...sampleFields(sample),
    waits: waitsOf(sample.parts).map(({ atSetting, ...wait }) => ({ ...wait, at_setting: atSetting })),
    parts: groupsOf(sample.parts).map(({ kind, startNs, ns, cpu, layer, what, cause, event }) => ({
      kind,
      start_ns: startNs,
      ns,
      cpu,
      layer,
      what,
      for: cause,
      event: event === 0 ? null : event,
    })),
    with: others.map(({ system: name, sample: same, around }) => ({
      system: name,
      same_number: otherFields(same, sample),
      same_instant: otherFields(around, sample),
    })),
    profile,
  });
}

function otherFields(other: WatchedSample | string, sample: WatchedSample) {
  if (typeof other === "string") return { sample: null, problem: other };
  return { ...sampleFields(other), later_ns: other.expiryNs - sample.expiryNs };
}

function sampleFields({ number, latencyNs, expiryNs, event, parts, maxSoFarNs }: WatchedSample) {
  return {
    sample: number,
    latency_ns: latencyNs,
    expiry_ns: expiryNs,
    event,
    max_so_far_ns: maxSoFarNs,
    layers: Object.fromEntries(layersOf(parts)),
  };
}
