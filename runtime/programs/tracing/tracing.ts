/**
 * What programs that watch tracepoints have in common: how events are named, and how long the programs listen.
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import type { Activity } from "../../../hw/sim/activity.ts";
import type { TraceSink } from "../../../hw/sim/trace.ts";
import type { Placement, ProgramProcess } from "../program.ts";
import { SIGINT, SIGTERM } from "../signals.ts";

/** What a name of an event matches, where `*` stands for any letters. */
export function eventPattern(name: string): RegExp {
  return new RegExp(`^${name.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
}

/**
 * Has `sink` hear what the kernel does until the command `argv` ends, or, where there is none, until Ctrl-C.
 *
 * @returns the status of the command; undefined: there is none of that name, which has been said
 */
export function* listen(
  command: ProgramProcess,
  sink: TraceSink,
  argv: readonly string[],
  placement?: Placement,
): Activity<number | undefined> {
  const { engine } = command.kernel;
  engine.recordTo(sink, true);
  const status = yield* untilInterrupted(command, argv, placement);
  engine.recordTo(sink, false);
  return status;
}

function* untilInterrupted(
  command: ProgramProcess,
  argv: readonly string[],
  placement?: Placement,
): Activity<number | undefined> {
  const { kernel, task } = command;
  const [name] = argv;
  if (name === undefined) {
    let interrupted = false;
    task.onSignal = young((signal, from) => {
      interrupted ||= signal === SIGINT || signal === SIGTERM;
      if (interrupted) kernel.wake(task, from);
      return interrupted;
    });
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
