/**
 * Commands that a program adds to a laboratory of its own.
 *
 * @module
 */

import { advanceTime } from "../session/advance.ts";
import type { Command, CommandContext } from "../commands/command.ts";
import { commands as shellCommands } from "../commands/index.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Session } from "../session/session.ts";
import { LabView } from "./view.ts";

/** What a command of a program's own sees of the world. */
export interface LabCommandContext {
  /** Its arguments, expanded. */
  readonly args: readonly string[];
  /** The laboratory on which it runs, to be looked at. */
  readonly lab: LabView;
  /** Writes to descriptor 1. */
  out(text: string): void;
  /** Writes to descriptor 2. */
  err(text: string): void;
}

/**
 * A command in TypeScript. It returns its exit status, 0 where it returns nothing. As a generator it lets time go on: what it
 * yields is a duration, ns. Where a run is run again, by `back` or `explain`, the command is too: it depends on nothing but
 * its context.
 */
export interface LabCommand {
  /** What it does, in a line; `help` prints it. */
  readonly summary: string;
  /** Does it. */
  run(context: LabCommandContext): number | void | Generator<number, number | void, void>;
}

/** Why a command cannot have that name; undefined: it can. */
export function nameProblem(name: string, known: readonly Command[]): string | undefined {
  if (!/^[a-z][\w-]*$/i.test(name)) {
    return `"${name}" is no name of a command: expected letters, digits, - and _`;
  }
  const isTaken = shellCommands.has(name) || known.some((command) => command.name === name);
  return isTaken ? `there is a command ${name} already` : undefined;
}

/** A program's command as a word of a session. */
export function ownWord(name: string, own: LabCommand, session: Session): Command {
  const lab = new SessionView(session);
  return {
    name,
    kind: "laboratory",
    doc: `${name} - ${own.summary}`,
    run: (context) => perform(own, context, session, lab),
  };
}

class SessionView extends LabView {
  constructor(session: Session) {
    super(session);
  }
}

function* perform(own: LabCommand, context: CommandContext, session: Session, lab: LabView): Coroutine {
  const going = own.run({
    args: context.args,
    lab,
    out: (text) => context.out(text),
    err: (text) => context.err(text),
  });
  if (typeof going !== "object") return going ?? 0;
  for (;;) {
    const { done, value } = going.next();
    if (done === true) return value ?? 0;
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Command ${context.name} yields ${value}: expected a duration, whole ns`);
    }
    yield* advanceTime(session, session.now.timeNs + value);
  }
}
