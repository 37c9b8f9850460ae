/**
 * Slide 27 as a table: throughput, round trip and host CPU use between physical and virtual function, published beside
 * modelled.
 *
 * @module
 */

import type { TrafficResult } from "../../runtime/lab/lab.ts";
import {
  HOST_CPU_ROW,
  PUBLISHED_CLAIMS,
  PUBLISHED_TRAFFIC,
  type PublishedTraffic,
  trafficRowId,
} from "../../runtime/measure/published.ts";
import type { Cell } from "../../runtime/measure/table.ts";
import type { TitledTable } from "./slide_table.ts";

/** The slide's systems, in its order. */
export const TRAFFIC_SYSTEMS = [
  { system: "kvm", label: "KVM" },
  { system: "rfc-v2", label: "KVM+DirectIRQ" },
] as const;

/** The rows of the talk that the table shows. */
export const TRAFFIC_ROWS: readonly string[] = [...PUBLISHED_TRAFFIC.map(trafficRowId), HOST_CPU_ROW];

/** How far a value may be off, as a share of the published one, to count as reproduced. */
const TOLERANCE = 0.08;

/** What one system was measured to have; undefined what was not. */
export interface Traffic {
  readonly gigabitsPerSecond: number | undefined;
  readonly roundTripUs: number | undefined;
  /** While iperf ran, percent of one CPU. */
  readonly hostCpuPercent: number | undefined;
  readonly seed: number | undefined;
  /** Echoes of ping. */
  readonly echoes: number | undefined;
  /** How long iperf ran. */
  readonly seconds: number | undefined;
}

/** What iperf and ping have measured on a system; of several results of a program the last. */
export function trafficOf(results: readonly TrafficResult[], system: string): Traffic {
  const last = (program: TrafficResult["program"]) =>
    results.findLast((result) => result.program === program && result.system === system);
  const [iperf, ping] = [last("iperf"), last("ping")];
  return {
    gigabitsPerSecond: iperf?.bitsPerSecond === undefined ? undefined : iperf.bitsPerSecond / 1e9,
    roundTripUs: ping?.roundTrip === undefined ? undefined : ping.roundTrip.meanNs / 1000,
    hostCpuPercent: iperf?.hostCpuPercent,
    seed: (iperf ?? ping)?.seed,
    echoes: ping?.roundTrip?.count,
    seconds: iperf === undefined ? undefined : iperf.lengthNs / 1e9,
  };
}

/** A measure that the slide has a bar of for each system. */
export interface TrafficMeasure {
  readonly title: string;
  readonly unit: "Gb/s" | "us";
  value(of: Traffic): number | undefined;
  /** How much was measured. */
  n(of: Traffic): string | undefined;
  /** The bar of a system. */
  published(system: string): PublishedTraffic;
  /** DirectIRQ against stock KVM, as speeds: the bars' ratio, and what the slide says it is. */
  readonly gain: { readonly title: string; readonly says: string; of(stock: number, direct: number): number };
}

const bar = (measure: PublishedTraffic["measure"], system: string) =>
  PUBLISHED_TRAFFIC.find((each) => each.measure === measure && each.system === system)!;

/** The measures with bars. */
export const TRAFFIC_MEASURES: readonly TrafficMeasure[] = [
  {
    title: "iperf throughput",
    unit: "Gb/s",
    value: (of) => of.gigabitsPerSecond,
    n: (of) => of.seconds === undefined ? undefined : `${of.seconds.toFixed(1)} s`,
    published: (system) => bar("throughput", system),
    gain: {
      title: "throughput, rfc-v2 / kvm",
      says: PUBLISHED_CLAIMS.throughput,
      of: (stock, direct) => direct / stock,
    },
  },
  {
    title: "ping round trip",
    unit: "us",
    value: (of) => of.roundTripUs,
    n: (of) => of.echoes === undefined ? undefined : `${of.echoes} echoes`,
    published: (system) => bar("round trip", system),
    gain: {
      title: "round trip, kvm / rfc-v2",
      says: PUBLISHED_CLAIMS.roundTrip,
      of: (stock, direct) => stock / direct,
    },
  },
];

/** The table; `measured` in the order of {@linkcode TRAFFIC_SYSTEMS}. */
export function trafficTable(measured: readonly [Traffic, Traffic], notes: readonly string[]): TitledTable {
  return {
    title: "Slide 27: traffic between physical and virtual function, through the switch of the network card",
    columns: [
      { title: "measure", align: "left" },
      { title: "system", align: "left" },
      { title: "published" },
      { title: "modelled" },
      { title: "n" },
      { title: "seed" },
      { title: "verdict", align: "left" },
    ],
    rows: [...TRAFFIC_MEASURES.flatMap((measure) => measureRows(measure, measured)), ...cpuRows(measured)],
    notes,
  };
}

function measureRows(measure: TrafficMeasure, measured: readonly [Traffic, Traffic]): Cell[][] {
  const { title, unit, gain } = measure;
  const [stock, direct] = measured.map((of) => measure.value(of));
  const ratio = stock === undefined || direct === undefined ? undefined : gain.of(stock, direct);
  const published = TRAFFIC_SYSTEMS.map(({ system }) => measure.published(system).value);
  return [
    ...TRAFFIC_SYSTEMS.map(({ system }, i) => {
      const { value, tolerance } = measure.published(system);
      const [of, modelled] = [measured[i]!, measure.value(measured[i]!)];
      return [
        `${title}, ${unit}`,
        system,
        `${value.toFixed(unit === "us" ? 1 : 2)} ±${tolerance}`,
        modelled === undefined ? undefined : measuredText(modelled),
        measure.n(of),
        of.seed,
        verdict(modelled, value),
      ];
    }),
    [
      gain.title,
      "both",
      gain.of(published[0]!, published[1]!).toFixed(2),
      ratio?.toFixed(2),
      "",
      measured[0].seed,
      ratio === undefined ? "not run" : `the slide says "${gain.says}"`,
    ],
  ];
}

/** The slide says only by how much the use falls. */
function cpuRows(measured: readonly [Traffic, Traffic]): Cell[][] {
  const [stock, direct] = measured.map(({ hostCpuPercent }) => hostCpuPercent);
  const { from, to } = PUBLISHED_CLAIMS.hostCpuReducedPercent;
  const points = stock === undefined || direct === undefined ? undefined : direct - stock;
  return TRAFFIC_SYSTEMS.map(({ system }, i) => [
    "host CPU use under iperf, % of a CPU",
    system,
    undefined,
    measured[i]!.hostCpuPercent === undefined ? undefined : measuredText(measured[i]!.hostCpuPercent),
    TRAFFIC_MEASURES[0]!.n(measured[i]!),
    measured[i]!.seed,
    system === "kvm"
      ? ""
      : points === undefined
      ? "not run"
      : `${measuredText(Math.abs(points))} points ${
        points > 0 ? "higher" : "lower"
      }; the slide says ${from} - ${to} % lower`,
  ]);
}

/** A measured value: three or four digits. */
export function measuredText(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 20 ? value.toFixed(1) : value.toFixed(2);
}

function verdict(modelled: number | undefined, published: number): string {
  if (modelled === undefined) return "not run";
  const off = modelled / published - 1;
  const percent = `${off < 0 ? "-" : "+"}${Math.abs(off * 100).toFixed(1)} %`;
  return Math.abs(off) <= TOLERANCE ? `${percent}, within ${TOLERANCE * 100} %` : `off: ${percent}`;
}
