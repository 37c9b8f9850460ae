/**
 * Starts what is typed or read: a whole script, or one input of a prompt.
 *
 * @module
 */

import type { Script } from "../syntax/ast.ts";
import { attach, runList } from "./interpret.ts";
import type { Coroutine, Job } from "./jobs.ts";
import { type Shell, ShellExit } from "./state.ts";
import { catchExit, runToExit } from "./subshell.ts";

/** Runs a whole script in a shell, to its exit status, the EXIT trap included. */
export function* runScript(shell: Shell, script: Script): Coroutine {
  return yield* runToExit(shell, () => runList(shell, script.body));
}

/**
 * Runs one input of a prompt, as `run` says. Errors end the input, not the shell; `exit` ends it: then `onExit` is told the status.
 */
export function* runInteractive(
  shell: Shell,
  run: () => Coroutine,
  onExit: (status: number) => void,
): Coroutine {
  const end = { left: false };
  const status = yield* catchExit(shell, () => noteExit(run, end));
  shell.status = status;
  if (end.left) onExit(status & 255);
  return status & 255;
}

function* noteExit(run: () => Coroutine, end: { left: boolean }): Coroutine {
  try {
    return yield* run();
  } catch (reason) {
    if (reason instanceof ShellExit) end.left = reason.asked;
    throw reason;
  }
}

/** Starts a job that runs a whole script in a shell; its pid is the shell's `$$`. */
export function startScript(shell: Shell, script: Script): Job {
  return shell.scheduler.start(script.name, shell.machine, (job) => {
    job.pid = shell.pid;
    attach(shell, job);
    return runScript(shell, script);
  });
}

/** Starts a job that runs one input of a prompt, as {@linkcode runInteractive} does. */
export function startInteractive(
  shell: Shell,
  name: string,
  run: () => Coroutine,
  onExit: (status: number) => void,
): Job {
  return shell.scheduler.start(name, shell.machine, (job) => {
    job.pid = shell.pid;
    attach(shell, job);
    return runInteractive(shell, run, onExit);
  });
}
