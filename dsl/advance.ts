/**
 * How a word lets time go on: events of the engine, and between them the shell's other jobs.
 *
 * A word runs between two events, outside the engine. A task that ends in one of its events makes a job runnable;
 * the word then steps aside, so that background jobs go on as they do while a command waits. After every slice it
 * pauses, so that Ctrl-C is seen.
 *
 * @module
 */

import type { Request } from "./jobs.ts";
import type { Session } from "./session.ts";

/** Events after which a word pauses that looks after each: a hundredth of a second, about. */
const SLICE_EVENTS = 10_000;

/** Lets the other jobs run until none can. */
export function* yieldToJobs(session: Session): Generator<Request, void, unknown> {
  if (session.jobs.isRunnable) yield { kind: "block", start: (resume) => resume(undefined) };
}

/** Lets `count` events happen, with `watch` called after each; fewer where nothing is pending any more. */
export function* advanceEvents(
  session: Session,
  count: number,
  watch: () => boolean = () => false,
): Generator<Request, void, unknown> {
  const { engine } = session.lab;
  for (let i = 0; i < count; i++) {
    if (i % SLICE_EVENTS === 0 || session.interruptIsDue) yield { kind: "pause" };
    if (!engine.step()) return;
    yield* yieldToJobs(session);
    if (watch()) return;
  }
}

/** Lets time go on to `untilNs`. */
export function* advanceTime(session: Session, untilNs: number): Generator<Request, void, unknown> {
  const { engine } = session.lab;
  while (engine.nextNs <= untilNs) {
    yield { kind: "pause" };
    session.advance(untilNs);
    yield* yieldToJobs(session); // a task may have ended
  }
  engine.runUntil(untilNs);
}
