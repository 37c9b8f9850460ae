/**
 * What the talk prints as targets of a calibration: an interval for each number, and how far a model is from its middle.
 *
 * *Modelled*: minimum and average of every latency row (what prints as 13 lies from 13 to 14), the mode and the bars of
 * its chart (within what the reading may be off), where the chart's body ends, throughput, round trip and the
 * difference in the host's CPU time.
 *
 * *Not modelled*: maxima. One maximum of 300,000 samples is no target; a table gives its percentile instead.
 *
 * A deviation is counted in half intervals: up to 1 it prints as the talk does.
 *
 * @module
 */

import type { Histogram } from "./histogram.ts";
import {
  CHART_TOLERANCE,
  GONE_TOLERANCE_US,
  HOST_CPU_ROW,
  latencyRowId,
  PUBLISHED_CLAIMS,
  PUBLISHED_LATENCIES,
  PUBLISHED_SAMPLES,
  PUBLISHED_TRAFFIC,
  trafficRowId,
} from "./published.ts";

/** What runs have measured, by the names of the talk's rows. */
export interface Measured {
  /** Samples of all runs. */
  readonly latency: ReadonlyMap<string, Histogram>;
  /**
   * The minimum of a run, ns, as a mean over the runs: more runs do not make it smaller. Only of runs with as many
   * samples as the talk's, since more samples do.
   */
  readonly minNs: ReadonlyMap<string, number>;
  /** Gb/s or µs; percent for the host's CPU time. */
  readonly traffic: ReadonlyMap<string, number>;
}

/** One number of the talk. */
export interface Target {
  /** The row it stands in: `slide25/kvm/linux-3.4.0`. */
  readonly row: string;
  /** `min`, `avg`, `mode`, `samples at 2 us`, `throughput` … */
  readonly what: string;
  /** As the talk gives it. */
  readonly published: string;
  /** Whether small changes of the model move it: a mode jumps. */
  readonly smooth: boolean;
  /** What the model has there, as printed beside the published number; undefined where it was not run. */
  modelled(measured: Measured): string | undefined;
  /** How far the model is from the middle of the interval, in half intervals; undefined where it was not run, or not as long. */
  deviation(measured: Measured): number | undefined;
}

/** How far the model's throughput and round trip may be off, as a share: it prints more digits than it knows. */
const TRAFFIC_TOLERANCE = 0.04;

/** Every target, in the order of the slides. */
export const TARGETS: readonly Target[] = [...latencyTargets(), ...trafficTargets(), hostCpuTarget()];

function* latencyTargets(): Generator<Target> {
  for (const published of PUBLISHED_LATENCIES) {
    const row = latencyRowId(published);
    const target = (
      what: string,
      text: string,
      middle: number,
      half: number,
      look: (histogram: Histogram) => number | undefined,
      show: (value: number) => string,
      smooth = true,
    ): Target => {
      const value = ({ latency }: Measured) => {
        const histogram = latency.get(row);
        return histogram === undefined || histogram.count === 0 ? undefined : look(histogram);
      };
      return {
        ...{ row, what, published: text, smooth },
        modelled: (measured) => mapped(value(measured), show),
        deviation: (measured) => mapped(value(measured), (x) => (x - middle) / half),
      };
    };
    const { minUs, avgUs, mode, goneUs, chart } = published;
    const twoDigits = (us: number) => us.toFixed(2);
    yield {
      ...target("min", String(minUs), minUs + 0.5, 0.5, ({ minNs }) => minNs / 1000, twoDigits),
      deviation: ({ minNs }) => mapped(minNs.get(row), (ns) => (ns / 1000 - (minUs + 0.5)) / 0.5),
    };
    yield target("avg", String(avgUs), avgUs + 0.5, 0.5, ({ sumUs, count }) => sumUs / count, twoDigits);
    if (mode !== undefined) {
      const { us, toleranceUs } = mode;
      yield target(
        "mode",
        `${us} ±${toleranceUs}`,
        us,
        toleranceUs,
        ({ modeUs }) => modeUs ?? 0,
        String,
        false,
      );
    }
    if (goneUs !== undefined) {
      yield target(
        "gone at",
        `${goneUs} ±${GONE_TOLERANCE_US}`,
        goneUs,
        GONE_TOLERANCE_US,
        goneAtUs,
        (us) => us.toFixed(1),
      );
    }
    for (const { us, samples } of chart) {
      yield target(
        `samples at ${us} us`,
        String(samples),
        Math.log(samples),
        Math.log(1 + CHART_TOLERANCE),
        ({ counts, count }) => Math.log(((counts[us] ?? 0) + 0.5) / count * PUBLISHED_SAMPLES),
        (logarithm) => Math.exp(logarithm).toFixed(0),
      );
    }
  }
}

/** Of so many samples one may lie beyond the body: the charts show it as a single. */
const SINGLES = 10_000;

/** Where a histogram's body ends, within its bin by the share of samples that still belong to it, µs; undefined of too few. */
function goneAtUs({ counts, count, overflows }: Histogram): number | undefined {
  if (count < SINGLES) return undefined;
  let left = count / SINGLES - overflows;
  if (left < 0) return counts.length;
  for (let us = counts.length - 1; us > 0; us--) {
    const samples = counts[us]!;
    if (samples > left) return us + 1 - left / samples;
    left -= samples;
  }
  return 0;
}

function* trafficTargets(): Generator<Target> {
  for (const published of PUBLISHED_TRAFFIC) {
    const row = trafficRowId(published);
    const { value, unit, measure } = published;
    yield {
      ...{ row, what: measure, published: `${value} ${unit}`, smooth: true },
      modelled: ({ traffic }) => mapped(traffic.get(row), (x) => `${x.toFixed(2)} ${unit}`),
      deviation: ({ traffic }) => mapped(traffic.get(row), (x) => (x / value - 1) / TRAFFIC_TOLERANCE),
    };
  }
}

function hostCpuTarget(): Target {
  const { from, to } = PUBLISHED_CLAIMS.hostCpuReducedPercent;
  return {
    ...{ row: HOST_CPU_ROW, what: "less host CPU", published: `${from} to ${to} %`, smooth: true },
    modelled: ({ traffic }) => mapped(traffic.get(HOST_CPU_ROW), (x) => `${x.toFixed(1)} %`),
    deviation: ({ traffic }) =>
      mapped(traffic.get(HOST_CPU_ROW), (x) => (x - (from + to) / 2) / ((to - from) / 2)),
  };
}

function mapped<T>(value: number | undefined, then: (value: number) => T): T | undefined {
  return value === undefined ? undefined : then(value);
}

/** Within its interval a deviation counts only so much: enough to prefer the middle to the edge. */
const INSIDE_WEIGHT = 0.01;
/** Beyond this a deviation counts in proportion, not squared: a number that the model cannot have does not rule the rest. */
const LINEAR_BEYOND = 2;

/**
 * What a calibration makes small: the squares of what lies outside the intervals, in proportion where it is far, and a
 * hundredth of what lies inside. A target that was not run counts nothing.
 */
export function misfit(targets: readonly Target[], measured: Measured): number {
  let sum = 0;
  for (const target of targets) {
    const deviation = Math.abs(target.deviation(measured) ?? 0);
    const outside = Math.max(0, deviation - 1);
    sum += INSIDE_WEIGHT * Math.min(1, deviation) ** 2 +
      (outside <= LINEAR_BEYOND ? outside ** 2 : LINEAR_BEYOND * (2 * outside - LINEAR_BEYOND));
  }
  return sum;
}
