/**
 * execvp(): a process goes on as another command.
 *
 * A program of the computer goes on in the same task. What the shell carries out itself, built-ins, filters and scripts, is
 * run by the shell, with the CPUs and the policy that the task has, while the task waits.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { Placement, type ProgramProcess } from "./program.ts";

/** Status of a command that was not found. */
const NOT_FOUND = 127;

/** Runs `argv` in the place of the program of `command`; where there is no such command `missing` says so. */
export function* execute(
  command: ProgramProcess,
  argv: readonly string[],
  missing: (path: string) => number = (path) => {
    command.stderr(`${command.argv[0]}: failed to execute ${path}: No such file or directory\n`);
    return NOT_FOUND;
  },
): Activity<number> {
  const [path = ""] = argv;
  const name = path.replace(/^\/(?:usr\/)?s?bin\//, "");
  const program = command.system.programs.get(name);
  if (program !== undefined) {
    command.task.name = name;
    command.task.argv = argv;
    return yield* program.main({ ...command, argv });
  }
  const { task } = command;
  const own = task.name;
  task.argv = argv;
  task.name = name.replace(/^.*\//, "");
  const status = yield* command.run(argv, Placement.of(task));
  if (status !== undefined) return status;
  task.name = own;
  return missing(path);
}
