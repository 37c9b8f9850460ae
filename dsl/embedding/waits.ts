/**
 * A program's own conditions, for which time goes on. The session comes to them by a word that no script has, so that what
 * a condition has waited for is in the journal like all with which time passes.
 *
 * @module
 */

import { advance, advanceTime } from "../session/advance.ts";
import type { Command } from "../commands/command.ts";
import { durationText } from "../session/duration.ts";
import type { Coroutine } from "../shell/jobs.ts";
import { OWN_CONDITION } from "../session/journal.ts";
import type { Session } from "../session/session.ts";

interface Wait {
  readonly isSo: () => boolean;
  readonly withinNs: number;
  /** How it ended. */
  ended?: { readonly timeNs: number; readonly status: number };
}

/** The conditions of one laboratory. */
export class Waits {
  readonly #waits: Wait[] = [];

  /** The command that waits until `isSo`, at most `withinNs`. */
  command(isSo: () => boolean, withinNs: number): string {
    return `${OWN_CONDITION} ${this.#waits.push({ isSo, withinNs }) - 1}`;
  }

  /** The word of a session. */
  word(session: Session): Command {
    const complain = ({ withinNs }: Wait) =>
      `the condition has not come true within ${durationText(withinNs)}`;
    return {
      name: OWN_CONDITION,
      kind: "laboratory",
      doc: `${OWN_CONDITION} - waits for a condition of the program that has made the laboratory`,
      run: (context) => {
        const wait = this.#waits[Number(context.args[0])]!;
        return waitFor(session, wait, (stop) => context.complain(stop ?? complain(wait)));
      },
    };
  }
}

function* waitFor(session: Session, wait: Wait, complain: (stop?: string) => number): Coroutine {
  if (wait.ended !== undefined) { // a run that is repeated on another system: the condition is on this one
    yield* advanceTime(session, wait.ended.timeNs);
    return wait.ended.status;
  }
  let isSo = wait.isSo(), stop: string | undefined;
  if (!isSo) {
    const untilNs = session.now.timeNs + wait.withinNs;
    let asked = session.now.event;
    const isOver = () => {
      const { event } = session.now;
      if (event !== asked) isSo ||= wait.isSo();
      asked = event;
      return isSo;
    };
    stop = yield* advance(session, { untilNs, isOver });
  }
  const status = isSo ? 0 : complain(stop);
  wait.ended = { timeNs: session.now.timeNs, status };
  return status;
}
