/**
 * The laboratory for programs and tests: boots a machine, runs scripts on it, tells what came out.
 *
 * @module
 */

import { eraNamed, eraRefusal, ERAS } from "../runtime/lab/eras.ts";
import { KERNEL_NAMES } from "../runtime/lab/kernels.ts";
import { SYSTEMS as ROWS } from "../runtime/lab/systems.ts";
import { exitsByName, totalExits } from "../runtime/lab/views/exits.ts";
import { Session } from "./session.ts";
import { unknownName } from "./unknown_name.ts";
import { laboratoryWords } from "./words/index.ts";

/** A system that can be booted. */
export interface SystemInfo {
  /** As `boot` takes it. */
  readonly name: string;
  /** What it is, in a line. */
  readonly title: string;
}

/** The systems, in the order in which tables list them. */
export const SYSTEMS: readonly SystemInfo[] = ROWS.map(({ name, title }) => ({ name, title }));

/** The kernels that a machine can boot, by name. */
export const KERNELS: readonly string[] = KERNEL_NAMES;

/** What a laboratory is booted with. */
export interface LabOptions {
  /** The talk's time, `2012`, or `today`; `2012` where absent. */
  readonly era?: "2012" | "today";
  /** Name of one of {@linkcode SYSTEMS}; `rfc-v2` where absent, `kvm` today. */
  readonly system?: string;
  /** Name of one of {@linkcode KERNELS}, for vm0; `linux-3.4.0` where absent, `linux-6.18.0` today. */
  readonly kernel?: string;
  /** What all randomness is derived from, an integer; 1 where absent. */
  readonly seed?: number;
  /** Takes only what a real kernel takes, not what slides print. */
  readonly strict?: boolean;
  /** Parameter profiles as YAML text, on top of the default ones; `file` is what errors call them. */
  readonly profiles?: readonly { readonly file: string; readonly text: string }[];
}

/** What a script has written, and how it ended. */
export interface ShellResult {
  /** The exit status. */
  readonly status: number;
  /** What it wrote to descriptor 1. */
  readonly stdout: string;
  /** What it wrote to descriptor 2. */
  readonly stderr: string;
}

/** A script ended with a status other than 0. The message has the status and what was written to descriptor 2. */
export class ShellFailure extends Error implements ShellResult {
  /** `ShellFailure`. */
  override readonly name = "ShellFailure";
  /** The exit status. */
  readonly status: number;
  /** What it wrote to descriptor 1. */
  readonly stdout: string;
  /** What it wrote to descriptor 2; messages say in which line. */
  readonly stderr: string;

