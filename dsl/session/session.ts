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
import { young } from "../../hw/sim/young.ts";
import { defaultProfile, type LabProfile, profileWith } from "../../runtime/lab/defaults.ts";
import type { DeviceModel } from "../../runtime/lab/devices.ts";
import { Lab } from "../../runtime/lab/lab.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import { mountScripts, pathIn, type ScriptFolder } from "../../runtime/lab/script_folder.ts";
import { type Era, ERA_2012, eraNamed, ERAS, eraSystem } from "../../runtime/lab/eras.ts";
import { Invariants, type Violation, violationText } from "../../runtime/lab/invariants.ts";
import type { SystemRow } from "../../runtime/lab/systems.ts";
import type { Script } from "../syntax/ast.ts";
import { bootOptions, type BootRequest } from "./boot_request.ts";
import { Clock } from "./clock.ts";
import type { FilePort } from "../host/host_port.ts";
import { Foreground, type ScriptWatcher } from "./foreground.ts";
import type { Command } from "../commands/command.ts";
import { attach, interpreter } from "../shell/interpret.ts";
import { type Coroutine, DeadlockError, type Job, JobScheduler } from "../shell/jobs.ts";
import { type Answer, type Instant, Journal, type JournalInput, type Position } from "./journal.ts";
import { parseScript } from "../syntax/parse.ts";
import type { Environment, Io, Machine } from "../shell/ports.ts";
import { Repeat, type Repetition } from "./repeat.ts";
import { atOnce, type Slices } from "./slices.ts";
import { slideHook } from "./slide_mode.ts";
import { startInteractive } from "../shell/start.ts";
import { copyOf, Shell } from "../shell/state.ts";
import { Stops } from "./stops.ts";
import { runToExit } from "../shell/subshell.ts";
import { Timeline } from "./timeline.ts";
import { Tracing } from "./tracing.ts";

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
  /** Files of the computer, for `save` and `load`; absent: there are none. */
  readonly files?: FilePort;
  /** Devices that every laboratory's machine has beside its own. */
  readonly devices?: readonly DeviceModel[];
  /** Words of the laboratory. */
  readonly words: (session: Session) => readonly Command[];
  /** Another session's run is to be repeated: by {@linkcode Session.again}. */
  readonly repeats?: Repetition;
}

/** What is said where nobody listens. */
const UNKNOWN: Answer = { out: "", err: "", status: 0 };

/** A laboratory with its clock. Sessions share one where one of them has gone on with another's run. */
interface World {
  lab: Lab;
  readonly clock: Clock;
  /** Where its boot ended: nothing lies before it. */
  first: Instant;
  /** Shells to which a started guest publishes its `vcpu[]`. */
  readonly shells: Set<Shell>;
}

/** A shell with its laboratory. */
export class Session {
  /** The shell that takes what is typed. */
  shell: Shell;
  /** Its jobs. */
  readonly jobs: JobScheduler = new JobScheduler();
  /** Where text goes. */
  readonly io: Io;
  /** Told how far a long run has come. */
  onProgress: (name: string, fraction: number) => void = young(() => {});
  /** Told that another laboratory has taken the place of the present one: a fresh one, or one at another instant. */
  onLab: (how: "boot" | "travel") => void = young(() => {});
  /** Results of laboratories that `boot` has replaced, oldest first. */
  readonly earlierResults: Lab["results"] = [];
  /** Their results of iperf and ping. */
  readonly earlierTraffic: Lab["traffic"] = [];
  /** The same of what sysbench has measured. */
  readonly earlierComputed: Lab["computed"] = [];
  /** What `set -o check` has found, oldest first. */
  readonly violations: Violation[] = [];
  /** Ends the watch over the invariants; `null`: there is none. */
  #unwatch: (() => void) | null = null;
  /** What it has been given. */
  journal: Journal = new Journal();
  /** Where the user has been, and how he comes there again. */
  readonly timeline: Timeline = new Timeline(this);
  /** What is printed of it while time goes on. */
  readonly tracing: Tracing = new Tracing(this);
  /** Where time stands still. */
  readonly stops: Stops = new Stops();
  /** The run that it repeats; undefined: none. */
  readonly again: Repeat | undefined;
  /** Another session has gone on with its run. */
  isAdopted = false;
  /** What its first laboratory had, unless it repeats another one's run. */
  readonly profile: LabProfile;
  /** Scripts that every laboratory's host finds in its tree. */
  folder: ScriptFolder | undefined;
  #world: World;
  /** Inputs that are being performed. */
  #inputs = 0;
  /** Ctrl-C has come and has not been seen to. */
  #interrupted = false;
  /** It has ended what an input began. */
  #wasInterrupted = false;
  /** Events at which it is to come. */
  readonly #interruptsAt: number[] = [];
  /** Enters in the journal what is given. */
  readonly #foreground: Foreground = new Foreground(this);

