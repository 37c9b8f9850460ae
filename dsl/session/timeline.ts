/**
 * Where a session has been in its run, and the way back: bookmarks, steps that are mirrored, and the future that is
 * there until something else is given.
 *
 * Going back is a replay: another session runs again what this one was given, up to an instant, and this one goes on with
 * that run. The shell that the user types to stays as it is.
 *
 * @module
 */

import type { ScriptFolder } from "../../runtime/lab/script_folder.ts";
import { isSameStep, type Step } from "./grains.ts";
import type { Instant, Journal, Position } from "./journal.ts";
import type { Repeat } from "./repeat.ts";
import type { Session } from "./session.ts";

/** A step that has been made. */
interface Made {
  readonly step: Step;
  readonly from: Position;
  readonly to: Instant;
}

/** What lies behind the instant to which the user has gone back. */
interface Future {
  readonly journal: Journal;
  readonly end: Position;
  readonly again: Repeat;
}

/** The instants of one session's run. */
export class Timeline {
  /** The shell is not the one to which the journal leads. */
  isElsewhere = false;
  /** Named instants. */
  readonly bookmarks: Map<string, Position> = new Map();
  #future: Future | undefined;
  #steps: Made[] = [];
  readonly #leaving: (() => void)[] = [];
  /** Latest time, by event, at which the user stood after it. */
  readonly #stands = new Map<number, number>();

  /** Of `session`. */
  constructor(readonly session: Session) {}

  /** What leads to any instant of the run, those that the user has gone back from included. */
  get journal(): Journal {
    const future = this.#future;
    return future === undefined || future.again.isOver ? this.session.journal : future.journal;
  }

  /** The last instant that is known. */
  get end(): Instant {
    const { now } = this.session;
    const end = this.#future?.end;
    return end !== undefined && isBefore(now, end) ? end : now;
  }

  /** Time is about to go on from here: what has been given at this instant is given. */
  leaveInstant(): void {
    this.#leave();
    this.#future?.again.release();
  }

  /** `look` is called whenever the user is about to leave an instant, for a later one or an earlier one. */
  onLeave(look: () => void): void {
    this.#leaving.push(look);
  }

  #leave(): void {
    this.stand();
    for (const look of this.#leaving) look();
  }

  /** The user stands here. */
  stand(): void {
    const { event, timeNs } = this.session.now;
    this.#stands.set(event, timeNs);
  }

  /** A step has been made from `from` to here. */
  stepped(step: Step, from: Position): void {
    this.#steps.push({ step, from, to: this.session.now });
  }

  /** Where the last step of that kind began which ended at `to`; undefined: none did. */
  mirrored(step: Step, to: Instant): Position | undefined {
    return this.#steps.findLast((made) => isSameStep(made.step, step) && isSame(made.to, to))?.from;
  }

  /** The instant of an event, behind all that has been given and waited for after it. */
  positionOf(event: number): Position {
    const { entries } = this.journal;
    let given = 0, timeNs = this.#stands.get(event) ?? -1;
    for (const entry of entries) {
      if (entry.kind === "cut") continue;
      for (const item of entry.items) {
        if (item.event > event) return { event, timeNs, given };
        given++;
        if (item.event === event) timeNs = Math.max(timeNs, item.timeNs);
      }
    }
    return { event, timeNs, given };
  }

  /** The instant of a time, behind all that has been given up to it. */
  positionAt(timeNs: number): Position {
    const items = this.journal.inputs.flatMap((input) => input.items);
    return { event: -1, timeNs, given: items.filter((item) => item.timeNs <= timeNs).length };
  }

  /**
   * Goes to an instant of the run by running again up to it.
   *
   * @throws RepetitionError where that leads elsewhere; nothing has changed then
   */
  goTo(position: Position): void {
    const { session, journal } = this;
    this.#leave();
    const end = { ...this.end, given: journal.given };
    const other = this.replay(position, journal);
    this.#future = { journal, end, again: other.again! };
    this.isElsewhere = true;
    session.adopt(other);
  }

  /**
   * Goes on with a run that was saved: `journal` leads to `position`, with the scripts of `folder`. `accept` may throw, like
   * the run itself; nothing has changed then.
   *
   * @throws RepetitionError where it leads elsewhere
   */
  load(
    { journal, at, folder }: { journal: Journal; at: Position; folder: ScriptFolder | undefined },
    accept: (other: Session) => void,
  ): void {
    const other = this.replay(at, journal, folder);
    accept(other);
    this.#leave();
    this.forget();
    this.#future = { journal, end: at, again: other.again! };
    this.isElsewhere = true;
    this.session.adopt(other);
  }

  /** A session of its own that has run up to `position`: it writes nothing, and asks nothing, until it is gone on with. */
  replay(position: Position, journal = this.journal, folder = this.session.folder): Session {
    const { session } = this;
    const { io } = session.options;
    const other: Session = session.repeating({ journal, until: position }, {
      out: (text) => other.isAdopted ? io.out(text) : undefined,
      err: (text) => other.isAdopted ? io.err(text) : undefined,
    }, folder);
    other.again!.run();
    return other;
  }

  /** Something else is given here: what lay behind this instant is not given any more. */
  branch(isFrozen = false): void {
    const { session } = this;
    const { now } = session;
    this.#future?.again.stop();
    this.#future = undefined;
    this.isElsewhere = false;
    session.journal.cut(now, session.shell, isFrozen);
    for (const event of this.#stands.keys()) if (event >= now.event) this.#stands.delete(event);
    this.#steps = this.#steps.filter(({ to }) => !isBefore(now, to));
    for (const [name, position] of this.bookmarks) if (isBefore(now, position)) this.bookmarks.delete(name);
  }

  /** A fresh machine: nothing of the old one can be gone back to. */
  forget(): void {
    this.#future?.again.stop();
    this.#future = undefined;
    this.isElsewhere = false;
    this.#steps = [];
    this.#stands.clear();
    this.bookmarks.clear();
  }
}

/** Whether `a` comes before `b`. */
export function isBefore(a: Instant, b: Instant): boolean {
  return a.event < b.event || (a.event === b.event && a.timeNs < b.timeNs);
}

function isSame(a: Instant, b: Instant): boolean {
  return a.event === b.event && a.timeNs === b.timeNs;
}
