/**
 * Tasks by the pids that are typed.
 *
 * @module
 */

import type { Task } from "../linux/task.ts";
import type { ProgramProcess } from "./program.ts";

/** The task with that pid, 0 for the caller itself; `undefined`: there is none. */
export function taskOf(command: ProgramProcess, pid: number): Task | undefined {
  return pid === 0 ? command.task : command.kernel.tasks.get(pid);
}

/** A pid as a tool takes it: decimal; `undefined`: it is none. */
export function parsePid(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** What is said of a pid that is no task's: `$$` is the commonest. */
export const SHELLS_ARE_NO_TASKS = "note: shells are no tasks of the model, so $$ is no pid of one; $! is\n";
