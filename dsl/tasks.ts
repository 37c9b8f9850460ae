/**
 * What commands become in the simulation: tasks of built-ins, programs, other coroutines.
 *
 * @module
 */
import type { Activity } from "../hw/sim/activity.ts";
import type { CommandContext, Output } from "./commands/command.ts";
import { brokenPipe, type Description, FileDescription } from "./descriptors.ts";
import { hintOnDevice } from "./hints.ts";
import type { Coroutine, Job, JobOptions, Request } from "./jobs.ts";
import type { Errno, Launch, Process, Program } from "./ports.ts";
import { type Shell, ShellError, ShellExit } from "./state.ts";

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
    body: function* (): Activity<number> {
      yield machine.builtinCost;
      let answer = status;
      for (const { description, text, isMessage } of output) {
        const error = yield* description.write(text);
        if (error === brokenPipe) broken = true;
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
    },
  }) as number;
  if (broken) throw new ShellExit(128 + 13); // SIGPIPE
  return result;
}

/** Writes messages that wait for a task: descriptor 2 leads to a file. */
function* writePending(shell: Shell): Activity {
  for (const { description, text } of shell.unwritten.splice(0)) {
    yield* description.write(text);
    description.release();
  }
}

/** Runs a program of the machine as a task. */
export function* runProgram(shell: Shell, program: Program, argv: readonly string[]): Coroutine {
  const { machine } = shell;
  const stdio = new ProgramOutput(shell);
  return (yield {
    kind: "task",
    machine,
    name: program.name,
    main: true,
    launch: stdio.launch(argv),
    body: function* (process: Process): Activity<number> {
      stdio.pid = process.pid;
      const status = yield* program.main(process);
      const error = yield* stdio.flush();
      if (error === undefined) return status;
      shell.err(`${program.name}: write error: ${error.message}\n`);
      return 1;
    },
  }) as number;
}

/** Standard output and error of a program. What goes to the kernel's own files waits until the program ends. */
class ProgramOutput {
  pid = 0;
  readonly #waiting: { readonly description: Description; readonly text: string }[] = [];

  constructor(readonly shell: Shell) {}

  launch(argv: readonly string[]): Launch {
    const [input, out, err] = [0, 1, 2].map((fd) => this.shell.descriptors.get(fd));
    return {
      ...this.shell.launch(argv),
      stdout: (text) => this.#write(out, text),
      stderr: (text) => this.#write(err, text),
      stdin: input?.input(),
    };
  }

  #write(description: Description | undefined, text: string): void {
    if (description === undefined) return;
    if (!description.immediate) this.#waiting.push({ description, text });
    else if (description.writeNow(text) === brokenPipe) {
      const { scheduler, machine } = this.shell;
      scheduler.later(() => machine.kill(this.pid, 13)); // SIGPIPE
    }
  }

  *flush(): Activity<Errno | undefined> {
    let failed: Errno | undefined;
    for (const { description, text } of this.#waiting.splice(0)) {
      failed = (yield* description.write(text)) ?? failed;
    }
    return failed;
  }
}
