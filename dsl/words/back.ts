import type { Command } from "../commands/command.ts";
import { endsBefore, type Step } from "../session/grains.ts";
import type { Instant, Position } from "../session/journal.ts";
import type { Session } from "../session/session.ts";
import { travel } from "./goto.ts";
import { completeSteps, parseSteps } from "./step.ts";

/** `back`. */
const doc = `back - goes back in the run
Usage: back [N] [event | phase | interrupt] [cpu N]
Effects: goes back by N steps, 1 if N is not given: to where the last step of that grain began which ended here, or else to
  the end of the one before. All of the machine is as it was then: what ran then goes on as time does. The shell stays as
  it is, with its variables. What had been given later comes again at its time, until something else is given to the
  machine: that replaces it. Output appears again
Exit status: 0; 1 if the run has not so many steps, or cannot be repeated; 2 for a grain or number that is none
Examples: step 20; back 20
  step phase; back phase
  step 3 interrupt; back 3 interrupt
  step interrupt cpu 0; back interrupt cpu 0`;

/** The word of a session. */
export function back(session: Session): Command {
  return {
    name: "back",
    kind: "laboratory",
    doc,
    complete: completeSteps,
    run(context) {
      const steps = parseSteps("back", context.args, session);
      if (typeof steps === "string") return context.complain(steps, 2);
      const { count, step } = steps;
      const to = target(session, step, count);
      return to === undefined
        ? context.complain(atTheStart(session, step.grain, count))
        : travel(session, context, to);
    },
  };
}

/** Where `count` steps back lead; undefined: the run has not so many. */
function target(session: Session, step: Step, count: number) {
  const { timeline, firstEvent } = session;
  let at: Instant = session.now;
  let to: Position | undefined;
  for (let left = count; left > 0; left--) {
    const made = timeline.mirrored(step, at);
    if (made !== undefined && (step.grain !== "event" || at.event - made.event <= left)) {
      if (step.grain === "event") left -= at.event - made.event - 1;
      at = to = made;
      continue;
    }
    if (step.grain === "event") {
      const event = at.event - left;
      return event < firstEvent ? undefined : timeline.positionOf(event);
    }
    const ends = endsBefore(session, step, at.event, left);
    return ends.length < left ? undefined : timeline.positionOf(ends[left - 1]!);
  }
  return to;
}

function atTheStart({ now, firstEvent }: Session, grain: string, count: number): string {
  const behind = now.event - firstEvent;
  if (behind === 0) return "this is the start: nothing lies before the machine's boot";
  return grain === "event"
    ? `${count}: only ${behind} events lie behind, up to the machine's boot`
    : `${count} ${grain}: there are not so many since the machine's boot`;
}
