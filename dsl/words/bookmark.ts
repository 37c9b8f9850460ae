import type { Command } from "../commands/command.ts";
import { timeText } from "../session/duration.ts";
import type { Session } from "../session/session.ts";

/** `bookmark`. */
const doc = `bookmark - names an instant
Usage: bookmark [NAME]
Effects: names this instant, so that goto finds it; without NAME lists all. A boot forgets them, and so does something given
  to the machine at an earlier instant, which replaces what had followed
Exit status: 0; 2 for a name that could be a number or a time
Examples: bookmark before; run 2ms; goto before
  bookmark`;

/** The word of a session. */
export function bookmark(session: Session): Command {
  return {
    name: "bookmark",
    kind: "laboratory",
    doc,
    complete: () => [],
    run(context) {
      const [name, ...more] = context.args;
      const { bookmarks } = session.timeline;
      if (name === undefined) {
        for (const [each, { event, timeNs }] of bookmarks) {
          context.out(`${each}: event ${event}, ${timeText(timeNs)}\n`);
        }
        return 0;
      }
      if (more.length > 0 || !/^[A-Za-z_][\w.-]*$/.test(name)) {
        return context.complain(`"${context.args.join(" ")}": expected a name that begins with a letter`, 2);
      }
      bookmarks.set(name, session.position);
      session.timeline.stand();
      return 0;
    },
  };
}
