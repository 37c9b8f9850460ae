/**
 * Programs of a machine, as tasks, and the commands that they have their shell start.
 *
 * @module
 */
import type { Activity } from "../../hw/sim/activity.ts";
import { brokenPipe, type Description, Terminal } from "./descriptors.ts";
import { type Coroutine, type Job, Signal } from "./jobs.ts";
import type { Child, Errno, Launch, Process, Program } from "./ports.ts";
import type { Shell } from "./state.ts";
import { runToExit } from "./subshell.ts";

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
    body: (process) => programLife(shell, program, stdio, process),
  }) as number;
}

function* programLife(
  shell: Shell,
  program: Program,
  stdio: ProgramOutput,
  process: Process,
): Activity<number> {
  stdio.pid = process.pid;
  const status = yield* program.main(process);
  const error = yield* stdio.flush();
  if (error === undefined) return status;
  shell.err(`${program.name}: write error: ${error.message}\n`);
  return 1;
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
      toTerminal: out instanceof Terminal,
      start: (argv, placement) => ShellChild.start(this.shell, argv, placement),
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

/** A command that a program of the shell has started. */
class ShellChild implements Child {
  status: number | undefined;
  #job: Job | undefined;
  readonly #ended = new Signal();

  constructor(readonly shell: Shell) {}

  static start(shell: Shell, argv: readonly string[], placement: object | undefined): ShellChild | undefined {
    const [name = ""] = argv;
    const isKnown = shell.environment.interpreter.commands.has(name) || shell.machine.programs.has(name);
    if (!name.includes("/") && !isKnown) return undefined;
    const child = new ShellChild(shell);
    shell.scheduler.later(() => child.#begin(argv, placement ?? shell.placement));
    return child;
  }

  #begin(argv: readonly string[], placement: object | undefined): void {
    const { shell } = this;
    const copy = shell.subshell();
    copy.placement = placement;
    const { interpreter } = shell.environment;
    const name = (argv[0] ?? "").replace(/^.*\//, "");
    this.#job = shell.scheduler.startChild(shell.job, {
      name: argv.join(" "),
      machine: shell.machine,
      background: false,
      // A program takes a signal as it does, and its end is the command's; a shell is ended with what it runs.
      single: shell.machine.programs.has(name) || name === "sleep",
      start: (job) => {
        copy.job = job;
        return runToExit(copy, () => interpreter.runNamed(copy, argv, { skipFunctions: true }));
      },
    }, (status) => {
      copy.descriptors.closeAll();
      this.status = status;
      this.#ended.notify();
    });
  }

  whenEnded(wake: () => void): void {
    if (this.status === undefined) this.#ended.add(wake);
    else wake();
  }

  signal(signal: number): void {
    this.shell.scheduler.later(() => this.#job?.signal(signal));
  }
}
