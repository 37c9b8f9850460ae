import { advanceEvents, advanceTime } from "../advance.ts";
import type { Command } from "../commands/command.ts";
import { type Condition, ConditionError, parseCondition } from "../condition.ts";
import { durationText, parseDuration, timeText } from "../duration.ts";
import type { Coroutine, Request } from "../jobs.ts";
import type { Session } from "../session.ts";

/** `run`. */
const doc = `run - lets time go on
Usage: run DURATION
  run until CONDITION
Effects: time goes on for DURATION, or up to the end of the first event after which CONDITION holds; background jobs
  go on meanwhile. Prints where it stopped. DURATION has a unit: ns, us, ms, s
  CONDITION: time >= 1s, event >= 5000, exits.total > 0, exits.hlt > 0, cyclictest.max > 20us, cpu 3 offline,
  guest vm0 up; the operators are == != < <= > >=
Exit status: 0; 1 if CONDITION has not come true within 100 s; 2 if there is no such condition or duration
Not yet: run alone, which goes on to the next stop: there are no stops
Examples: run 10ms
  run until cpu 3 offline
  run until exits.total > 100`;

/** How long a condition is waited for: one that never comes true ends a script with an error, not never. */
const PATIENCE_NS = 100e9;

/** The word of a session. */
export function run(session: Session): Command {
  return {
    name: "run",
    kind: "laboratory",
    doc,
    *run(context): Coroutine {
      const [first, ...rest] = context.args;
      if (first === undefined) {
        return context.complain(
          "say how long, run 10ms, or up to what, run until cpu 3 offline: there are no stops yet",
          2,
        );
      }
      if (first !== "until") {
        const text = [first, ...rest].join(" ");
        const ns = parseDuration(text);
        if (ns === undefined) {
          return context.complain(
            `"${text}": expected a duration with its unit, like 10ms, or until CONDITION`,
            2,
          );
        }
        yield* advanceTime(session, session.lab.engine.nowNs + ns);
        context.out(`${whereText(session)}\n`);
        return 0;
      }
      let condition: Condition;
      try {
        condition = parseCondition(rest.join(" "));
      } catch (error) {
        if (error instanceof ConditionError) return context.complain(`until: ${error.message}`, 2);
        throw error;
      }
      const holds = yield* advanceUntil(session, condition);
      context.out(`${whereText(session)}: ${condition.look(session).left}\n`);
      return holds ? 0 : context.complain(`until ${condition.text}: not within ${durationText(PATIENCE_NS)}`);
    },
  };
}

/** Lets time go on until `condition` holds; false where patience ends first. */
function* advanceUntil(session: Session, condition: Condition): Generator<Request, boolean, unknown> {
  const holds = () => condition.look(session).holds === true;
  if (holds()) return true;
  const { engine } = session.lab;
  const lastNs = engine.nowNs + PATIENCE_NS;
  if (condition.fromNs !== undefined) { // time alone decides: no need to look after every event
    yield* advanceTime(session, Math.min(condition.fromNs, lastNs));
    return holds();
  }
  yield* advanceEvents(session, Infinity, () => holds() || engine.nowNs > lastNs);
  return holds();
}

function whereText({ lab: { engine } }: Session): string {
  return `event ${engine.event}, ${timeText(engine.nowNs)}`;
}
