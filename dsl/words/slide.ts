import type { Command } from "../commands/command.ts";
import type { Session } from "../session.ts";
import { isLatencySlide, latencySlideLines } from "../slide_table.ts";
import { slideNumbered, SLIDES } from "../slides/catalogue.ts";

/** `slide`. */
export const doc = `Usage: slide N
Effects: prints the table of slide N out of what the session has measured, published beside modelled; rows not measured
  yet are n/a. Slides 25 and 26 are the latency of cyclictest. All other slides: rtkvm slides N, which runs what it
  needs by itself
Exit status: 0; 2 for another slide
Examples: slide 25
  slide 26`;

/** The word of a session. */
export function slide(session: Session): Command {
  return {
    name: "slide",
    kind: "laboratory",
    doc,
    run(context) {
      const [text = "", ...more] = context.args;
      const entry = /^\d+$/.test(text) ? slideNumbered(Number(text)) : undefined;
      if (entry === undefined || more.length > 0) {
        return context.complain(`expected the number of a slide, 1 to ${SLIDES.length}`, 2);
      }
      const { number, title } = entry;
      if (!isLatencySlide(number)) {
        return context.complain(
          `${number} is no table of what a session measures (${title}): rtkvm slides ${number} makes it`,
          2,
        );
      }
      const { profile, seed } = session.lab.options;
      const lines = latencySlideLines(number, session.results, profile, seed);
      context.out(lines.map((line) => `${line}\n`).join(""));
      return 0;
    },
  };
}
