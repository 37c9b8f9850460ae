import type { Command } from "../commands/command.ts";
import type { Session } from "../session.ts";
import { slide25Lines } from "../slide_table.ts";

/** `slide`. */
export const doc = `Usage: slide N
Effects: prints the table of slide N out of what the session has measured, published beside modelled; rows not measured
  yet are n/a. Slide 25 is the latency of cyclictest
Exit status: 0; 2 for another slide
Not yet: the other slides
Examples: slide 25`;

/** The talk's slides. */
const LAST_SLIDE = 31;

/** The word of a session. */
export function slide(session: Session): Command {
  return {
    name: "slide",
    kind: "laboratory",
    doc,
    run(context) {
      const [text, ...more] = context.args;
      const number = Number(text);
      if (
        text === undefined || more.length > 0 || !Number.isInteger(number) || number < 1 ||
        number > LAST_SLIDE
      ) {
        return context.complain(`expected the number of a slide, 1 to ${LAST_SLIDE}`, 2);
      }
      if (number !== 25) return context.complain(`${number}: not yet: only slide 25 has a table here`, 2);
      const { profile, seed } = session.lab.options;
      context.out(slide25Lines(session.results, profile, seed).map((line) => `${line}\n`).join(""));
      return 0;
    },
  };
}
