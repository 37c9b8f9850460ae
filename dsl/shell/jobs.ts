/**
 * Coroutines of the shell: pipeline elements, background jobs, and the foreground itself.
 *
 * The interpreter runs outside simulated time and never advances it. It is a generator that yields a
 * {@linkcode Request} and is resumed when that is done. This scheduler holds all such generators: each is runnable,
 * or waits for a simulated task, a pipe, another job, or something of the laboratory.
 *
 * ```ts
 * const jobs = new JobScheduler();
 * const foreground = jobs.start("script", machine, () => runScript(shell, script));
 * drive(jobs, foreground, () => simulation.advanceOneEvent());
 * ```
 *
 * @module
 */
import type { Activity } from "../../hw/sim/activity.ts";
import { MAX_JOBS } from "../syntax/limits.ts";
import type { Launch, Machine, Process, Sender } from "./ports.ts";
import { isDeadly, SIGINT } from "./signals.ts";

/** What a coroutine asks for. What it is resumed with is named at each. */
export type Request =
  /** Run a simulated task; resumed with its status. `main` marks the task that a job of one command is. */
  | {
    readonly kind: "task";
    readonly machine: Machine;
    readonly name: string;
    readonly launch: Launch;
    readonly main?: boolean;
    readonly body: (process: Process) => Activity<number>;
  }
  /** Start another coroutine; resumed at once with its {@linkcode Job}. */
  | { readonly kind: "fork"; readonly options: JobOptions }
  /** Wait until a job has ended; resumed with its status. `interruptible`: Ctrl-C ends the waiting, not the job. */
  | { readonly kind: "wait"; readonly job: Job; readonly interruptible?: boolean }
  /** Wait until `ready()`, which is asked again whenever `signal` is notified. */
  | { readonly kind: "ready"; readonly signal: Signal; readonly ready: () => boolean }
  /** Wait until `resume` is called; resumed with its argument. */
  | { readonly kind: "block"; readonly start: (resume: (value: unknown) => void) => void };

/** A coroutine of the shell. */
export type Coroutine = Generator<Request, number, unknown>;

/** How a job is started. */
export interface JobOptions {
  /** Its source text. */
  readonly name: string;
  /** Where it runs. */
  readonly machine: Machine;
  /** Makes the coroutine. */
  readonly start: (job: Job) => Coroutine;
  /** `&`: it gets a number, and nobody has to wait for it. */
  readonly background: boolean;
  /** It is one command: its pid is that of the command's task. */
  readonly single?: boolean;
}

/** Ctrl-C came while a command waited for something that no signal ends: it is thrown into the command. */
export class Interrupted {}

/** A command was to be started on a machine that has been switched off: thrown into its shell, which ends by it. */
export class MachineEnded {}

/** Something that coroutines wait for: a pipe's state. */
export class Signal {
  readonly #waiting = new Set<() => void>();

  /** Wakes everybody who waits. */
  notify(): void {
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Calls `wake` at the next {@linkcode notify}. */
  add(wake: () => void): void {
    this.#waiting.add(wake);
  }
}

/** One coroutine and what it is doing. */
export class Job {
  /** `%n`; 0 for a job that is not in the background. */
  readonly id: number;
  /** Its source text. */
  readonly name: string;
  /** Where it runs. */
  readonly machine: Machine;
  /** A process id; of the command's own task if the job is one command. */
  pid = 0;
  /** The exit status, once it has ended. */
  status: number | undefined;
  /** Asked first when a signal comes; true if the shell has a trap for it. */
  trap: ((signal: number) => boolean) | undefined;
  /** How often Ctrl-C has come. */
  interrupts = 0;
  /** The last one came while a program or job ran that takes the signal itself: its end says what the shell does. */
  programInterrupted = false;
  /** It is one command: signals go to its task alone. */
  readonly single: boolean;
  /** Foreground children: signals go to them as well. */
  readonly children: Set<Job> = new Set();
  /** Whether the shell ignores SIGINT, and so do the programs that it starts. */
  ignoresInterrupt: (() => boolean) | undefined;

  /** Made by {@linkcode JobScheduler}. */
  constructor(readonly scheduler: JobScheduler, options: JobOptions, id: number) {
    this.id = id;
    this.name = options.name;
    this.machine = options.machine;
    this.single = options.single ?? false;
  }

  /** Sends a signal to the job and what it waits for. */
  signal(signal: number, sender?: Sender): void {
    this.scheduler.signal(this, signal, sender);
  }
}

/** The status of a job whose machine is gone: 128 + SIGKILL. */
const KILLED = 137;

interface Entry {
  readonly job: Job;
  readonly coroutine: Coroutine;
  readonly parent: Job | undefined;
  readonly ended: Signal;
  /** The simulated task that it waits for; `main`: a program, which takes signals. */
  task: { readonly machine: Machine; readonly pid: number; readonly main: boolean } | undefined;
  /** What it waits for, where that is no task. */
  waitsFor: Request | undefined;
  /** Thrown into it when it goes on. */
  thrown: Interrupted | MachineEnded | undefined;
  /** Counts its blockings: a wake-up for an older one is stale. */
  turn: number;
  running: boolean;
  value: unknown;
}

/** Holds the coroutines. */
export class JobScheduler {
  #entries = new Map<Job, Entry>();
  #runnable: Entry[] = [];
  #later: (() => void)[] = [];
  #ids = { next: 1 };

