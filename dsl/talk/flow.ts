/**
 * A flow as a part of a slide: drawn from the trace of a run, with its exits counted.
 *
 * @module
 */

import { exitsOf, type FlowItem } from "../../runtime/measure/flow.ts";
import { flowFigure, type FlowMark } from "./flow_figure.ts";
import { flowText } from "./flow_text.ts";
import type { Part } from "./part.ts";
import { escape, svgElement } from "./svg.ts";

/** A flow and what is said of it. */
export interface FlowContent {
  /** Names its file. */
  readonly name: string;
  readonly title: string;
  /** The system that ran. */
  readonly system: string;
  readonly items: readonly FlowItem[];
  readonly marks?: readonly FlowMark[];
  readonly notes?: readonly string[];
}

/** The part of a flow. */
export function flow({ name, title, system, items, marks, notes = [] }: FlowContent): Part {
  const exits = exitsOf(items);
  const heading = `${title} (${system}): ${exits} ${exits === 1 ? "exit" : "exits"}`;
  const figure = flowFigure(name, heading, items, marks);
  const startNs = items[0]?.timeNs ?? 0;
  const marked = (marks ?? []).map(({ from, label }) => `${items[from]?.text ?? ""}: ${label}`);
  return {
    figure,
    text: () => [heading, ...flowText(items, startNs), ...marked, ...notes],
    html: () =>
      `<figure>${svgElement(figure)}</figure>\n` +
      notes.map((note) => `<p class="note">${escape(note)}</p>`).join("\n"),
    json: () => ({
      kind: "flow",
      title,
      system,
      exits,
      items: items.map(({ kind, lane, text, timeNs }) => ({ kind, lane, text, ns: timeNs - startNs })),
      marks: (marks ?? []).map(({ from, to, label }) => ({ from, to, label })),
      notes,
    }),
  };
}
