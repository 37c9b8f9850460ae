/**
 * Stops: conditions at which time stands still.
 *
 * A condition on a state stops where it becomes true, one on an occurrence where that happens, and a quantity alone where
 * it changes.
 *
 * @module
 */

import type { TraceSink } from "../../hw/sim/trace.ts";
import type { Condition, Eye } from "./condition.ts";
import { timeText } from "./duration.ts";
import type { Instant } from "./journal.ts";
import type { Session } from "./session.ts";

/** One of them. */
export interface Stop {
  /** As `delete` takes it. */
  readonly number: number;
  readonly condition: Condition;
}

/** Stops while time goes on. */
export interface Armed {
  /** Sees what happens; null: no stop asks for that. */
  readonly sink: TraceSink | null;
  /** To be asked after each event: why to stop, or undefined. */
  check(): string | undefined;
}

/** Looks for stops while a command of the prompt runs. */
export interface Guard {
  /** Why it has to be left; undefined: nothing has come. */
  readonly stop: string | undefined;
  /** It has ended. */
  end(): void;
}

/** The stops of a session. */
export class Stops {
  readonly #list = new Map<number, Stop>();
  #next = 1;
  /** Where time has last been stopped, and at what. */
  #last: Instant & { readonly reason: string } | undefined;
  /** Words that let time go on and see to the stops themselves. */
  armed = 0;

  /** By number. */
  get list(): readonly Stop[] {
    return [...this.#list.values()];
  }

  /** Why time stands still at an instant: the conditions of the stops that came there; undefined: none did. */
  reasonAt({ event, timeNs }: Instant): string | undefined {
    const last = this.#last;
    return last?.event === event && last.timeNs === timeNs ? last.reason : undefined;
  }

  /** Time has been stopped at that instant. */
  stopped({ event, timeNs }: Instant, reason: string): void {
    this.#last = { event, timeNs, reason };
  }

  /** Sets one; answers its number. */
  add(condition: Condition): number {
    const number = this.#next++;
    this.#list.set(number, { number, condition });
    return number;
  }

  /** Takes one away; false: there is none of that number. */
  delete(number: number): boolean {
    return this.#list.delete(number);
  }

  /** Looks for them while `isMeant` says so and no word does; undefined: there are none. */
  guard(session: Session, isMeant: () => boolean): Guard | undefined {
    const armed = this.arm(session);
    if (armed === undefined) return undefined;
    const { clock } = session;
    const guard = {
      stop: undefined as string | undefined,
      end() {
        remove();
        if (armed.sink !== null) clock.unwatch(armed.sink);
      },
    };
    let last = session.now.event;
    const remove = clock.guard(() => {
      const { event } = session.now;
      if (event === last) return false;
      last = event;
      const found = armed.check();
      if (isMeant() && this.armed === 0) guard.stop ??= found;
      return guard.stop !== undefined;
    });
    if (armed.sink !== null) clock.watch(armed.sink);
    return guard;
  }

  /** Begins to look, at this instant; undefined: there is nothing to look for. */
  arm(session: Session): Armed | undefined {
    if (this.#list.size === 0) return undefined;
    const eyes = this.list.map((stop) => ({ stop, eye: eyeOf(stop, session) }));
    const seeing = eyes.map(({ eye }) => eye).filter(({ sees }) => sees !== undefined);
    return {
      sink: seeing.length === 0 ? null : { record: (record) => seeing.forEach(({ sees }) => sees!(record)) },
      check: () => {
        const came = new Map(eyes.flatMap(({ eye, stop }) => {
          const text = eye.check();
          return text === undefined ? [] : [[stop, text]];
        }));
        if (came.size === 0) return undefined;
        const found = [...came.values()];
        const { event, timeNs } = session.now;
        this.stopped(session.now, [...came.keys()].map(({ condition }) => condition.text).join("; "));
        return `stopped at event ${event}, time ${timeText(timeNs)}: ${found.join("; ")}`;
      },
    };
  }
}

/** What looks for one stop; a condition on what is stops where it becomes true. */
function eyeOf({ number, condition }: Stop, session: Session): Eye {
  const eye = condition.eye?.(session) ?? becoming(condition, session);
  const check = () => {
    const text = eye.check();
    return text && `${text} (stop ${number})`;
  };
  return eye.sees === undefined ? { check } : { sees: eye.sees, check };
}

function becoming(condition: Condition, session: Session): Eye {
  let held = condition.look(session).holds === true;
  return {
    check() {
      const { holds, left } = condition.look(session);
      const begins = holds === true && !held;
      held = holds === true;
      return begins ? `${condition.text}: ${left}` : undefined;
    },
  };
}