  /** Jobs in the background that have not been waited for, by number. */
  background: Map<number, Job> = new Map();

  /** Starts a coroutine that belongs to nobody: a script, a line of the prompt. It runs at the next pump. */
  start(name: string, machine: Machine, start: (job: Job) => Coroutine): Job {
    return this.#add({ name, machine, start, background: false }, undefined).job;
  }

  /** Starts a coroutine as a child of a job, in its foreground; `ended` is told its status. It runs at the next pump. */
  startChild(parent: Job | undefined, options: JobOptions, ended: (status: number) => void): Job {
    const entry = this.#add(options, parent);
    entry.ended.add(() => ended(entry.job.status ?? 0));
    if (entry.job.pid === 0) entry.job.pid = options.machine.newPid();
    return entry.job;
  }

  /** Resumes coroutines until none is runnable. Takes no simulated time. */
  pump(): void {
    for (;;) {
      const action = this.#later.shift();
      if (action !== undefined) {
        action();
        continue;
      }
      const entry = this.#runnable.shift();
      if (entry === undefined) return;
      if (entry.job.status === undefined) this.#resume(entry);
    }
  }

  /** Whether {@linkcode pump} has something to do. */
  get isRunnable(): boolean {
    return this.#runnable.length > 0 || this.#later.length > 0;
  }

  /** Whether there are as many coroutines as there may be. */
  get isFull(): boolean {
    return this.#entries.size >= MAX_JOBS;
  }

  /** Does something at the next pump, outside the simulation. */
  later(action: () => void): void {
    this.#later.push(action);
  }

