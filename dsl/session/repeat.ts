/**
 * Runs again what another session has been given, each command at the instant at which it was given there.
 *
 * On the same system that leads to the same state, event for event. Words that only let time go on are passed over: the
 * instants say as much. On another system, which takes other times, the commands follow each other as they did.
 *
 * @module
 */

import { Lab } from "../../runtime/lab/lab.ts";
import type { SystemRow } from "../../runtime/lab/systems.ts";
import { runList } from "../shell/interpret.ts";
import { type Coroutine, type Job, type Request, Signal } from "../shell/jobs.ts";
import type { Answer, Instant, Journal, JournalInput, Position } from "./journal.ts";
import type { Session } from "./session.ts";
import { atOnce } from "./slices.ts";

/** A run that is repeated. */
export interface Repetition {
  /** What that run was given. */
  readonly journal: Journal;
  /** Up to where; an event or a time below 0 does not matter. */
  readonly until: Position;
  /** Another system for the laboratory that was the last one there; the same one where absent. */
  readonly system?: SystemRow;
  /** Told of the laboratory that was the last one there, before anything happens to it but its boot. */
  prepare?(lab: Lab): void;
}

/** A run that is repeated has gone another way. */
export class RepetitionError extends Error {
  /** The name that a stack trace prints. */
  override readonly name = "RepetitionError";
}

/** A session's repetition of another one's run. */
export class Repeat {
  /** Commands after this one are held back, until {@linkcode release}. */
  #upTo: number;
  #held: ((value: unknown) => void) | undefined;
  #recalled = 0;
  #input: Job | undefined;
  /** Gives the inputs, one by one. */
  job: Job | undefined;
  #isOver = false;
  #hasStopped = false;

  /** In `session`, which is as that one was. */
  constructor(readonly session: Session, readonly what: Repetition) {
    this.#upTo = what.until.given;
  }

  /** The journal has been given to its end, or the rest of it shall not be. */
  get isOver(): boolean {
    return this.#isOver || this.#hasStopped;
  }

  /** Makes a laboratory, so many boots after the start. */
  build(options: ConstructorParameters<typeof Lab>[0], boots: number): Lab {
    const { session: { options: { devices } }, what: { journal, system } } = this;
    const isLast = boots === journal.boots;
    return new Lab(isLast && system !== undefined ? { ...options, system } : options, devices);
  }

  /** A laboratory has been made. */
  prepare(lab: Lab, boots: number): void {
    if (boots === this.what.journal.boots) this.what.prepare?.(lab);
  }

  /** What a word that looks said at this place of the run; undefined: nobody has been here. */
  recalled(): Answer | undefined {
    return this.#hasStopped ? undefined : this.what.journal.answers[this.#recalled++];
  }

  /** Goes on from there to `event`. */
  runTo(event: number): void {
    const { session } = this;
    this.release();
    atOnce(session.drive(session.jobs.start("on", session.shell.machine, function* () {
      if (session.now.event < event) yield* session.clock.wait({ untilEvent: event });
      return 0;
    })));
  }

