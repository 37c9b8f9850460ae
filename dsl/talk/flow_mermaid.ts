/**
 * A flow as a sequence diagram in the text form of Mermaid, which many viewers of documents draw.
 *
 * *Document*: Mermaid's "Sequence diagrams": participants, notes over them, messages between them. `;` and `#` would end
 * a text; no box has one.
 *
 * @module
 */

import type { FlowItem, Lane } from "../../runtime/measure/flow.ts";

const NAMES: Readonly<Record<Lane, string>> = { guest: "Guest", host: "Host" };

/** The lines; times are µs from `startNs`. */
export function flowMermaid(items: readonly FlowItem[], startNs: number): string[] {
  return [
    "sequenceDiagram",
    ...Object.values(NAMES).map((name) => `  participant ${name}`),
    ...items.map(({ kind, lane, text, timeNs }) => {
      const at = `${((timeNs - startNs) / 1000).toFixed(3)} us`;
      if (kind === "box") return `  Note over ${NAMES[lane]}: ${text}, ${at}`;
      return `  ${NAMES[lane === "host" ? "guest" : "host"]}->>${NAMES[lane]}: ${text}, ${at}`;
    }),
  ];
}