  /** Jobs that have not ended, in the order they were started. */
  get active(): readonly Job[] {
    return [...this.#entries.keys()];
  }

  /** The job with a process id, if it has not ended. */
  byPid(pid: number): Job | undefined {
    for (const job of this.#entries.keys()) if (job.pid === pid) return job;
    return undefined;
  }

  /** Sends a signal to a job: its traps first, then its simulated task, then its children and itself. */
  signal(job: Job, signal: number, sender?: Sender): void {
    const entry = this.#entries.get(job);
    if (entry === undefined || signal === 0) return;
    if (job.trap?.(signal)) return;
    const { task } = entry;
    if (job.single && task !== undefined) {
      task.machine.kill(task.pid, signal, sender); // the program decides; its end ends the job
      return;
    }
    if (!isDeadly(signal)) return;
    for (const child of job.children) this.signal(child, signal, sender);
    if (task !== undefined) task.machine.kill(task.pid, signal, sender);
    if (entry.running) throw new Error(`Job ${job.name} cannot be ended from inside`);
    entry.turn++;
    entry.coroutine.return(128 + signal);
    this.#end(entry, 128 + signal);
  }

  /**
   * Ctrl-C: SIGINT for a job of the foreground and its foreground children. Programs take it as they do; what waits
   * without a program is woken by {@linkcode Interrupted}. What its shell does is decided when the command has ended.
   */
  interrupt(job: Job): void {
    const entry = this.#entries.get(job);
    if (entry === undefined || job.ignoresInterrupt?.()) return;
    const children = [...job.children];
    const { task, waitsFor } = entry;
    const signalled = task?.main ?? (waitsFor?.kind === "wait" && !waitsFor.interruptible);
    job.interrupts++;
    job.programInterrupted = signalled ?? false;
    for (const child of children) this.interrupt(child);
    if (task?.main) task.machine.kill(-task.pid, SIGINT); // the whole group, as the terminal does
    if (task !== undefined || waitsFor === undefined || signalled) return;
    entry.turn++;
    entry.waitsFor = undefined;
    entry.thrown = new Interrupted();
    this.#runnable.push(entry);
  }

  /**
   * Ends every job but the one that runs now, those that wait for it, and `also`, without a word to their machines: these are
   * gone. Answers how many.
   */
  abandonOthers(also?: Job): number {
    const staying = new Set<Job>(also && [also]);
    for (const entry of this.#entries.values()) {
      if (!entry.running) continue;
      for (
        let at: Entry | undefined = entry;
        at !== undefined;
        at = at.parent && this.#entries.get(at.parent)
      ) {
        staying.add(at.job);
      }
    }
    const others = [...this.#entries.values()].filter(({ job }) => !staying.has(job));
    for (const entry of others) {
      entry.turn++;
      entry.coroutine.return(KILLED);
      this.#end(entry, KILLED);
    }
    return others.length;
  }

  /** A job and its foreground children never go on; the tasks that they wait for do. */
  freeze(job: Job): void {
    const entry = this.#entries.get(job);
    if (entry === undefined) return;
    entry.turn++;
    this.#entries.delete(job);
    const at = this.#runnable.indexOf(entry);
    if (at !== -1) this.#runnable.splice(at, 1);
    for (const child of job.children) this.freeze(child);
  }

  /** Takes over what `other` holds, and gives it what it holds itself: from now on both are one. */
  join(other: JobScheduler): void {
    for (const [job, entry] of this.#entries) other.#entries.set(job, entry);
    other.#runnable.push(...this.#runnable);
    other.#later.push(...this.#later);
    this.#entries = other.#entries;
    this.#runnable = other.#runnable;
    this.#later = other.#later;
    this.#ids = other.#ids;
    this.background = other.background;
  }

  #add(options: JobOptions, parent: Job | undefined): Entry {
    const job = new Job(this, options, options.background ? this.#ids.next++ : 0);
    const coroutine = options.start(job);
    const entry: Entry = {
      job,
      coroutine,
      parent,
      ended: new Signal(),
      task: undefined,
      waitsFor: undefined,
      thrown: undefined,
      turn: 0,
      running: false,
      value: undefined,
    };
    this.#entries.set(job, entry);
    if (options.background) this.background.set(job.id, job);
    else parent?.children.add(job);
    this.#runnable.push(entry);
    return entry;
  }

  #wake(entry: Entry, turn: number, value: unknown): void {
    if (entry.turn !== turn || entry.job.status !== undefined) return;
    entry.turn++;
    entry.task = entry.waitsFor = undefined;
    entry.value = value;
    this.#runnable.push(entry);
  }

  #resume(entry: Entry): void {
    for (;;) {
      entry.running = true;
      let result: IteratorResult<Request, number>;
      const { thrown } = entry;
      entry.waitsFor = entry.thrown = undefined;
      try {
        result = thrown === undefined ? entry.coroutine.next(entry.value) : entry.coroutine.throw(thrown);
      } finally {
        entry.running = false;
      }
      entry.value = undefined;
      if (result.done) return this.#end(entry, result.value);
      entry.waitsFor = result.value;
      if (!this.#request(entry, result.value)) return;
    }
  }

  /** Starts what is asked for; true if the coroutine goes on at once, with `entry.value`. */
  #request(entry: Entry, request: Request): boolean {
    const { turn } = entry;
    switch (request.kind) {
      case "task": {
        const { machine, name, body, launch } = request;
        if (machine.ended) {
          entry.thrown = new MachineEnded();
          return true;
        }
        let ended = false;
        const pid = machine.spawn(name, body, (status) => {
          ended = true;
          this.#wake(entry, turn, status);
        }, launch);
        if (!ended) entry.task = { machine, pid, main: request.main ?? false };
        // A command of another machine (ssh) has its pid there; here the job is the ssh that waits for it.
        const isOwn = request.main === true && machine === entry.job.machine;
        if (entry.job.single && isOwn && entry.job.pid === 0) entry.job.pid = pid;
        return false;
      }
      case "fork": {
        const child = this.#add(request.options, entry.job);
        this.#runnable.pop(); // it runs now, up to its first wait, so that its pid is known
        this.#resume(child);
        if (child.job.pid === 0) child.job.pid = child.job.machine.newPid();
        entry.value = child.job;
        return true;
      }
      case "wait": {
        const waited = this.#entries.get(request.job);
        if (waited === undefined) {
          entry.value = request.job.status ?? 0;
          return true;
        }
        waited.ended.add(() => this.#wake(entry, turn, request.job.status ?? 0));
        return false;
      }
      case "ready": {
        if (request.ready()) return true;
        const check = () => {
          if (request.ready()) this.#wake(entry, turn, undefined);
          else if (entry.turn === turn && entry.job.status === undefined) request.signal.add(check);
        };
        request.signal.add(check);
        return false;
      }
      case "block":
        request.start((value) => this.#wake(entry, turn, value));
        return false;
      default:
        return unreachable(request);
    }
  }

  #end(entry: Entry, status: number): void {
    const { job } = entry;
    job.status = status;
    this.#entries.delete(job);
    entry.parent?.children.delete(job);
    entry.ended.notify();
  }
}

function unreachable(value: never): never {
  throw new Error(`Unknown request ${JSON.stringify(value)}`);
}

/** The foreground waits for something that will never happen. */
export class DeadlockError extends Error {
  /** The name that a stack trace prints. */
  override readonly name = "DeadlockError";
}

/**
 * Runs a job to its end: resumes what is runnable, and otherwise lets the simulation go on by one event.
 *
 * @param advance lets one event of the simulation happen; false if there is none
 * @throws {DeadlockError} if the job waits and the simulation has nothing to do
 */
export function drive(jobs: JobScheduler, job: Job, advance: () => boolean): number {
  for (;;) {
    jobs.pump();
    if (job.status !== undefined) return job.status;
    if (!advance()) {
      if (jobs.isRunnable) continue;
      throw new DeadlockError(`${job.name} waits, and nothing in the simulation is due`);
    }
  }
}
