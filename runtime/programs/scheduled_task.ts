/**
 * Tasks by the pids that are typed.
 *
 * @module
 */

import type { Task } from "../linux/sched/task.ts";
import type { ProgramProcess } from "./program.ts";

/** The task with that pid, 0 for the caller itself; `undefined`: there is none. */
export function taskOf(command: ProgramProcess, pid: number): Task | undefined {
  return pid === 0 ? command.task : command.kernel.tasks.get(pid);
}

/** A pid as a tool takes it: decimal; `undefined`: it is none. */
export function parsePid(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** `TOOL: failed to get pid N's affinity: No such process`, and a note where the pid may be a shell's. */
export function noSuchProcess(command: ProgramProcess, what: string, pid: number): number {
  const { argv, kernel } = command;
  command.stderr(`${argv[0]}: failed to ${what}: No such process\n`);
  // Pids are given in order: this one was somebody's.
  if (pid < kernel.forks + 2) {
    command.stderr(
      "note: jobs of several commands are no tasks of the model; ps lists what there is\n",
    );
  }
  return 1;
}
