import { type Checkpoint, readCheckpoint } from "../session/checkpoint.ts";
import type { Command } from "../commands/command.ts";
import { DeadlockError } from "../shell/jobs.ts";
import { JsonError } from "../session/json_part.ts";
import { RepetitionError } from "../session/repeat.ts";
import type { Session } from "../session/session.ts";
import { leadElsewhere } from "./goto.ts";

/** `load`. */
const doc = `load - goes on from a checkpoint
Usage: load [--force] FILE
Effects: runs again what save has written down, up to its instant, and goes on from there, with the shell as it was then.
  FILE is one of the computer that rtkvm runs on, and needs its permission to read; nobody is asked for it. One that was
  saved by another release, under other parameters, or that leads to another state is refused; with --force it is tried
  all the same, and what differs is said
Exit status: 0; 1 if it cannot be read, is damaged, or leads elsewhere: nothing has changed then; 2 without FILE
Examples: load before.json
  load --force before.json`;

/** The word of a session. */
export function load(session: Session): Command {
  return {
    name: "load",
    kind: "laboratory",
    doc,
    run(context) {
      const isForced = context.args.includes("--force");
      const [path, ...more] = context.args.filter((word) => word !== "--force");
      if (path === undefined || more.length > 0) return context.complain("expected load [--force] FILE", 2);
      const { files } = session.options;
      if (files === undefined) return context.complain(`${path}: no files of a computer are given here`);
      const file = files.read(path);
      if ("problem" in file) return context.complain(`${path}: ${file.problem}`);
      let checkpoint: Checkpoint;
      try {
        checkpoint = readCheckpoint(file.text, session);
      } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        return context.complain(`${path}: damaged: ${error.message}`);
      }
      const { differences, hash, shell } = checkpoint;
      const notes = differences.map((difference) => `${path}: ${difference}`);
      if (notes.length > 0 && !isForced) {
        return context.complain(`${notes.join("; ")}: load --force ${path} tries it all the same`);
      }
      for (const note of notes) context.note(note);
      return leadElsewhere(session, context, () => {
        try {
          session.timeline.load(checkpoint, (other) => {
            const found = other.lab.engine.stateHash();
            if (found === hash) return;
            const problem = `it leads to state ${found}, and ${hash} was saved`;
            if (!isForced) throw new RepetitionError(problem);
            context.note(problem);
          });
        } catch (error) {
          if (error instanceof DeadlockError) throw new RepetitionError(error.message);
          throw error;
        }
        const { zero, lastBackground } = session.shell;
        session.shell.become(shell);
        Object.assign(session.shell, { zero, lastBackground });
      });
    },
  };
}