  /**
   * Runs up to where it shall.
   *
   * @throws RepetitionError where it does not come there
   */
  run(): void {
    const { session, what: { journal, system, until } } = this;
    const { jobs, lab } = session;
    const again = this.job = jobs.start("again", session.shell.machine, () => this.#perform());
    if (system !== undefined) return void atOnce(session.drive(again));
    while (session.journal.boots < journal.boots) {
      jobs.pump();
      if (session.journal.boots < journal.boots && !session.clock.advance()) break;
    }
    const { clock } = session;
    atOnce(session.drive(jobs.start("there", session.shell.machine, function* () {
      if (session.now.event < until.event) yield* clock.wait({ untilEvent: until.event });
      if (session.now.timeNs < until.timeNs) yield* clock.wait({ untilNs: until.timeNs });
      return 0;
    })));
    const { event, timeNs, given } = session.position;
    const isThere = (is: number, wanted: number) => wanted < 0 || is === wanted;
    if (isThere(event, until.event) && isThere(timeNs, until.timeNs) && given === until.given) return;
    throw new RepetitionError(
      `it comes to event ${event} at ${timeNs} ns with ${given} commands given, not to event ${until.event} at ` +
        `${until.timeNs} ns with ${until.given}${lab === session.lab ? "" : ", after another boot"}`,
    );
  }

  /** Time goes on: what was given at this instant is given again first. */
  release(): void {
    this.#upTo = Infinity;
    this.#held?.(undefined);
    this.#held = undefined;
  }

  /** The input that is being performed does not go on. */
  freeze(): void {
    if (this.#input !== undefined) this.session.jobs.freeze(this.#input);
  }

  /** What has not been given again is not given any more. */
  stop(): void {
    this.#hasStopped = true;
  }

  *#perform(): Coroutine {
    const { session, what: { journal: { entries } } } = this;
    const { jobs } = session;
    for (const [i, entry] of entries.entries()) {
      if (this.#hasStopped) return 0;
      if (entry.kind === "cut") {
        yield* this.#comeTo(entry, "cut");
        if (entry.isFrozen) this.freeze();
        session.leave(entry.shell);
        session.journal.cut(entry, entry.shell, entry.isFrozen);
        continue;
      }
      const entered: { input?: JournalInput } = {};
      const started = new Signal();
      let isGiven = false;
      const allGiven = () => {
        isGiven = true;
        started.notify();
      };
      const job = this.#input = session.inputJob(
        entry.kind,
        entry.name,
        () => this.#enter(entry, i === entries.length - 1, allGiven, entered),
      );
      for (const instant of entry.interrupts) {
        jobs.start(
          "Ctrl-C",
          session.shell.machine,
          function* (this: Repeat): Coroutine {
            yield* this.#comeTo(instant, "Ctrl-C");
            if (this.#hasStopped) return 0;
            entered.input!.interrupts.push(instant);
            jobs.interrupt(job);
            return 0;
          }.bind(this),
        );
      }
      if (entries[i + 1]?.kind === "cut") { // it was left in the middle
        yield { kind: "ready", signal: started, ready: () => isGiven };
        continue;
      }
      yield { kind: "wait", job };
    }
    this.#isOver = true;
    return 0;
  }

  *#enter(
    { kind, name, items, ended }: JournalInput,
    isLast: boolean,
    allGiven: () => void,
    entered: { input?: JournalInput },
  ): Coroutine {
    const { session, what: { system } } = this;
    const { journal, shell } = session;
    const input = entered.input = journal.input(kind, name);
    let status = 0;
    if (items.length === 0) allGiven();
    try {
      for (const given of items) {
        const { item, does } = given;
        while (journal.given >= this.#upTo) {
          if (system !== undefined) return status;
          yield { kind: "block", start: (resume) => this.#held = resume };
        }
        if (does === "given") yield* this.#comeTo(given, item.text);
        if (this.#hasStopped) yield* forEver();
        journal.add(input, given);
        if (given === items.at(-1)) allGiven();
        if (does === "looks" || (does === "passes" && system === undefined)) continue;
        shell.status = given.status;
        status = yield* runList(shell, { items: [item] });
      }
      if (ended !== null) yield* this.#comeTo(ended, "end");
      else if (system === undefined || !isLast) yield* forEver(); // it had been left, or has not ended yet
    } catch (reason) {
      input.ended = session.now;
      throw reason;
    }
    if (!this.#hasStopped) input.ended = ended;
    return status;
  }

  /** Waits for an instant. @throws RepetitionError if it has passed, or something else happens before it */
  *#comeTo({ event, timeNs }: Instant, what: string): Generator<Request, void, unknown> {
    const { session, what: { system } } = this;
    const { clock } = session;
    const { engine } = session.lab;
    if (system !== undefined) {
      if (what === "cut" && engine.nowNs < timeNs) yield* clock.wait({ untilNs: timeNs });
      return;
    }
    if (engine.event < event) yield* clock.wait({ untilEvent: event });
    if (engine.nowNs < timeNs) yield* clock.wait({ untilNs: timeNs });
    if (this.#hasStopped || (engine.event === event && engine.nowNs === timeNs)) return;
    throw new RepetitionError(
      `"${what}" was come to at event ${event}, and in the re-run at ${engine.event}`,
    );
  }
}

/** What has been left stays where it is. */
export function* forEver(): Generator<Request, void, unknown> {
  yield { kind: "block", start() {} };
}
