/**
 * execvp(): a process goes on as another program.
 *
 * The programs are those of the simulated computer. What the shell carries out itself, built-ins and filters, is no
 * program here and cannot be started this way.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { ProgramProcess } from "./program.ts";

/** Status of a command that was not found. */
const NOT_FOUND = 127;

/** Runs `argv` in the process of `command`, with its pid, policy and CPUs; says so where there is no such program. */
export function* execute(command: ProgramProcess, argv: readonly string[]): Activity<number> {
  const [path = ""] = argv;
  const name = path.replace(/^\/(?:usr\/)?s?bin\//, "");
  const program = command.system.programs.get(name);
  if (program === undefined) {
    const [self] = command.argv;
    command.stderr(`${self}: failed to execute ${path}: No such file or directory\n`);
    command.stderr(`note: ${self} starts the programs that help lists, not what the shell does itself\n`);
    return NOT_FOUND;
  }
  command.task.name = name;
  return yield* program.main({ ...command, argv });
}
