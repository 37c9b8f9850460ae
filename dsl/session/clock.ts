/**
 * Lets time go on, no further than somebody wants to look.
 *
 * A word of the laboratory never advances time itself: it says how far, waits like any coroutine of the shell, and is
 * resumed between two events. So several may wait at once, and what waits can be left behind and goes on later.
 *
 * @module
 */

import type { Engine } from "../../hw/sim/engine.ts";
import type { TraceSink } from "../../hw/sim/trace.ts";
import type { Request } from "../shell/jobs.ts";

/** How far time shall go on. What is absent does not matter; with nothing it goes on for ever. */
export interface Wish {
  /** Everything due up to this time has happened, ns. */
  readonly untilNs?: number;
  /** This event has happened. */
  readonly untilEvent?: number;
  /** Asked after every event; true ends the waiting. */
  readonly isOver?: () => boolean;
}

/** Longest slice, ns of simulated time: well below a tenth of a second of the computer's where much happens in it. */
const SLICE_NS = 20_000_000;
/** Most events of one in which each is looked at. */
const SLICE_EVENTS = 10_000;

interface Waiting extends Wish {
  readonly resume: (value: unknown) => void;
}

/** Time of one laboratory, as its shells let it go on. */
export class Clock {
  readonly #waiting: Waiting[] = [];
  readonly #guards = new Set<() => boolean>();

  /** @param engine of the laboratory as it is */
  constructor(readonly engine: () => Engine) {}

  /** Lets `sink` see what happens, beside whoever sees it already. */
  watch(sink: TraceSink): void {
    this.engine().recordTo(sink, true);
  }

  /** `sink` has seen enough. */
  unwatch(sink: TraceSink): void {
    this.engine().recordTo(sink, false);
  }

  /** Lets no event pass unseen: a slice ends with that after which `isOver`. Answers what ends this. */
  guard(isOver: () => boolean): () => void {
    this.#guards.add(isOver);
    return () => this.#guards.delete(isOver);
  }

  /** Waits until time has gone on so far, or nothing is pending any more. */
  *wait(wish: Wish): Generator<Request, void, unknown> {
    let waiting: Waiting | undefined;
    try {
      yield {
        kind: "block",
        start: (resume) => this.#waiting.push(waiting = { ...wish, resume }),
      };
    } finally {
      if (waiting !== undefined) this.#remove(waiting); // it may have been ended instead
    }
  }

  /**
   * Lets time go on by a slice, at most to `lastEvent`, until a task has ended, or until somebody has what he waits for and
   * is resumed. To be called when no coroutine of the shell can go on.
   *
   * @returns false where nothing is pending, so that nothing would ever happen
   */
  advance(lastEvent = Infinity): boolean {
    const engine = this.engine();
    if (this.#resumeReady(engine)) return true;
    let untilNs = Infinity, untilEvent = lastEvent;
    const looking = [...this.#guards];
    for (const wish of this.#waiting) {
      untilNs = Math.min(untilNs, wish.untilNs ?? Infinity);
      untilEvent = Math.min(untilEvent, wish.untilEvent ?? Infinity);
      if (wish.isOver !== undefined) looking.push(wish.isOver);
    }
    const { nextNs } = engine;
    if (nextNs > Math.min(untilNs, Number.MAX_SAFE_INTEGER)) {
      if (untilNs !== Infinity) engine.runUntil(untilNs);
      else for (const waiting of this.#waiting.splice(0)) waiting.resume(undefined);
      return untilNs !== Infinity;
    }
    const sliceNs = Math.min(untilNs, nextNs + SLICE_NS);
    if (looking.length === 0) engine.run(sliceNs, untilEvent);
    else {
      for (let i = 0; i < SLICE_EVENTS && engine.event < untilEvent && engine.nextNs <= sliceNs; i++) {
        if (engine.run(sliceNs, engine.event + 1) || looking.some((isOver) => isOver())) break;
      }
    }
    return true;
  }

  #resumeReady(engine: Engine): boolean {
    const ready = this.#waiting.filter(({ untilNs, untilEvent, isOver }) =>
      (untilNs !== undefined && engine.nowNs >= untilNs && engine.nextNs > untilNs) ||
      (untilEvent !== undefined && engine.event >= untilEvent) || isOver?.() === true
    );
    for (const waiting of ready) {
      this.#remove(waiting);
      waiting.resume(undefined);
    }
    return ready.length > 0;
  }

  #remove(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    if (at !== -1) this.#waiting.splice(at, 1);
  }
}
