/**
 * A session: one shell and its jobs, and the laboratory that they drive.
 *
 * The interpreter never advances time; this does. It resumes the coroutines of the shell, and whenever none can go on
 * it lets the engine run until one of their tasks has ended.
 *
 * It does so in slices of simulated time, between which a Ctrl-C can be seen ({@linkcode Session.interrupt}). Where a
 * slice ends changes nothing: the state is that of one long run. An interrupt is an input, and the journal keeps it.
 *
 * @module
 */

import { defaultProfile, type LabProfile, profileWith } from "../runtime/lab/defaults.ts";
import { Lab } from "../runtime/lab/lab.ts";
import type { ProfileText } from "../runtime/lab/profile.ts";
import { READ_ONLY, scriptDirectory, type ScriptFolder } from "../runtime/lab/script_folder.ts";
import { type Era, ERA_2012, eraNamed, eraRefusal, ERAS } from "../runtime/lab/eras.ts";
import { Invariants, type Violation, violationText } from "../runtime/lab/invariants.ts";
import type { Mutant } from "../runtime/lab/mutants.ts";
import { systemNamed, type SystemRow } from "../runtime/lab/systems.ts";
import type { ListItem, Script } from "./ast.ts";
import type { Command } from "./commands/command.ts";
import { attach, runList, startInteractive } from "./interpret.ts";
import { type Coroutine, DeadlockError, type Job, JobScheduler } from "./jobs.ts";
import { type Answer, type Interruption, isPlainBoot, Journal, type JournalInput } from "./journal.ts";
import { parseScript } from "./parse.ts";
import type { Environment, Io, Machine } from "./ports.ts";
import { slideHook } from "./slide_mode.ts";
import { Shell } from "./state.ts";
import { runToExit } from "./subshell.ts";

/** What a session starts with; `boot` changes it. */
export interface SessionOptions {
  /** Where text goes. */
  readonly io: Io;
  /** The talk's time where absent, or today. */
  readonly era?: Era;
  /** System of the first laboratory; the era's where absent: `rfc-v2` in 2012. */
  readonly system?: SystemRow;
  /** Kernel that vm0 runs; the era's where absent: `linux-3.4.0` in 2012. */
  readonly kernel?: string;
  /** Seed; 1 where absent. */
  readonly seed?: number;
  /** Profiles on top of the default one. */
  readonly profiles?: readonly ProfileText[];
  /** Errno-exact instead of lenient with what slides print. */
  readonly strict?: boolean;
  /** A prompt: errors end a line, not the session. */
  readonly interactive?: boolean;
  /** `$0`. */
  readonly name?: string;
  /** Scripts that every laboratory's host finds in its tree; the shell starts there. */
  readonly folder?: ScriptFolder;
  /** Words of the laboratory. */
  readonly words: (session: Session) => readonly Command[];
  /** Another session's run is to be repeated: by {@linkcode Session.repeat}. */
  readonly repeats?: Repetition;
}

/** A run that is repeated. */
export interface Repetition {
  /** What that run was given. */
  readonly journal: Journal;
  /** Another system for the laboratory that was the last one there; the same one where absent. */
  readonly system?: SystemRow;
  /** Told of the laboratory that was the last one there, before anything happens to it but its boot. */
  prepare(lab: Lab): void;
}

/** A run that is repeated has gone another way. */
export class RepetitionError extends Error {
  /** The name that a stack trace prints. */
  override readonly name = "RepetitionError";
}

/** What `boot` may say. */
export interface BootRequest {
  readonly era?: Era;
  readonly system?: SystemRow;
  readonly kernel?: string;
  readonly seed?: number;
  readonly profile?: LabProfile;
  /** End of the host's kernel command line. */
  readonly append?: string;
  /** `null`, and where absent: none. */
  readonly mutant?: Mutant | null;
}

/** A run in slices: each `next` is one; what it returns is the exit status. */
export type Slices = Generator<void, number, void>;

/** Longest slice, ns of simulated time: well below a tenth of a second of the computer's where much happens in it. */
const SLICE_NS = 20_000_000;

/** Told about the commands of a script, as it comes to each of its top level. */
export interface ScriptWatcher {
  before(item: ListItem, script: Script): void;
  after(item: ListItem, status: number): void;
}

