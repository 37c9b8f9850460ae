/**
 * What signals do to programs that handle them, or that have several threads.
 *
 * @module
 */

import type { Kernel } from "../linux/kernel.ts";
import type { Task } from "../linux/task.ts";

/** Ctrl-C. */
export const SIGINT = 2;
/** What `kill` sends. */
export const SIGTERM = 15;

/** The status of a thread whose process has ended: 128 + SIGKILL. */
const KILLED = 137;

/** exit_group(): the first thread has ended, and the others end with it. For {@linkcode Task.atEnd}. */
export function killThreads(main: Task, kernel: Kernel, threads: readonly Task[]): void {
  for (const thread of threads) kernel.kill(thread, KILLED, kernel.cpus[main.cpu]!);
}
