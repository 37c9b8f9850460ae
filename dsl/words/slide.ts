import { provenanceLines } from "../../runtime/lab/provenance.ts";
import { tableLines } from "../../runtime/measure/table.ts";
import type { Command } from "../commands/command.ts";
import type { Session } from "../session/session.ts";
import { isLatencySlide, latencySlideLines } from "../talk/slide_table.ts";
import { slideNumbered, SLIDES } from "../talk/catalogue.ts";
import { TRAFFIC_ROWS, TRAFFIC_SYSTEMS, trafficOf, trafficTable } from "../talk/traffic_table.ts";

/** `slide`. */
const doc = `slide - the table of a slide, out of what has been measured
Usage: slide N
Effects: prints the table of slide N out of what the session has measured, published beside modelled; rows not measured
  yet are n/a. Slides 25 and 26 are the latency of cyclictest, 27 is iperf and ping. All other slides: rtkvm slides N,
  which runs what it needs by itself
Exit status: 0; 2 for another slide
Examples: slide 25
  slide 27`;

/** The slide of iperf and ping. */
const TRAFFIC_SLIDE = 27;

/** Slides that are tables of what a session measures. */
const TABLES: readonly string[] = SLIDES.map((_, i) => i + 1)
  .filter((number) => isLatencySlide(number) || number === TRAFFIC_SLIDE).map(String);

/** The word of a session. */
export function slide(session: Session): Command {
  return {
    name: "slide",
    kind: "laboratory",
    doc,
    complete: (before) => before.length === 0 ? TABLES : [],
    run(context) {
      const [text = "", ...more] = context.args;
      const entry = /^\d+$/.test(text) ? slideNumbered(Number(text)) : undefined;
      if (entry === undefined || more.length > 0) {
        return context.complain(`expected the number of a slide, 1 to ${SLIDES.length}`, 2);
      }
      const lines = linesOf(entry.number, session);
      if (lines === undefined) {
        const { number, title } = entry;
        return context.complain(
          `${number} is no table of what a session measures (${title}): rtkvm slides ${number} makes it`,
          2,
        );
      }
      context.out(lines.map((line) => `${line}\n`).join(""));
      return 0;
    },
  };
}

/** The table of a slide out of a session's results; undefined where it is none. */
function linesOf(number: number, { lab: { options: { profile, seed } }, results, traffic }: Session) {
  if (isLatencySlide(number)) return latencySlideLines(number, results, profile, seed);
  if (number !== TRAFFIC_SLIDE) return undefined;
  const [stock, direct] = TRAFFIC_SYSTEMS.map(({ system }) => trafficOf(traffic, system));
  const { title, columns, rows, notes } = trafficTable(
    [stock!, direct!],
    provenanceLines(profile, TRAFFIC_ROWS),
  );
  return [title, ...tableLines(columns, rows), ...notes];
}
