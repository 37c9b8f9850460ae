import { advance, advanceTime } from "../session/advance.ts";
import type { Command, CommandContext } from "../commands/command.ts";
import { type Condition, conditionHelp, parsedCondition } from "../session/condition.ts";
import { conditionWords } from "../session/condition_words.ts";
import { durationText, parseDuration, timeText } from "../session/duration.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Session } from "../session/session.ts";

/** How long a condition is waited for: one that never comes true ends a script with an error, not never. */
export const PATIENCE_NS = 100e9;

/** `run`. */
const doc = `run - lets time go on
Usage: run [DURATION]
  run until CONDITION
Effects: time goes on for DURATION, up to the end of the first event after which CONDITION holds or has happened, or, with
  neither, to the next stop. A stop comes first where there is one. Background jobs go on meanwhile. Prints where it has
  stopped. DURATION has a unit: ns, us, ms, s
Conditions: on what is, and on what happens at an instant
${conditionHelp()}
Exit status: 0, at a stop too; 1 if CONDITION has not come true, or no stop has come, within 100 s; 2 if there is no such
  condition or duration, or no stop to run to
Examples: run 10ms
  run until cpu 3 offline
  run until exits.total > 100
  run until vector 0xef`;

/** The word of a session. */
export function run(session: Session): Command {
  return {
    name: "run",
    kind: "laboratory",
    doc,
    complete: ([first, ...rest], word) =>
      first === undefined ? ["until"] : first === "until" ? conditionWords(session, "all", rest, word) : [],
    run: (context) => runTime(session, context),
  };
}

function* runTime(session: Session, context: CommandContext): Coroutine {
  const [first, ...rest] = context.args;
  if (first === undefined) return yield* toStop(session, context);
  if (first !== "until") {
    const text = [first, ...rest].join(" ");
    const ns = parseDuration(text);
    if (ns === undefined) {
      return context.complain(
        `"${text}": expected a duration with its unit, like 10ms, or until CONDITION`,
        2,
      );
    }
    const stop = yield* advanceTime(session, session.now.timeNs + ns);
    context.out(`${stop ?? whereText(session)}\n`);
    return 0;
  }
  const condition = parsedCondition(rest.join(" "), session);
  if (typeof condition === "string") return context.complain(`until: ${condition}`, 2);
  return yield* until(session, context, condition);
}

function* toStop(session: Session, context: CommandContext): Coroutine {
  if (session.stops.list.length === 0) {
    return context.complain(
      "no stop is set: say how long, run 10ms, up to what, run until cpu 3 offline, or set one: stop-at exit",
      2,
    );
  }
  const stop = yield* advanceTime(session, session.now.timeNs + PATIENCE_NS);
  context.out(`${stop ?? whereText(session)}\n`);
  return stop === undefined ? context.complain(`no stop within ${durationText(PATIENCE_NS)}`) : 0;
}

function* until(session: Session, context: CommandContext, condition: Condition): Coroutine {
  const { clock } = session;
  const untilNs = session.now.timeNs + PATIENCE_NS;
  const eye = condition.eye?.(session);
  let seen: string | undefined;
  const sink = eye?.sees && { record: eye.sees };
  const holds = () =>
    eye === undefined ? condition.look(session).holds === true : (seen ??= eye.check()) !== undefined;
  let stop: string | undefined;
  if (sink !== undefined) clock.watch(sink);
  try {
    if (!holds()) {
      // Where time alone decides there is no need to look after every event.
      stop = yield* condition.fromNs === undefined
        ? advance(session, { untilNs, isOver: holds })
        : advanceTime(session, Math.min(condition.fromNs, untilNs));
    }
  } finally {
    if (sink !== undefined) clock.unwatch(sink);
  }
  context.out(`${stop ?? `${whereText(session)}: ${seen ?? condition.look(session).left}`}\n`);
  return stop !== undefined || holds()
    ? 0
    : context.complain(`until ${condition.text}: not within ${durationText(PATIENCE_NS)}`);
}

/** Where the laboratory stands. */
export function whereText({ now: { event, timeNs } }: Session): string {
  return `event ${event}, ${timeText(timeNs)}`;
}