  /** Of a script that has ended. */
  constructor({ status, stdout, stderr }: ShellResult) {
    super(`The script ended with status ${status}${stderr === "" ? "" : `:\n${stderr.trimEnd()}`}`);
    this.status = status;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** A script that is being run: `await` it; it throws {@linkcode ShellFailure} where its status is not 0. */
export class ShellRun implements PromiseLike<ShellResult> {
  readonly #result: Promise<ShellResult>;

  /** Of a script whose result is `result`. */
  constructor(result: Promise<ShellResult>) {
    this.#result = result;
  }

  /** The result whatever its status is. A script that does not parse throws all the same. */
  nothrow(): Promise<ShellResult> {
    return this.#result;
  }

  /** What `await` calls. */
  then<A = ShellResult, B = never>(
    fulfilled?: ((result: ShellResult) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then((result) => {
      if (result.status !== 0) throw new ShellFailure(result);
      return result;
    }).then(fulfilled, rejected);
  }
}

/** VM exits of vm0. */
export interface ExitCounts {
  /** Of all reasons. */
  readonly total: number;
  /** By the names of `kvm_stat`, those that happened. */
  readonly byReason: Readonly<Record<string, number>>;
}

/** What a run of cyclictest has measured. Latencies are of its first thread, in µs; a value without samples is undefined. */
export interface Measurement {
  /** The system's name. */
  readonly system: string;
  /** The kernel it ran on. */
  readonly kernel: string;
  /** The machine's seed. */
  readonly seed: number;
  /** Samples. */
  readonly count: number;
  /** Smallest latency, whole µs. */
  readonly minUs: number | undefined;
  /** Average, cut to whole µs as cyclictest does. */
  readonly avgUs: number | undefined;
  /** Largest latency, whole µs. */
  readonly maxUs: number | undefined;
  /** Mean, exact. */
  readonly meanUs: number | undefined;
  /** Samples by whole µs. */
  readonly histogram: ReadonlyMap<number, number>;
  /** Exits of vm0 while it ran. */
  readonly exits: ExitCounts;
  /** Events of the engine while it ran. */
  readonly events: number;
  /** State hash at its end. */
  readonly hash: string;
}

/**
 * A laboratory: a machine with its software, and a shell on it.
 *
 * ```ts
 * import { Lab } from "@rtkvm/rtkvm";
 *
 * await using lab = await Lab.boot({ system: "bare-metal", seed: 1 });
 * await lab.sh`cyclictest -n -q -l ${100}`;
 * console.log(lab.results[0]?.avgUs);
 * ```
 */
export class Lab {
  readonly #session: Session;
  #stdout = "";
  #stderr = "";

  private constructor(options: LabOptions) {
    const era = eraNamed(options.era ?? "2012");
    if (era === undefined) {
      throw new RangeError(unknownName("era", options.era!, ERAS.map(({ name }) => name)));
    }
    const { system = era.system, kernel, seed, strict, profiles } = options;
    const row = ROWS.find(({ name }) => name === system);
    if (row === undefined) throw new RangeError(unknownName("system", system, ROWS.map(({ name }) => name)));
    if (kernel !== undefined && !KERNELS.includes(kernel)) {
      throw new RangeError(unknownName("kernel", kernel, KERNELS));
    }
    if (seed !== undefined && (!Number.isSafeInteger(seed) || seed < 0)) {
      throw new RangeError(`Cannot boot with seed ${seed}: expected an integer, not negative`);
    }
    const refused = eraRefusal(era, row, kernel ?? era.kernel);
    if (refused !== undefined) throw new RangeError(`Cannot boot ${refused}`);
    this.#session = new Session({
      era,
      io: { out: (text) => void (this.#stdout += text), err: (text) => void (this.#stderr += text) },
      system: row,
      ...(kernel === undefined ? {} : { kernel }),
      ...(seed === undefined ? {} : { seed }),
      ...(strict === undefined ? {} : { strict }),
      ...(profiles === undefined ? {} : { profiles }),
      words: laboratoryWords,
    });
  }

  /**
   * Boots a machine. Takes 100 ms of its time.
   *
   * @throws RangeError for an unknown system or kernel, a seed that is none, or a profile that does not fit
   */
  static boot(options: LabOptions = {}): Promise<Lab> {
    return new Promise((resolve) => resolve(new Lab(options)));
  }

  /**
   * Runs a script. Values that stand among its text become one word each, quoted; a template that is nothing but one
   * value is a script given as text.
   */
  sh(strings: TemplateStringsArray, ...values: readonly (string | number)[]): ShellRun {
    const isScript = values.length === 1 && strings.every((text) => text.trim() === "");
    const text = isScript
      ? String(values[0])
      : strings.map((part, i) => i < values.length ? part + quote(String(values[i])) : part).join("");
    return this.run(text);
  }

  /** Runs a script given as text. `name` is what messages call it. */
  run(text: string, name = "lab"): ShellRun {
    return new ShellRun(
      new Promise((resolve) => {
        this.#stdout = this.#stderr = "";
        const status = this.#session.runScript(text, name);
        resolve({ status, stdout: this.#stdout, stderr: this.#stderr });
      }),
    );
  }

  /** Virtual time, ns. */
  get timeNs(): number {
    return this.#session.lab.engine.nowNs;
  }

  /** Number of the last event. */
  get event(): number {
    return this.#session.lab.engine.event;
  }

  /** Counters since the machine was booted. */
  get stats(): { readonly exits: ExitCounts } {
    return { exits: exitCounts(this.#session.lab.exits()) };
  }

  /** What has been measured, oldest first. */
  get results(): readonly Measurement[] {
    return this.#session.results.flatMap(({ cyclictest, exits, ...rest }) => {
      const histogram = cyclictest.threads[0]?.histogram;
      if (histogram === undefined) return [];
      const { count, minUs, avgUs, maxUs, meanUs } = histogram;
      return [{
        ...{
          system: rest.system,
          kernel: rest.kernel,
          seed: rest.seed,
          events: rest.events,
          hash: rest.hash,
        },
        ...{ count, minUs, avgUs, maxUs, meanUs },
        histogram: new Map(histogram.entries()),
        exits: exitCounts(exits),
      }];
    });
  }

  /** The hash of the whole state, 16 hex digits: equal for equal (version, script, seed, profile). */
  get stateHash(): string {
    return this.#session.lab.engine.stateHash();
  }

  /** The hash of the parameters in use, 16 hex digits. */
  get profileHash(): string {
    return this.#session.lab.options.profile.hash;
  }

  /** For `await using`; there is nothing to release. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function exitCounts(exits: readonly number[]): ExitCounts {
  return { total: totalExits(exits), byReason: Object.fromEntries(exitsByName(exits)) };
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