/** A shell with its laboratory. */
export class Session {
  /** The shell. */
  readonly shell: Shell;
  /** Its jobs. */
  readonly jobs: JobScheduler = new JobScheduler();
  /** Where text goes. */
  readonly io: Io;
  /** Told how far a long run has come. */
  onProgress: (name: string, fraction: number) => void = () => {};
  /** Results of laboratories that `boot` has replaced, oldest first. */
  readonly earlierResults: Lab["results"] = [];
  /** Their results of iperf and ping. */
  readonly earlierTraffic: Lab["traffic"] = [];
  /** What it has been given. */
  readonly journal: Journal = new Journal();
  /** The same of what sysbench has measured. */
  readonly earlierComputed: Lab["computed"] = [];
  /** What `set -o check` has found, oldest first. */
  readonly violations: Violation[] = [];
  /** Ends the watch over the invariants; `null`: there is none. */
  #unwatch: (() => void) | null = null;
  readonly #profile: LabProfile;
  readonly #folder: ScriptFolder | undefined;
  #lab: Lab;
  /** Answers of the run that is repeated which have been given again. */
  #recalled = 0;
  /** Inputs that are being performed. */
  #inputs = 0;
  /** Ctrl-C has come and has not been seen to. */
  #interrupted = false;
  /** When it is to come: asked for, or because a run is repeated. */
  #interruptsAt: Interruption[] = [];
  /** How many boots have come since the start of the run that is repeated. */
  #boots: number;

