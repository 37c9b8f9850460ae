/**
 * What commands become in the simulation: tasks of built-ins, other coroutines.
 *
 * @module
 */
import type { Activity } from "../../hw/sim/activity.ts";
import type { CommandContext, Output } from "../commands/command.ts";
import { brokenPipe, FileDescription } from "./descriptors.ts";
import { hintOnDevice } from "./hints.ts";
import type { Coroutine, Job, JobOptions, Request } from "./jobs.ts";

import { ShellError } from "../syntax/shell_error.ts";
import { type Shell, ShellExit } from "./state.ts";

/** Starts another coroutine. @throws {ShellError} if there are as many as there may be */
export function* fork(shell: Shell, options: JobOptions): Generator<Request, Job, unknown> {
  if (shell.scheduler.isFull) {
    yield* builtinTask(shell, "bash"); // it takes time to fail
    throw new ShellError("fork: Resource temporarily unavailable", 254);
  }
  return (yield { kind: "fork", options }) as Job;
}

/** A task that costs what a built-in costs, and writes. */
export function* builtinTask(
  shell: Shell,
  name: string,
  output: readonly Output[] = [],
  status = 0,
  context?: CommandContext,
): Coroutine {
  const { machine } = shell;
  let broken = false;
  const result = (yield {
    kind: "task",
    machine,
    name,
    launch: shell.launch([name, ...context?.args ?? []], context?.env),
    body: () => builtinLife(shell, name, output, status, context, () => broken = true),
  }) as number;
  if (broken) throw new ShellExit(128 + 13); // SIGPIPE
  return result;
}

function* builtinLife(
  shell: Shell,
  name: string,
  output: readonly Output[],
  status: number,
  context: CommandContext | undefined,
  onBrokenPipe: () => void,
): Activity<number> {
  yield shell.machine.builtinCost;
  let answer = status;
  for (const { description, text, isMessage } of output) {
    const error = yield* description.write(text);
    if (error === brokenPipe) onBrokenPipe();
    else if (error !== undefined && !isMessage) {
      const prefix = context?.command.kind === "filter" ? "" : shell.prefix();
      shell.err(`${prefix}${name}: write error: ${error.message}\n`);
      if (error.name === "ENODEV" && description instanceof FileDescription) {
        shell.note(hintOnDevice(shell, description.path, text));
      }
      answer = 1;
    }
  }
  yield* writePending(shell);
  return answer;
}

/** Writes messages that wait for a task: descriptor 2 leads to a file. */
function* writePending(shell: Shell): Activity {
  for (const { description, text } of shell.unwritten.splice(0)) {
    yield* description.write(text);
    description.release();
  }
}
