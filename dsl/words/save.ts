import type { Command } from "../commands/command.ts";
import { checkpointText } from "../session/checkpoint.ts";
import type { Session } from "../session/session.ts";
import { whereText } from "./run.ts";

/** `save`. */
const doc = `save - writes a checkpoint to a file of the computer
Usage: save FILE
Effects: writes what leads to this instant: release, parameters by their hash, machine, seed, and every command with the
  event and time at which it was given; JSON, to be read by load, in the same session or another one. FILE is one of the
  computer that rtkvm runs on, and needs its permission to write; nobody is asked for it
Exit status: 0; 1 if the file cannot be written; 2 without FILE
Examples: save before.json
  run 5ms; save before.json; irq vf0; step interrupt; load before.json`;

/** The word of a session. */
export function save(session: Session): Command {
  return {
    name: "save",
    kind: "laboratory",
    doc,
    run(context) {
      const [path, ...more] = context.args;
      if (path === undefined || more.length > 0) return context.complain("expected save FILE", 2);
      const { files } = session.options;
      if (files === undefined) return context.complain(`${path}: no files of a computer are given here`);
      const problem = files.write(path, checkpointText(session));
      if (problem !== undefined) return context.complain(`${path}: ${problem}`);
      session.timeline.stand();
      context.out(`${path}: ${whereText(session)}\n`);
      return 0;
    },
  };
}
