/**
 * Slide 27: throughput, round trip and host CPU use, as table and as bars.
 *
 * @module
 */

import { provenanceLines } from "../../runtime/lab/provenance.ts";
import {
  measuredText,
  type Traffic,
  TRAFFIC_MEASURES,
  TRAFFIC_ROWS,
  TRAFFIC_SYSTEMS,
  trafficOf,
  trafficTable,
} from "../talk/traffic_table.ts";
import { type BarPanel, barsFigure, barsText } from "../talk/bars_figure.ts";
import { type Part, table } from "../talk/part.ts";
import type { Runs } from "./runs.ts";
import { svgElement } from "../talk/svg.ts";

/** Slide 27. */
export function slide27(runs: Runs): Part[] {
  const problems: string[] = [];
  const [stock, direct] = TRAFFIC_SYSTEMS.map(({ system }) => {
    const outcome = runs.traffic(system);
    if ("problem" in outcome) problems.push(`n/a: ${system}: ${outcome.problem}`);
    return trafficOf("result" in outcome ? outcome.result : [], system);
  });
  return trafficParts([stock!, direct!], [...problems, ...provenanceLines(runs.profile, TRAFFIC_ROWS)]);
}

/** Table and bars of what each of the slide's systems was measured to have. */
export function trafficParts(measured: readonly [Traffic, Traffic], notes: readonly string[]): Part[] {
  const panels: BarPanel[] = [
    ...TRAFFIC_MEASURES.map((measure) => ({
      title: measure.title,
      unit: measure.unit.replace("us", "µs"),
      bars: TRAFFIC_SYSTEMS.map(({ system, label }, i) => {
        const { value, tolerance } = measure.published(system);
        return { label, system, modelled: measure.value(measured[i]!), published: { value, tolerance } };
      }),
    })),
    {
      title: "Host CPU use",
      unit: "% of a CPU",
      bars: TRAFFIC_SYSTEMS.map(({ system, label }, i) => ({
        label,
        system,
        modelled: measured[i]!.hostCpuPercent,
      })),
    },
  ];
  const figure = barsFigure("slide27-bars", "Slide 27: traffic between PF and VF", panels, measuredText);
  return [
    table(trafficTable(measured, notes)),
    {
      figure,
      text: () => barsText(panels, measuredText),
      html: () => `<figure>${svgElement(figure)}</figure>`,
      json: () => ({ kind: "bars", title: figure.title, panels }),
    },
  ];
}
