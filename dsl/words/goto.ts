import type { Command, CommandContext } from "../commands/command.ts";
import { parseDuration, timeText } from "../session/duration.ts";
import type { Position } from "../session/journal.ts";
import { RepetitionError } from "../session/repeat.ts";
import type { Session } from "../session/session.ts";
import { unknownName } from "../shell/unknown_name.ts";
import { whereText } from "./run.ts";

/** `goto`. */
const doc = `goto - goes to another instant of the run
Usage: goto NAME | TIME | EVENT
Effects: goes to a bookmark, a time since the machine was switched on, or an event by its number, back or forth within what
  has been run. Otherwise as back
Exit status: 0; 1 if there is no such place in the run, or it cannot be repeated; 2 for what is none
Examples: bookmark here; run 5ms; goto here
  run 10ms; goto 105ms
  goto 1400`;

/** The word of a session. */
export function goto(session: Session): Command {
  return {
    name: "goto",
    kind: "laboratory",
    doc,
    complete: (before) => before.length === 0 ? [...session.timeline.bookmarks.keys()] : [],
    run(context) {
      const place = context.args.join(" ");
      if (place === "") return context.complain("expected goto NAME | TIME | EVENT", 2);
      const to = placed(session, place);
      return typeof to === "string" ? context.complain(to) : travel(session, context, to);
    },
  };
}

/** Goes there, and says where that is. */
export function travel(session: Session, context: CommandContext, to: Position): number {
  return leadElsewhere(session, context, () => session.timeline.goTo(to));
}

/** Has the session go on with another run, and says where that is; or why it cannot. */
export function leadElsewhere(session: Session, context: CommandContext, go: () => void): number {
  if (context.shell !== session.shell) {
    return context.complain("only in the session's own shell: not in a subshell, a pipe, a job or by ssh", 2);
  }
  if (!session.shell.descriptors.onlyTerminal) {
    return context.complain(
      "a redirection leads into the machine, and would lead into another one afterwards",
    );
  }
  try {
    go();
  } catch (error) {
    if (!(error instanceof RepetitionError)) throw error;
    return context.complain(`the run cannot be repeated: ${error.message}`);
  }
  context.out(`${whereText(session)}\n`);
  return 0;
}

function placed(session: Session, place: string): Position | string {
  const { timeline, firstEvent } = session;
  const named = timeline.bookmarks.get(place);
  if (named !== undefined) return named;
  const { end } = timeline;
  const beyond = `the run has come to event ${end.event}, ${timeText(end.timeNs)}: run and step lead on`;
  if (/^\d+$/.test(place)) {
    const event = Number(place);
    if (event > end.event) return `event ${place}: ${beyond}`;
    return event < firstEvent
      ? `event ${place}: the machine had booted with event ${firstEvent}`
      : timeline.positionOf(event);
  }
  const ns = parseDuration(place);
  const names = [...timeline.bookmarks.keys()];
  if (ns === undefined && names.length === 0) {
    return `unknown bookmark "${place}": there is none yet, "bookmark NAME" makes one; or an event, or a time such as 1.5s`;
  }
  if (ns === undefined) return unknownName("bookmark", place, names);
  if (ns > end.timeNs) return `${place}: ${beyond}`;
  if (ns < session.start.timeNs) {
    return `${place}: the machine had booted at ${timeText(session.start.timeNs)}`;
  }
  return timeline.positionAt(ns);
}
