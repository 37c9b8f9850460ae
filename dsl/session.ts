/**
 * A session: one shell and its jobs, and the laboratory that they drive.
 *
 * The interpreter never advances time; this does. It resumes the coroutines of the shell, and whenever none can go on
 * it lets the engine run until one of their tasks has ended.
 *
 * @module
 */

import { defaultProfile, type LabProfile, profileWith } from "../runtime/lab/defaults.ts";
import { Lab } from "../runtime/lab/lab.ts";
import type { ProfileText } from "../runtime/lab/profile.ts";
import { READ_ONLY, scriptDirectory, type ScriptFolder } from "../runtime/lab/script_folder.ts";
import { type SystemRow, SYSTEMS } from "../runtime/lab/systems.ts";
import { KERNEL_NAMES } from "../runtime/lab/kernels.ts";
import type { ListItem, Script } from "./ast.ts";
import type { Command } from "./commands/command.ts";
import { attach, runList, startInteractive } from "./interpret.ts";
import { DeadlockError, type Job, JobScheduler } from "./jobs.ts";
import { parseScript } from "./parse.ts";
import type { Environment, Io, Machine } from "./ports.ts";
import { slideHook } from "./slide_mode.ts";
import { Shell } from "./state.ts";
import { runToExit } from "./subshell.ts";

/** What a session starts with; `boot` changes it. */
export interface SessionOptions {
  /** Where text goes. */
  readonly io: Io;
  /** System of the first laboratory; `rfc-v2` where absent. */
  readonly system?: SystemRow;
  /** Kernel that vm0 runs; `linux-3.4.0` where absent. */
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
}

/** What `boot` may say. */
export interface BootRequest {
  readonly system?: SystemRow;
  readonly kernel?: string;
  readonly seed?: number;
  readonly profile?: LabProfile;
}

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
  /** The same of what sysbench has measured. */
  readonly earlierComputed: Lab["computed"] = [];
  readonly #profile: LabProfile;
  readonly #folder: ScriptFolder | undefined;
  #lab: Lab;

  /** @throws ProfileError where a profile does not fit */
  constructor(options: SessionOptions) {
    this.io = options.io;
    this.#folder = options.folder;
    this.#profile = options.profiles === undefined ? defaultProfile() : profileWith(options.profiles);
    this.#lab = this.#build({
      system: options.system ?? SYSTEMS.find(({ name }) => name === "rfc-v2")!,
      kernel: options.kernel ?? KERNEL_NAMES[1]!,
      seed: options.seed ?? 1,
      profile: this.#profile,
    });
    const words = new Map<string, Command>();
    const environment: Environment = {
      io: options.io,
      machines: (name) => this.#lab.computer(name) as Machine | undefined,
      constants: this.#lab.constants,
      words,
      slide: slideHook(this),
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
  }

  /** The laboratory as it is now. */
  get lab(): Lab {
    return this.#lab;
  }

  /** What all laboratories of the session have measured. */
  get results(): Lab["results"] {
    return [...this.earlierResults, ...this.#lab.results];
  }

  /** How long computing took in all laboratories of the session. */
  get computed(): Lab["computed"] {
    return [...this.earlierComputed, ...this.#lab.computed];
  }

  /** Replaces the laboratory by a fresh one; what is not said stays as it was. Background jobs end. */
  boot(request: BootRequest): Lab {
    const { system, kernel, seed, profile } = this.#lab.options;
    this.earlierResults.push(...this.#lab.results);
    this.earlierComputed.push(...this.#lab.computed);
    this.jobs.abandonOthers();
    this.#lab = this.#build({
      system: request.system ?? system,
      kernel: request.kernel ?? kernel,
      seed: request.seed ?? seed,
      profile: request.profile ?? profile,
    });
    this.shell.machine = this.#host;
    this.#lab.computer("host")!.adoptShell(this.shell.pid);
    return this.#lab;
  }

  /**
   * Runs a whole script. Returns its exit status.
   *
   * @throws ShellSyntaxError before anything runs
   */
  runScript(text: string, name: string, watcher?: ScriptWatcher): number {
    const script = parseScript(text, name);
    const { shell } = this;
    return this.#drive(this.jobs.start(name, this.#host, (job) => {
      job.pid = shell.pid;
      attach(shell, job);
      return runToExit(shell, function* () {
        if (watcher === undefined) return yield* runList(shell, script.body);
        let status = 0;
        for (const item of script.body.items) {
          watcher.before(item, script);
          status = yield* runList(shell, { items: [item] });
          watcher.after(item, status);
        }
        return status;
      });
    }));
  }

  /** Runs one input of a prompt. @throws ShellSyntaxError; `incomplete` where more lines would help. */
  runLine(text: string, onExit: (status: number) => void): number {
    const script = parseScript(text, "rtkvm", { interactive: true });
    return this.#drive(startInteractive(this.shell, script, onExit));
  }

  get #host(): Machine {
    return this.#lab.computer("host") as unknown as Machine;
  }

  #build(options: ConstructorParameters<typeof Lab>[0]): Lab {
    const lab = new Lab(options);
    lab.onProgress = (name, fraction) => this.onProgress(name, fraction);
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

  #drive(job: Job): number {
    for (;;) {
      this.jobs.pump();
      if (job.status !== undefined) return job.status;
      if (!this.#lab.engine.run(Infinity) && !this.jobs.isRunnable) {
        throw new DeadlockError(`${job.name} waits, and nothing in the simulation is due`);
      }
    }
  }
}
