/**
 * How a word lets time go on: events of the engine, and between them the shell's other jobs.
 *
 * A word runs between two events, outside the engine. A task that ends in one of its events makes a job runnable;
 * the word then steps aside, so that background jobs go on as they do while a command waits.
 *
 * @module
 */

import type { Request } from "./jobs.ts";
import type { Session } from "./session.ts";

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
    if (!engine.step()) return;
    yield* yieldToJobs(session);
    if (watch()) return;
  }
}

/** Lets time go on to `untilNs`. */
export function* advanceTime(session: Session, untilNs: number): Generator<Request, void, unknown> {
  const { engine } = session.lab;
  while (engine.run(untilNs)) yield* yieldToJobs(session); // stopped: a task has ended
  engine.runUntil(untilNs);
}
