/**
 * What signals do to programs that handle them, or that have several threads.
 *
 * @module
 */

import type { Kernel } from "../linux/kernel.ts";
import type { Task } from "../linux/sched/task.ts";
import type { ProgramProcess } from "./program.ts";

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

/** Sends a signal from the program of `command` to a task, whose program decides what it does. */
export function sendSignal({ kernel, task, pid, argv }: ProgramProcess, to: Task, signal: number): void {
  if (signal === 0) return;
  const here = kernel.cpus[task.cpu]!;
  const sender = { pid, name: argv[0] ?? "" };
  if (!to.onSignal?.(signal, here, false, sender)) kernel.kill(to, 128 + signal, here);
}

/** Signals by the names that tools take, without SIG. */
const NUMBERS: Readonly<Record<string, number>> = {
  ...{ HUP: 1, INT: 2, QUIT: 3, ABRT: 6, KILL: 9, USR1: 10, USR2: 12, TERM: 15, CONT: 18, STOP: 19 },
};

/** `9`, `KILL`, `SIGKILL`; undefined: there is no such signal. */
export function signalOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) < 65 ? Number(text) : undefined;
  const name = text.replace(/^SIG/, "");
  return Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
}
