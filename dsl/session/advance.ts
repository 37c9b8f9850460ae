/**
 * How a word lets time go on: it says how far and waits, while the shell's other jobs go on. A stop may come first.
 *
 * @module
 */

import type { Wish } from "./clock.ts";
import type { Request } from "../shell/jobs.ts";
import type { Session } from "./session.ts";

/** Lets time go on as far as `wish` says, or to a stop: answers why it has stopped. */
export function* advance(session: Session, wish: Wish): Generator<Request, string | undefined, unknown> {
  const { clock, stops, timeline } = session;
  timeline.leaveInstant();
  const armed = stops.arm(session);
  let stop: string | undefined;
  if (armed === undefined) yield* clock.wait(wish);
  else {
    if (armed.sink !== null) clock.watch(armed.sink);
    stops.armed++;
    let last = session.now.event;
    try {
      yield* clock.wait({
        ...wish,
        isOver() {
          const { event } = session.now;
          if (event !== last) stop ??= armed.check();
          last = event;
          return stop !== undefined || wish.isOver?.() === true;
        },
      });
    } finally {
      stops.armed--;
      if (armed.sink !== null) clock.unwatch(armed.sink);
    }
  }
  timeline.stand();
  return stop;
}

/** Lets `count` events happen, fewer where `isOver` holds after one of them or nothing is pending any more. */
export function advanceEvents(
  session: Session,
  count: number,
  isOver?: () => boolean,
): Generator<Request, string | undefined, unknown> {
  const untilEvent = session.now.event + count;
  return advance(session, isOver === undefined ? { untilEvent } : { untilEvent, isOver });
}

/** Lets time go on to `untilNs`. */
export function advanceTime(
  session: Session,
  untilNs: number,
): Generator<Request, string | undefined, unknown> {
  return advance(session, { untilNs });
}