  /** @throws ProfileError where a profile does not fit */
  constructor(readonly options: SessionOptions) {
    const start = options.repeats?.journal.start;
    this.#boots = start?.boot ? -1 : 0; // the first laboratory makes way for the one that was booted
    this.io = options.io;
    this.#folder = options.folder;
    this.#profile = options.profiles === undefined ? defaultProfile() : profileWith(options.profiles);
    const { era = ERA_2012 } = options;
    this.#lab = this.#build({
      era,
      system: options.system ?? systemNamed(era.system)!,
      kernel: options.kernel ?? era.kernel,
      seed: options.seed ?? 1,
      profile: this.#profile,
      append: "",
      mutant: null,
    });
    const words = new Map<string, Command>();
    const environment: Environment = {
      io: options.io,
      machines: (name) => this.#lab.computer(name) as Machine | undefined,
      constants: this.#lab.constants,
      words,
      slide: slideHook(this),
      setOption: (name, value, shell) => {
        if (name === "era") return this.#setEra(value, shell);
        return name === "check" ? this.#setCheck(value === true) : false;
      },
    };
    this.shell = new Shell(environment, this.jobs, this.#host, {
      zero: options.name ?? "rtkvm",
      interactive: options.interactive ?? false,
      strict: options.strict ?? false,
    });
    if (this.#folder !== undefined) {
      this.shell.cwd = this.#folder.path;
      this.shell.set("PWD", this.shell.cwd);
    }
    for (const word of options.words(this)) words.set(word.name, word);
    if (start) this.shell.become(start.shell); // before a boot, which may tell the machine of its shell
    if (start?.boot) this.boot(start.boot);
  }

  /** The laboratory as it is now. */
  get lab(): Lab {
    return this.#lab;
  }

  /** What all laboratories of the session have measured. */
  get results(): Lab["results"] {
    return [...this.earlierResults, ...this.#lab.results];
  }

  /** What iperf and ping have measured on them. */
  get traffic(): Lab["traffic"] {
    return [...this.earlierTraffic, ...this.#lab.traffic];
  }

  /** How long computing took in all laboratories of the session. */
  get computed(): Lab["computed"] {
    return [...this.earlierComputed, ...this.#lab.computed];
  }

  /** What `request` boots: what is not said stays as it is; in another era, as that has it. */
  bootOptions(request: BootRequest): Required<BootRequest> {
    const now = this.#lab.options;
    const { era = now.era } = request;
    const { kernel = era === now.era ? now.kernel : era.kernel } = request;
    const {
      system = eraRefusal(era, now.system, kernel) === undefined ? now.system : systemNamed(era.system)!,
    } = request;
    const { seed, profile, append } = now;
    return { seed, profile, append, mutant: null, ...request, era, system, kernel };
  }

  /** `set -o check`: the invariants of interrupt delivery are watched, on this machine and on those that follow. */
  #setCheck(on: boolean): undefined {
    this.#unwatch?.();
    this.#unwatch = on ? this.#watch() : null;
  }

  #watch(): () => void {
    const watch = new Invariants(this.#lab);
    watch.onViolation = (violation) => {
      this.violations.push(violation);
      this.io.err(`check: ${violationText(violation)}\n`);
    };
    const { engine } = this.#lab;
    engine.recordTo(watch, true);
    return () => engine.recordTo(watch, false);
  }

  /** `set -o era=NAME`: a fresh machine of that era. A text says why not. */
  #setEra(value: string | boolean, shell: Shell): string | undefined {
    const era = typeof value === "string" ? eraNamed(value) : undefined;
    if (era === undefined) return `expected ${ERAS.map(({ name }) => `era=${name}`).join(" or ")}`;
    const { options } = this.#lab;
    if (era === options.era) return;
    if (shell !== this.shell) return "only in the session's own shell: it boots a fresh machine";
    const { system } = this.boot({ era }).options;
    if (system !== options.system) {
      this.io.err(
        `note: era ${era.name}: there is no system ${options.system.name}; booted ${system.name}\n`,
      );
    }
  }

  /** Replaces the laboratory by a fresh one; what is not said stays as it was. Background jobs end. */
  boot(request: BootRequest): Lab {
    const whole = this.bootOptions(request);
    this.earlierResults.push(...this.#lab.results);
    this.earlierTraffic.push(...this.#lab.traffic);
    this.earlierComputed.push(...this.#lab.computed);
    this.jobs.abandonOthers();
    this.#boots++;
    this.journal.boots++;
    this.#lab = this.#build(whole);
    if (this.#unwatch !== null) this.#unwatch = this.#watch();
    this.shell.machine = this.#host;
    this.#lab.computer("host")!.adoptShell(this.shell.pid);
    if (this.#inputs === 0) this.journal.begin(this.#lab.options, this.shell);
    return this.#lab;
  }

  /**
   * Parses and runs a whole script. Returns its exit status.
   *
   * @throws ShellSyntaxError before anything runs
   */
  runScript(text: string, name: string, watcher?: ScriptWatcher): number {
    return this.run(parseScript(text, name), watcher);
  }

  /** Runs a script that has been parsed. Returns its exit status. */
  run(script: Script, watcher?: ScriptWatcher): number {
    return atOnce(this.scriptSlices(script, watcher));
  }

  /** Runs one input of a prompt. @throws ShellSyntaxError; `incomplete` where more lines would help. */
  runLine(text: string, onExit: (status: number) => void): number {
    return atOnce(this.lineSlices(text, onExit));
  }

  /** As {@linkcode run}, slice by slice. */
  *scriptSlices(script: Script, watcher?: ScriptWatcher): Slices {
    const input = this.journal.input("script", script.name, this.shell);
    return yield* this.#perform(input, () => this.#enter(input, script.body.items, { watcher, script }));
  }

  /** As {@linkcode runLine}, slice by slice. */
  *lineSlices(text: string, onExit: (status: number) => void): Slices {
    const { name, body } = parseScript(text, "rtkvm", { interactive: true });
    const input = this.journal.input("line", name, this.shell);
    return yield* this.#perform(input, () => this.#enter(input, body.items), onExit);
  }

  /** Ctrl-C: ends the command of the foreground at the end of the slice; with none there, nothing. */
  interrupt(): void {
    this.#interrupted = this.#inputs > 0;
  }

  /** The same once the engine has come to `event`. */
  interruptAt(event: number): void {
    this.#interruptsAt.push({ boots: this.journal.boots, event, timeNs: Infinity });
  }

  /** Whether an interrupt is to be seen to before another event. */
  get interruptIsDue(): boolean {
    const [next] = this.#interruptsAt;
    const { engine } = this.#lab;
    return this.#interrupted || (next !== undefined && next.boots === this.journal.boots &&
      (next.event <= engine.event || next.timeNs <= engine.nowNs));
  }

  /** Lets the engine go on by a slice, at most to `untilNs` and until a task has ended; false: nothing is due. */
  advance(untilNs = Infinity): boolean {
    const { engine } = this.#lab;
    const { nextNs } = engine;
    if (nextNs > Math.min(untilNs, Number.MAX_SAFE_INTEGER)) return false;
    if (this.#interruptsAt.length > 0) return engine.step();
    engine.run(Math.min(untilNs, nextNs + SLICE_NS));
    return true;
  }

  /**
   * Gives it, input by input, what the session had been given whose run it repeats.
   *
   * @throws RepetitionError where it comes to a command at another event than that session did, on the same system
   */
  repeat(): void {
    const { journal, system } = this.options.repeats!;
    const { journal: own, shell } = this;
    for (const { kind, name, items, interrupts } of journal.inputs) {
      const input = own.input(kind, name, shell);
      const last = journal.boots;
      const check = (at: number) => {
        const { item, event } = items[at]!;
        if (system !== undefined || own.boots !== last || event === this.#lab.engine.event) return;
        throw new RepetitionError(
          `${name}: "${item.text}" was come to at event ${event}, and in the re-run at ${this.#lab.engine.event}: ` +
            "something else than the shell has let time pass",
        );
      };
      try {
        // On another system other events happen: there the time decides.
        this.#interruptsAt = interrupts.map((each) =>
          system === undefined ? { ...each, timeNs: Infinity } : { ...each, event: Infinity }
        );
        atOnce(this.#perform(input, () => this.#enter(input, items.map(({ item }) => item), { check })));
      } catch (error) {
        // At a prompt it ends the line: the next one goes on.
        if (!(error instanceof DeadlockError) || kind === "script") throw error;
      }
    }
  }

  /** What `explain` said at this place of the run that is repeated, if it had; undefined: this run repeats none. */
  recalled(): Answer | undefined {
    const { repeats } = this.options;
    return repeats && (repeats.journal.answers[this.#recalled++] ?? { out: "", err: "", status: 0 });
  }

  /** Runs the commands of an input's top level, each entered in the journal as it is come to. */
  *#enter(
    input: JournalInput,
    items: readonly ListItem[],
    told: { watcher?: ScriptWatcher | undefined; script?: Script; check?: (at: number) => void } = {},
  ): Coroutine {
    const { shell, journal } = this;
    let status = 0;
    for (const [at, item] of items.entries()) {
      told.check?.(at);
      const { boots } = journal;
      input.items.push({ item, event: this.#lab.engine.event });
      told.watcher?.before(item, told.script!);
      status = yield* runList(shell, { items: [item] });
      if (journal.boots === boots + 1 && isPlainBoot(item) && shell.descriptors.onlyTerminal) {
        journal.begin(this.#lab.options, shell);
        input = journal.input(input.kind, input.name, shell);
      }
      told.watcher?.after(item, status);
    }
    return status;
  }

  *#perform(input: JournalInput, run: () => Coroutine, onExit: (status: number) => void = () => {}): Slices {
    const { shell, jobs } = this;
    this.#inputs++;
    try {
      if (input.kind === "line") return yield* this.#drive(startInteractive(shell, input.name, run, onExit));
      return yield* this.#drive(jobs.start(input.name, this.#host, (job) => {
        job.pid = shell.pid;
        attach(shell, job);
        return runToExit(shell, run);
      }));
    } finally {
      this.#inputs--;
      this.#interrupted = false;
    }
  }

  get #host(): Machine {
    return this.#lab.computer("host") as unknown as Machine;
  }

  #build(options: ConstructorParameters<typeof Lab>[0]): Lab {
    const { repeats } = this.options;
    const isLast = repeats !== undefined && this.#boots === repeats.journal.boots;
    const lab = new Lab(
      isLast && repeats.system !== undefined ? { ...options, system: repeats.system } : options,
    );
    lab.onProgress = (name, fraction) => this.onProgress(name, fraction);
    if (isLast) repeats.prepare(lab);
    // What the slides call vcpu[i]: descriptors that a typed ioctl takes.
    lab.onGuest = (guest) => {
      const array = this.shell.array("vcpu");
      array.clear();
      for (const [i, fd] of lab.calls.publish(guest.machine).entries()) array.set(String(i), String(fd));
    };
    const folder = this.#folder;
    if (folder !== undefined) {
      lab.computer("host")!.vfs.mount(folder.path, scriptDirectory(folder), READ_ONLY);
    }
    return lab;
  }

  *#drive(job: Job): Slices {
    for (;;) {
      this.jobs.pump();
      if (job.status !== undefined) return job.status;
      if (this.interruptIsDue) {
        this.#takeInterrupt(job);
        continue;
      }
      if (!this.jobs.isPaused && !this.advance() && !this.jobs.isRunnable) {
        throw new DeadlockError(`${job.name} waits, and nothing in the simulation is due`);
      }
      yield;
    }
  }

  #takeInterrupt(job: Job): void {
    if (this.#interrupted) this.#interrupted = false;
    else this.#interruptsAt.shift();
    const { journal, lab: { engine: { event, nowNs: timeNs } } } = this;
    journal.inputs.at(-1)!.interrupts.push({ boots: journal.boots, event, timeNs });
    this.jobs.interrupt(job);
  }
}

/** Runs all slices without a pause. */
export function atOnce<T>(slices: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = slices.next();
    if (done) return value;
  }
}
