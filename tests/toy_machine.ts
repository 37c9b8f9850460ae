/**
 * A machine without hardware, for tests of the shell: tasks share one clock and run one step at a time in the order
 * of their times. Its file system is the real one.
 */
import { type Activity, type Step, work } from "../hw/sim/activity.ts";
import { RandomStream } from "../hw/sim/random.ts";
import { drive, type Job, JobScheduler } from "../dsl/shell/jobs.ts";
import { interpreter, runList } from "../dsl/shell/interpret.ts";
import { startInteractive, startScript } from "../dsl/shell/start.ts";
import { parseScript } from "../dsl/syntax/parse.ts";
import type { CallHandler, Environment, Launch, Machine, Process, Program } from "../dsl/shell/ports.ts";
import { Shell } from "../dsl/shell/state.ts";
import type { Command } from "../dsl/commands/command.ts";
import { ShellSyntaxError } from "../dsl/syntax/syntax_error.ts";
import { Vfs } from "../runtime/linux/fs/vfs.ts";

interface Task {
  readonly pid: number;
  readonly name: string;
  readonly activity: Activity<number>;
  readonly done: (status: number) => void;
  dueNs: number;
  readonly order: number;
}

/** A clock and the tasks of all its machines. */
export class ToyWorld {
  nowNs = 0;
  readonly tasks = new Map<number, Task>();
  #order = 0;
  #pid = 4242;

  nextPid(): number {
    return this.#pid++;
  }

  add(name: string, activity: Activity<number>, done: (status: number) => void, pid: number): void {
    this.tasks.set(pid, { pid, name, activity, done, dueNs: this.nowNs, order: this.#order++ });
  }

  /** Lets the task that is due first do one step. */
  advance(): boolean {
    let next: Task | undefined;
    for (const task of this.tasks.values()) {
      if (
        next === undefined || task.dueNs < next.dueNs ||
        (task.dueNs === next.dueNs && task.order < next.order)
      ) {
        next = task;
      }
    }
    if (next === undefined) return false;
    this.nowNs = next.dueNs;
    const result = next.activity.next(0);
    if (!result.done) next.dueNs += result.value.ns;
    else if (this.tasks.delete(next.pid)) next.done(result.value);
    return true;
  }

  kill(pid: number, signal: number): boolean {
    const task = this.tasks.get(pid);
    if (task === undefined) return false;
    if (signal === 0) return true;
    this.tasks.delete(pid);
    task.activity.return(0);
    task.done(128 + signal);
    return true;
  }
}

/** A machine of a {@linkcode ToyWorld}. */
export class ToyMachine implements Machine {
  readonly hostname: string;
  readonly vfs: Vfs = new Vfs();
  readonly programs = new Map<string, Program>();
  readonly builtinCost: Step = work("builtin", 1, 1000);
  calls?: CallHandler;
  readonly #draws = new RandomStream(1, "toy");
  readonly #spin: Step = work("spin", 1, 1_000_000);

  constructor(readonly world: ToyWorld, readonly name = "host") {
    this.hostname = name;
    this.vfs.mkdir("/tmp");
    this.vfs.mkdir("/root");
    this.vfs.mkdir("/dev");
  }

  *hog(): Activity<number> {
    for (;;) yield this.#spin;
  }

  *sleep(_process: Process, ns: number): Activity<void> {
    yield work("sleep", 1, ns);
  }

  spawn(
    name: string,
    body: (process: Process) => Activity<number>,
    done: (status: number) => void,
    launch: Launch,
  ): number {
    const pid = this.world.nextPid();
    this.world.add(name, body({ ...launch, pid }), done, pid);
    return pid;
  }

  newPid(): number {
    return this.world.nextPid();
  }

  clock(): { uptimeNs: number; bootTime: number } {
    return { uptimeNs: this.world.nowNs, bootTime: 1_346_889_600 };
  }

  draw(): number {
    return this.#draws.uint32();
  }

  kill(pid: number, signal: number): boolean {
    return this.world.kill(pid, signal);
  }
}

/** What a run gave. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

/** A script goes on for longer than it was given. */
export class OutOfSteps extends Error {}

/** A shell on a toy machine. */
export class ToyLab {
  readonly world = new ToyWorld();
  readonly jobs = new JobScheduler();
  readonly host: ToyMachine;
  readonly machines = new Map<string, ToyMachine>();
  readonly words = new Map<string, Command>();
  readonly constants = new Map<string, number>();
  stdout = "";
  stderr = "";
  readonly environment: Environment;
  readonly shell: Shell;

  constructor(
    options: { name?: string; slide?: Environment["slide"]; strict?: boolean; interactive?: boolean } = {},
  ) {
    this.host = new ToyMachine(this.world);
    this.machines.set("host", this.host);
    this.environment = {
      io: { out: (text) => void (this.stdout += text), err: (text) => void (this.stderr += text) },
      interpreter,
      machines: (name) => this.machines.get(name),
      constants: this.constants,
      words: this.words,
      slide: options.slide,
    };
    this.shell = new Shell(this.environment, this.jobs, this.host, {
      zero: options.name ?? "script",
      strict: options.strict,
      interactive: options.interactive,
    });
  }

  /** Adds a machine that `ssh` can name. */
  addMachine(name: string): ToyMachine {
    const machine = new ToyMachine(this.world, name);
    this.machines.set(name, machine);
    return machine;
  }

  /** Starts one input of a prompt. */
  start(text: string, onExit: (status: number) => void = () => {}): Job {
    const { name, body } = parseScript(text, "rtkvm", { interactive: true });
    return startInteractive(this.shell, name, () => runList(this.shell, body), onExit);
  }

  /** Runs one input of a prompt to its end; output is collected. */
  line(text: string, onExit: (status: number) => void): number {
    return drive(this.jobs, this.start(text, onExit), () => this.world.advance());
  }

  /**
   * Runs a script to its end, as a file called `script`. A syntax error is printed and gives 2, as by the CLI.
   *
   * @throws OutOfSteps if it has not ended after so many steps of its tasks
   */
  run(text: string, steps = Infinity): Outcome {
    this.stdout = "";
    this.stderr = "";
    let status: number;
    try {
      const script = parseScript(text, this.shell.zero);
      status = drive(this.jobs, startScript(this.shell, script), () => {
        if (--steps < 0) throw new OutOfSteps();
        return this.world.advance();
      });
    } catch (error) {
      if (!(error instanceof ShellSyntaxError)) throw error;
      this.stderr += error.message + "\n";
      status = 2;
    }
    return { stdout: this.stdout, stderr: this.stderr, status };
  }
}