  /** @throws ProfileError where a profile does not fit */
  constructor(readonly options: SessionOptions) {
    const { repeats } = options;
    const start = repeats?.journal.start;
    this.again = repeats && new Repeat(this, repeats);
    this.io = options.io;
    this.folder = options.folder;
    this.profile = options.profiles === undefined ? defaultProfile() : profileWith(options.profiles);
    const clock = new Clock(() => this.#world.lab.engine);
    this.#world = { lab: undefined!, clock, first: { event: 0, timeNs: 0 }, shells: new Set() };
    const { era = ERA_2012 } = options;
    this.#build(
      start?.boot ?? {
        era,
        system: options.system ?? eraSystem(era),
        kernel: options.kernel ?? era.kernel,
        seed: options.seed ?? 1,
        profile: this.profile,
        append: "",
        mutant: null,
      },
    );
    const words = new Map<string, Command>();
    const environment: Environment = {
      io: options.io,
      interpreter,
      machines: (name) => this.lab.computer(name) as Machine | undefined,
      constants: this.lab.constants,
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
      ...(start?.isFirst === false ? { pid: start.shell.pid } : {}),
    });
    if (this.folder !== undefined) {
      this.shell.set("PWD", this.shell.cwd = this.folder.path);
      this.shell.scriptPath = pathIn(this.folder, options.name ?? "");
    }
    for (const word of options.words(this)) words.set(word.name, word);
    this.#world.shells.add(this.shell);
    if (start) {
      this.shell.become(start.shell);
      this.journal.start = start;
      if (!start.isFirst) this.lab.computer("host")!.adoptShell(this.shell.pid);
    }
  }

  /** The laboratory as it is now. */
  get lab(): Lab {
    return this.#world.lab;
  }

  /** Lets its time go on. */
  get clock(): Clock {
    return this.#world.clock;
  }

  /** The last event of the laboratory's boot. */
  get firstEvent(): number {
    return this.#world.first.event;
  }

  /** Where its boot ended. */
  get start(): Instant {
    return this.#world.first;
  }

  /** Where the laboratory stands. */
  get now(): Instant {
    const { event, nowNs } = this.lab.engine;
    return { event, timeNs: nowNs };
  }

  /** Where the session stands. */
  get position(): Position {
    return { ...this.now, given: this.journal.given };
  }

  /** What all laboratories of the session have measured. */
  get results(): Lab["results"] {
    return [...this.earlierResults, ...this.lab.results];
  }

  /** What iperf and ping have measured on them. */
  get traffic(): Lab["traffic"] {
    return [...this.earlierTraffic, ...this.lab.traffic];
  }

  /** How long computing took in all laboratories of the session. */
  get computed(): Lab["computed"] {
    return [...this.earlierComputed, ...this.lab.computed];
  }

  /** What `request` boots: what is not said stays as it is; in another era, as that has it. */
  bootOptions(request: BootRequest): Required<BootRequest> {
    return bootOptions(this.lab.options, request);
  }

  /** `set -o check`: the invariants of interrupt delivery are watched, on this machine and on those that follow. */
  #setCheck(on: boolean): undefined {
    this.#unwatch?.();
    this.#unwatch = on ? this.#watch() : null;
  }

  #watch(): () => void {
    const watch = new Invariants(this.lab), { engine } = this.lab;
    watch.onViolation = young((violation) => {
      this.violations.push(violation);
      this.io.err(`check: ${violationText(violation)}\n`);
    });
    engine.recordTo(watch, true);
    return () => engine.recordTo(watch, false);
  }

  /** `set -o era=NAME`: a fresh machine of that era. A text says why not. */
  #setEra(value: string | boolean, shell: Shell): string | undefined {
    const era = typeof value === "string" ? eraNamed(value) : undefined;
    if (era === undefined) return `expected ${ERAS.map(({ name }) => `era=${name}`).join(" or ")}`;
    const { options } = this.lab;
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
    this.earlierResults.push(...this.lab.results);
    this.earlierTraffic.push(...this.lab.traffic);
    this.earlierComputed.push(...this.lab.computed);
    this.jobs.abandonOthers(this.again?.job);
    this.timeline.forget();
    this.journal.boots++;
    const lab = this.#build(whole);
    if (this.#unwatch !== null) this.#unwatch = this.#watch();
    this.tracing.follow("boot");
    this.onLab("boot");
    this.shell.machine = this.#host;
    lab.computer("host")!.adoptShell(this.shell.pid);
    if (this.#inputs === 0 && this.again === undefined) this.journal.begin(lab.options, this.shell);
    return lab;
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
    const { name, body } = script;
    const told = watcher && { watcher, script };
    return yield* this.#perform(
      "script",
      name,
      () => this.#foreground.enter("script", name, body.items, told),
    );
  }

  /** As {@linkcode runLine}, slice by slice. */
  *lineSlices(text: string, onExit: (status: number) => void): Slices {
    const { name, body } = parseScript(text, "rtkvm", { interactive: true });
    return yield* this.#perform("line", name, () => this.#foreground.enter("line", name, body.items), onExit);
  }

  /** Ctrl-C: ends the command of the foreground at the end of the slice; with none there, nothing. */
  interrupt(): void {
    this.#interrupted = this.#inputs > 0;
  }

  /** The same once the engine has come to `event`. */
  interruptAt(event: number): void {
    this.#interruptsAt.push(event);
  }

  /** Starts the job that performs an input as `run` says. */
  inputJob(
    kind: JournalInput["kind"],
    name: string,
    run: () => Coroutine,
    onExit: (status: number) => void = () => {},
  ): Job {
    const { shell, jobs } = this;
    if (kind === "line") return startInteractive(shell, name, run, onExit);
    return jobs.start(name, this.#host, (job) => {
      job.pid = shell.pid;
      attach(shell, job);
      return runToExit(shell, run);
    });
  }

  /** Another shell takes what is typed from now on: one that is what `state` is. What ran goes on as time does. */
  leave(state: Shell): void {
    this.shell = this.shell.successor(state);
    this.#world.shells.add(this.shell);
  }

  /** Goes on with the run of `other`, which has repeated this one's up to some instant. The shell stays as it is. */
  adopt(other: Session): void {
    const { shell } = this;
    other.isAdopted = true;
    this.jobs.abandonOthers();
    this.jobs.join(other.jobs);
    this.#world = other.#world;
    this.#world.shells.add(shell);
    this.journal = other.journal;
    this.folder = other.folder;
    shell.machine = this.#host;
    shell.children = [...other.shell.children];
    shell.lastBackground = other.shell.lastBackground;
    other.onProgress = young((name, fraction) => this.onProgress(name, fraction));
    other.#setCheck(false);
    this.#setCheck(this.#unwatch !== null);
    this.tracing.follow("travel");
    this.onLab("travel");
    if (!this.#foreground.wentBack()) return;
    // The rest of the command that goes back is no part of the run that it leads to.
    other.again!.freeze();
    this.timeline.branch(true);
    this.timeline.isElsewhere = true;
  }

  /** A session of its own that repeats this one's run. */
  repeating(repeats: Repetition, io: Io = { out() {}, err() {} }, folder = this.folder): Session {
    const { folder: _, ...options } = this.options;
    return new Session({ ...options, io, repeats, ...(folder && { folder }) });
  }

  /**
   * What a word that looks says. Where it is part of what a run that is repeated was given, it says the same again: the
   * answer may need runs of its own.
   */
  answer(shell: Shell, ask: () => Answer): Answer {
    const { again } = this;
    if (again === undefined && shell === this.shell && this.#foreground.does !== "given") return ask();
    const known = again?.recalled();
    // A run that is repeated to be looked at has come to where that was asked for which it is repeated.
    if (known === undefined && again !== undefined && !this.isAdopted) return UNKNOWN;
    const answer = known ?? ask();
    this.journal.answers.push(answer);
    return answer;
  }

  *#perform(
    kind: JournalInput["kind"],
    name: string,
    run: () => Coroutine,
    onExit?: (status: number) => void,
  ): Slices {
    this.#inputs++;
    try {
      return yield* this.drive(this.inputJob(kind, name, run, onExit), kind === "line");
    } catch (error) {
      if (error instanceof DeadlockError) this.#leaveForeground();
      throw error;
    } finally {
      this.#inputs--;
      this.#interrupted = false;
      if (this.#wasInterrupted) this.stops.stopped(this.now, "^C");
      this.#wasInterrupted = false;
      this.tracing.flush();
    }
  }

  /** The command of the foreground goes on as time does; the prompt is another shell's, which is as that one is. */
  #leaveForeground(): void {
    this.#foreground.leave();
    this.journal.cut(this.now, this.shell);
    this.leave(copyOf(this.shell));
  }

  get #host(): Machine {
    return this.lab.computer("host") as unknown as Machine;
  }

  #build(options: ConstructorParameters<typeof Lab>[0]): Lab {
    const world = this.#world;
    const lab = world.lab = this.again?.build(options, this.journal.boots) ??
      new Lab(options, this.options.devices);
    world.first = this.now;
    lab.onProgress = young((name, fraction) => this.onProgress(name, fraction));
    this.again?.prepare(lab, this.journal.boots);
    // What the slides call vcpu[i]: descriptors that a typed ioctl takes.
    lab.onGuest = young((guest) => {
      const descriptors = lab.calls.publish(guest.machine);
      for (const shell of world.shells) {
        const array = shell.array("vcpu");
        array.clear();
        for (const [i, fd] of descriptors.entries()) array.set(String(i), String(fd));
      }
    });
    if (this.folder !== undefined) mountScripts(this.folder, lab.computer("host")!.vfs);
    return lab;
  }

  /**
   * Resumes what can go on, and otherwise lets time go on, until `job` has ended. Answers its status. `mayLeave`: a stop ends
   * it too, and leaves the job where it is.
   *
   * @throws DeadlockError if it waits for what will never happen
   */
  *drive(job: Job, mayLeave = false): Slices {
    const guard = mayLeave ? this.stops.guard(this, () => this.#foreground.does === "given") : undefined;
    try {
      for (;;) {
        this.jobs.pump();
        if (job.status !== undefined) return job.status;
        if (guard?.stop !== undefined) {
          this.#leaveForeground();
          this.io.out(`${guard.stop}\n`);
          return 0;
        }
        const [interruptAt = Infinity] = this.#interruptsAt;
        if (this.#interrupted || this.lab.engine.event >= interruptAt) {
          this.#takeInterrupt(job);
          continue;
        }
        if (!this.clock.advance(interruptAt) && !this.jobs.isRunnable) {
          throw new DeadlockError(`${job.name} waits, and nothing in the simulation is due`);
        }
        yield;
      }
    } finally {
      guard?.end();
    }
  }

  #takeInterrupt(job: Job): void {
    if (this.#interrupted) this.#interrupted = false;
    else this.#interruptsAt.shift();
    this.#foreground.interrupted();
    this.jobs.interrupt(job);
    this.#wasInterrupted = true;
  }
}
