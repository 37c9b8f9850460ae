/**
 * A flow as lines of text: a lane for the guest, one for the host, the crossings between them as arrows.
 *
 * @module
 */

import type { FlowItem } from "../../runtime/measure/flow.ts";

/** Widths of the columns: time, and each lane. */
const TIME = 9;
const LANE = 24;

/** The lines; times are µs from `startNs`. */
export function flowText(items: readonly FlowItem[], startNs: number): string[] {
  if (items.length === 0) return [];
  const lines = [`${"us".padStart(TIME)}  ${"Guest".padEnd(LANE)}Host`];
  for (const { kind, lane, text, timeNs } of items) {
    const time = ((timeNs - startNs) / 1000).toFixed(3).padStart(TIME);
    if (kind === "box") {
      lines.push(`${time}  ${lane === "guest" ? text : " ".repeat(LANE) + text}`);
    } else {
      const label = ` ${text} `;
      const shaft = "-".repeat(LANE - label.length - 3);
      lines.push(`${time}  ${lane === "host" ? ` ${shaft}${label}->` : ` <-${label}${shaft}`}`);
    }
  }
  return lines;
}
