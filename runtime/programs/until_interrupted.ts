/**
 * How a program that watches waits: until the command that it was given ends, or, without one, until Ctrl-C.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Placement, ProgramProcess } from "./program.ts";
import { SIGINT, SIGTERM } from "./signals.ts";

/** Answers the status of the command; undefined: there is none of that name, which has been said. */
export function* untilInterrupted(
  command: ProgramProcess,
  argv: readonly string[],
  placement?: Placement,
): Activity<number | undefined> {
  const { kernel, task } = command;
  const [name] = argv;
  if (name === undefined) {
    let interrupted = false;
    task.onSignal = (signal, from) => {
      interrupted ||= signal === SIGINT || signal === SIGTERM;
      if (interrupted) kernel.wake(task, from);
      return interrupted;
    };
    while (!interrupted) yield* kernel.cpus[task.cpu]!.sleep();
    task.onSignal = null;
    return 0;
  }
  const status = yield* command.run(argv, placement);
  if (status === undefined) {
    command.stderr(`Failed to run command '${name}': No such file or directory\n`);
  }
  return status;
}
