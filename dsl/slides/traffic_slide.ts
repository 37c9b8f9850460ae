/**
 * Slide 27: throughput, round trip and host CPU use, published beside modelled, as table and as bars.
 *
 * @module
 */

import type { TrafficResult } from "../../runtime/lab/lab.ts";
import { PUBLISHED_CLAIMS, PUBLISHED_TRAFFIC } from "../../runtime/measure/published.ts";
import { profileText } from "../slide_table.ts";
import { barNumber, type BarPanel, barsFigure, barsText } from "./bars_figure.ts";
import { type Part, table } from "./part.ts";
import type { Outcome, Runs } from "./runs.ts";
import { svgElement } from "./svg.ts";

/** The slide's systems, in its order. */
const SYSTEMS = [
  { system: "kvm", label: "KVM" },
  { system: "rfc-v2", label: "KVM+DirectIRQ" },
] as const;

/** How far a value may be off, as a share of the published one, to count as reproduced. */
const TOLERANCE = 0.08;

/** What one system was measured to have; undefined what was not. */
export interface Traffic {
  readonly gigabitsPerSecond: number | undefined;
  readonly roundTripUs: number | undefined;
  /** While iperf ran, percent of one CPU. */
  readonly hostCpuPercent: number | undefined;
  readonly seed: number | undefined;
  /** Echoes, and seconds of iperf. */
  readonly echoes: number | undefined;
  readonly seconds: number | undefined;
}

/** Puts what iperf and ping have measured on a system together; of several results of a program the last. */
export function trafficOf(results: readonly TrafficResult[]): Traffic {
  const last = (program: TrafficResult["program"]) =>
    results.findLast((result) => result.program === program);
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

/** Slide 27. */
export function slide27(runs: Runs): Part[] {
  const outcomes = SYSTEMS.map(({ system }) => runs.traffic(system));
  const problems = outcomes.flatMap((outcome, i) =>
    "problem" in outcome ? [`n/a: ${SYSTEMS[i]!.system}: ${outcome.problem}`] : []
  );
  return trafficParts(
    outcomes.map((outcome: Outcome<readonly TrafficResult[]>) =>
      trafficOf("result" in outcome ? outcome.result : [])
    ),
    [...problems, profileText(runs.profile)],
  );
}

/** Table and bars of what each of the slide's systems was measured to have. */
export function trafficParts(measured: readonly Traffic[], notes: readonly string[]): Part[] {
  const publishedOf = (measure: string, system: string) =>
    PUBLISHED_TRAFFIC.find((bar) => bar.measure === measure && bar.system === system)!;
  const measures = [
    {
      measure: "throughput",
      title: "iperf throughput",
      value: (of: Traffic) => of.gigabitsPerSecond,
      n: (of: Traffic) => of.seconds === undefined ? undefined : `${of.seconds} s`,
    },
    {
      measure: "round trip",
      title: "ping round trip",
      value: (of: Traffic) => of.roundTripUs,
      n: (of: Traffic) => of.echoes === undefined ? undefined : `${of.echoes} echoes`,
    },
  ];
  const rows = measures.flatMap(({ measure, title, value, n }) =>
    SYSTEMS.map(({ system }, i) => {
      const { value: published, tolerance, unit } = publishedOf(measure, system);
      const modelled = value(measured[i]!);
      return [
        `${title}, ${unit}`,
        system,
        `${published} ±${tolerance}`,
        modelled === undefined ? undefined : barNumber(modelled),
        n(measured[i]!),
        measured[i]!.seed,
        verdict(modelled, published),
      ];
    })
  );
  const [stock, direct] = measured.map(({ hostCpuPercent }) => hostCpuPercent);
  const { from, to } = PUBLISHED_CLAIMS.hostCpuReducedPercent;
  const reduced = stock === undefined || direct === undefined ? undefined : stock - direct;
  SYSTEMS.forEach(({ system }, i) =>
    rows.push([
      "host CPU use under iperf, % of a CPU",
      system,
      undefined,
      measured[i]!.hostCpuPercent === undefined ? undefined : barNumber(measured[i]!.hostCpuPercent),
      measures[0]!.n(measured[i]!),
      measured[i]!.seed,
      system === "kvm"
        ? ""
        : reduced === undefined
        ? "not run"
        : `${barNumber(Math.abs(reduced))} ${
          reduced < 0 ? "higher" : "lower"
        }; the slide says ${from} to ${to} lower`,
    ])
  );
  const panels: BarPanel[] = [
    ...measures.map(({ measure, title, value }) => ({
      title,
      unit: measure === "throughput" ? "Gb/s" : "µs",
      bars: SYSTEMS.map(({ system, label }, i) => {
        const { value: published, tolerance } = publishedOf(measure, system);
        return { label, system, modelled: value(measured[i]!), published: { value: published, tolerance } };
      }),
    })),
    {
      title: "Host CPU use",
      unit: "% of a CPU",
      bars: SYSTEMS.map(({ system, label }, i) => ({ label, system, modelled: measured[i]!.hostCpuPercent })),
    },
  ];
  const figure = barsFigure("slide27-bars", "Slide 27: traffic between PF and VF", panels);
  return [
    table({
      title:
        "Slide 27: traffic between physical and virtual function, through the switch of the network card",
      columns: [
        { title: "measure", align: "left" },
        { title: "system", align: "left" },
        { title: "published" },
        { title: "modelled" },
        { title: "n" },
        { title: "seed" },
        { title: "verdict", align: "left" },
      ],
      rows,
      notes,
    }),
    {
      figure,
      text: () => barsText(panels),
      html: () => `<figure>${svgElement(figure)}</figure>`,
      json: () => ({ kind: "bars", title: figure.title, panels }),
    },
  ];
}

function verdict(modelled: number | undefined, published: number): string {
  if (modelled === undefined) return "not run";
  const off = modelled / published - 1;
  const percent = `${off < 0 ? "-" : "+"}${Math.abs(off * 100).toFixed(1)} %`;
  return Math.abs(off) <= TOLERANCE ? `${percent}, within ${TOLERANCE * 100} %` : `off: ${percent}`;
}
