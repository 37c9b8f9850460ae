/**
 * A session on a laboratory, as the command line makes one, with what it writes kept: for tests of whole scripts.
 *
 * @module
 */

import type { HostPort } from "../dsl/host/host_port.ts";
import { Session } from "../dsl/session/session.ts";
import { laboratoryWords } from "../dsl/words/index.ts";
import { TraceLog, type TraceRecord } from "../hw/sim/trace.ts";
import { defaultProfile } from "../runtime/lab/defaults.ts";
import type { DeviceModel } from "../runtime/lab/devices.ts";
import type { LabResult } from "../runtime/lab/lab.ts";
import type { ParameterChange } from "../runtime/lab/profile.ts";
import { systemNamed } from "../runtime/lab/systems.ts";
import { exitsByName } from "../runtime/lab/views/exits.ts";
import type { Histogram } from "../runtime/measure/histogram.ts";

/** The scripts of a folder of `examples/`, by path; not those of its own folders. */
function scriptsOf(folder: string): Readonly<Record<string, string>> {
  const url = new URL(`../${folder}/`, import.meta.url);
  return Object.fromEntries(
    [...Deno.readDirSync(url)].filter(({ isFile }) => isFile).map(({ name }) => [
      `${folder}/${name}`,
      Deno.readTextFileSync(new URL(name, url)),
    ]),
  );
}

/** The scripts of `examples/`, by path. */
export const EXAMPLES: Readonly<Record<string, string>> = scriptsOf("examples");

/** Those of `examples/setup/`. */
export const SETUP_SCRIPTS: Readonly<Record<string, string>> = scriptsOf("examples/setup");

/** What a session is made with; a name that is absent: `rfc-v2`, `linux-3.4.0`, seed 1. */
export interface RigOptions {
  readonly system?: string;
  readonly kernel?: string;
  readonly seed?: number;
  readonly strict?: boolean;
  /** Parameters other than the default ones, by key path. */
  readonly changes?: Readonly<Record<string, ParameterChange>>;
  /** Devices beside the machine's own. */
  readonly devices?: readonly DeviceModel[];
}

/** What a script wrote, and how it ended. */
export interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** A session whose scripts lie in `/root/examples`, beside those of the project. */
export class SessionRig {
  readonly session: Session;
  /** Files of the computer around it. */
  readonly files = new Map<string, string>();
  #out = "";
  #err = "";

  constructor(
    { system = "rfc-v2", kernel = "linux-3.4.0", seed = 1, strict = false, changes, devices }: RigOptions =
      {},
  ) {
    this.session = new Session({
      io: { out: (text) => void (this.#out += text), err: (text) => void (this.#err += text) },
      system: systemNamed(system)!,
      kernel,
      seed,
      strict,
      ...(devices && { devices }),
      name: "x.rtk",
      folder: {
        path: "/root/examples",
        files: new Map(
          Object.entries({ ...EXAMPLES, ...SETUP_SCRIPTS }).map(([path, text]) => [
            path.slice("examples/".length),
            text,
          ]),
        ),
      },
      files: {
        read: (path) => {
          const text = this.files.get(path);
          return text === undefined ? { problem: "No such file or directory" } : { text };
        },
        write: (path, text) => void this.files.set(path, text),
      },
      words: laboratoryWords,
    });
    if (changes !== undefined) this.session.boot({ profile: defaultProfile().with(changes) });
  }

  /** The laboratory. */
  get lab() {
    return this.session.lab;
  }

  /** Runs a script; messages call it `x.rtk`. */
  run(script: string): Ended {
    return this.collect(() => this.session.runScript(script, "x.rtk"));
  }

  /** What is written while something runs, and the status that it answers. */
  collect(run: () => number): Ended {
    this.#out = this.#err = "";
    const status = run();
    return { status, out: this.#out, err: this.#err };
  }

  /** Runs a script that has to end well, and returns what it wrote to descriptor 1. */
  ok(script: string): string {
    const { status, out, err } = this.run(script);
    if (status !== 0) throw new Error(`status ${status} of: ${script}\n${err}`);
    return out;
  }

  /** Starts a script as a job and returns at once, before anything has happened. */
  start(script: string): void {
    this.session.runLine(`{ ${script}; } &`, () => {});
    this.session.jobs.pump();
  }

  /** What the last benchmark has measured. */
  get result(): LabResult {
    const result = this.session.results.at(-1);
    if (result === undefined) throw new Error("nothing has been measured");
    return result;
  }

  /** Its latencies. */
  get histogram(): Histogram {
    return this.result.cyclictest.threads[0]!.histogram;
  }

  /** Its exits, by the names of `kvm_stat`. */
  get exits(): Readonly<Record<string, number>> {
    return Object.fromEntries(exitsByName(this.result.exits));
  }

  /** Lets time pass, and returns what happened on the dedicated CPU meanwhile. */
  trace(ns: number): TraceRecord[] {
    const { engine } = this.lab;
    const log = engine.trace = new TraceLog();
    engine.runUntil(engine.nowNs + ns);
    engine.trace = null;
    return log.records.filter(({ where, kind }) => where === "cpu3" && kind !== "alarm");
  }
}

/** The computer around the command line: some files, and output that is kept. */
export class FakeHost implements HostPort {
  stdout = "";
  stderr = "";
  readonly errIsTerminal = false;
  readonly written = new Map<string, string>();
  /** What stands in the way of writing. */
  problem: string | undefined;

  constructor(readonly files: Readonly<Record<string, string>>) {}

  read(path: string) {
    const text = this.files[path];
    return text === undefined ? { problem: "No such file or directory" } : { text };
  }

  write(path: string, text: string): string | undefined {
    if (this.problem === undefined) this.written.set(path, text);
    return this.problem;
  }

  list(path: string): string[] {
    const prefix = path === "." ? "" : `${path}/`;
    return Object.keys(this.files).filter((file) => file.startsWith(prefix)).map((file) =>
      file.slice(prefix.length)
    );
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }

  repl(): Promise<number> {
    return Promise.resolve(0);
  }
}
