/**
 * What slides are made of: scripts run on machines of their own, each row of a table once, however many slides show it.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import { profileWith } from "../../runtime/lab/defaults.ts";
import type { LabProfile } from "../../runtime/lab/defaults.ts";
import type { LabResult, TrafficResult } from "../../runtime/lab/lab.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import { DEDICATED_CPU, systemNamed, type SystemRow } from "../../runtime/lab/systems.ts";
import { totalExits } from "../../runtime/lab/views/exits.ts";
import { TraceLog } from "../../hw/sim/trace.ts";
import { type FlowItem, FlowReader } from "../../runtime/measure/flow.ts";
import type { PublishedLatency } from "../../runtime/measure/published.ts";
import type { Command } from "../commands/command.ts";
import { example, EXAMPLES } from "../host/examples.ts";
import { DeadlockError } from "../shell/jobs.ts";
import { narrator } from "../session/narrate.ts";
import type { ScriptWatcher } from "../session/foreground.ts";
import { Session } from "../session/session.ts";

/** What all runs have in common. */
export interface RunsOptions {
  /** Of cyclictest, in each row. */
  readonly loops: number;
  readonly seed: number;
  /** On top of the default profile. */
  readonly profiles?: readonly ProfileText[];
  /** Words of the laboratory. */
  readonly words: (session: Session) => readonly Command[];
  /** Told how far a long run has come. */
  readonly onProgress?: (name: string, fraction: number, where: string) => void;
}

/** One script that has run to its end. */
export interface RunRecord {
  readonly system: string;
  readonly kernel: string;
  /** Name of the example, or the first line of what was typed. */
  readonly script: string;
  /** Events of the engine at its end, since the machine was booted. */
  readonly events: number;
}

/** A script that ended badly: what it said. */
export class RunFailure extends Error {
  override name = "RunFailure";
}

/** A result, or why there is none. */
export type Outcome<T> = { readonly result: T } | { readonly problem: string };

/** What happened in a stretch of time. */
export interface Observed {
  /** On the dedicated CPU. */
  readonly items: FlowItem[];
  /** VM exits of vm0. */
  readonly exits: number;
}

const ROW_KERNEL = "linux-3.4.0";
/** A moment is quiet if no timer is due within so long, and the last handler is so long ago. */
const QUIET_NS = { guest: 1_000_000, host: 100_000, handler: 50_000 };
/** How many events are waited for. */
const PATIENCE = 100_000;

/** A machine with a shell, whose output is kept. */
export class Bench {
  #text = "";
  readonly session: Session;

  constructor(readonly runs: Runs, system: SystemRow, kernel: string) {
    const { seed, profiles, words } = runs.options;
    const keep = (text: string) => void (this.#text += text);
    this.session = new Session({
      io: { out: keep, err: keep },
      system,
      kernel,
      seed,
      ...(profiles === undefined ? {} : { profiles }),
      name: "slides",
      folder: EXAMPLES,
      words,
    });
    this.session.onProgress = young((name, fraction) =>
      runs.options.onProgress?.(name, fraction, this.where)
    );
  }

  /** Which machine this is: `kvm, linux-3.4.0`. */
  get where(): string {
    const { system, kernel } = this.session.lab.options;
    return `${system.name}, ${kernel}`;
  }

  /**
   * Runs a script; answers what it wrote to both streams.
   *
   * @throws RunFailure if its status is not 0
   */
  run(script: string, name = script.split("\n", 1)[0]!, watcher?: ScriptWatcher): string {
    this.#text = "";
    let problem: string | undefined;
    try {
      const status = this.session.runScript(script, name, watcher);
      if (status !== 0) problem = `status ${status}\n${this.#text}`;
    } catch (error) {
      if (!(error instanceof DeadlockError)) throw error;
      problem = error.message;
    }
    this.runs.ran(this.session, name);
    if (problem !== undefined) throw new RunFailure(`${this.where}: ${name}: ${problem}`.trimEnd());
    return this.#text;
  }

  /** The same, told: each command, its output, what it has changed. Answers the lines. */
  tell(script: string, name: string): string[] {
    const watcher = narrator(this.session, (text) => void (this.#text += text));
    return this.run(script, name, watcher).trimEnd().split("\n");
  }

  /** Lets one event after the other happen, until `holds`. @throws RunFailure if it does not come true */
  until(holds: () => boolean): void {
    const { engine } = this.session.lab;
    for (let event = 0; !holds(); event++) {
      if (event === PATIENCE || !engine.step()) throw new RunFailure(`${this.where}: waited in vain`);
    }
  }

  /** Lets time go on until no timer of the guest, and none of the host on the dedicated CPU, has run or is due soon. */
  #quiet(): void {
    const { engine, host, guests } = this.session.lab;
    const clear = (timers: readonly { readonly expiresNs: number }[], ns: number) =>
      timers.every(({ expiresNs }) => expiresNs > engine.nowNs + ns);
    const isQuiet = () =>
      clear(host.cpus[DEDICATED_CPU]!.hrtimers.timers(), QUIET_NS.host) &&
      [...guests.values()].every(({ kernel }) => clear(kernel.cpus[0]!.hrtimers.timers(), QUIET_NS.guest));
    do {
      this.until(isQuiet);
      engine.runUntil(engine.nowNs + QUIET_NS.handler); // the last timer has only been programmed anew
    } while (!isQuiet());
  }

  /**
   * Runs a script in a quiet moment, so that nothing else happens, and watches the dedicated CPU meanwhile. `first` is
   * called in that moment: for what no command does.
   */
  observe(script: string, first: () => void = () => {}): Observed {
    const { lab } = this.session;
    this.#quiet();
    const log = new TraceLog();
    const before = totalExits(lab.exits());
    lab.engine.trace = log;
    try {
      first();
      this.run(script);
    } finally {
      lab.engine.trace = null;
    }
    const reader = new FlowReader(`cpu${DEDICATED_CPU}`);
    for (const record of log.records) reader.read(record);
    if (reader.unknown.size > 0) {
      throw new RunFailure(`${this.where}: no box of the figures has ${[...reader.unknown].join(", ")}`);
    }
    return {
      items: reader.items,
      exits: totalExits(lab.exits()) - before,
    };
  }
}

/** The runs of one command. */
export class Runs {
  readonly #latencies = new Map<PublishedLatency, Outcome<LabResult>>();
  readonly #traffic = new Map<string, Outcome<readonly TrafficResult[]>>();
  #records: RunRecord[] = [];
  readonly #recordsOf = new Map<unknown, readonly RunRecord[]>();
  /** The parameters that all runs rest on. */
  readonly profile: LabProfile;

  /** @throws ProfileError where a profile does not fit */
  constructor(readonly options: RunsOptions) {
    this.profile = profileWith(options.profiles ?? []);
  }

  /** A fresh machine. */
  bench(system: SystemRow | string, kernel = ROW_KERNEL): Bench {
    return new Bench(this, typeof system === "string" ? systemNamed(system)! : system, kernel);
  }

  /** Enters a run. */
  ran({ lab: { options: { system, kernel }, engine } }: Session, script: string): void {
    this.#records.push({ system: system.name, kernel, script, events: engine.event });
  }

  /** The runs since this was last asked. */
  takeRecords(): RunRecord[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }

  /** What a row of slide 25 or 26 measures. */
  latency(row: PublishedLatency): Outcome<LabResult> {
    return this.#once(this.#latencies, row, () => this.#measureLatency(row));
  }

  /** What iperf and ping measure on a system of slide 27. */
  traffic(system: string): Outcome<readonly TrafficResult[]> {
    return this.#once(this.#traffic, system, () => {
      const found = this.#script("slide27_row.rtk", system, ROW_KERNEL);
      if ("problem" in found) return found;
      const { traffic } = found.session;
      return traffic.length === 0 ? { problem: "slide27_row.rtk has measured nothing" } : { result: traffic };
    });
  }

  #measureLatency(row: PublishedLatency): Outcome<LabResult> {
    const { slide, system, kernel, guestLoad } = row;
    const name = `slide${slide}_row.rtk`;
    const found = this.#script(name, system, kernel);
    if ("problem" in found) return found;
    const result = found.session.results.at(-1);
    if (result === undefined) return { problem: `${name} has measured nothing` };
    const load = result.guestLoad;
    if (load !== guestLoad) {
      return { problem: `${name} has measured with the guest ${load}, not ${guestLoad}` };
    }
    return { result };
  }

  #script(name: string, system: string, kernel: string): Bench | { readonly problem: string } {
    const bench = this.bench(system, kernel);
    bench.session.shell.set("loops", String(this.options.loops));
    try {
      bench.run(example(name), name);
    } catch (error) {
      if (!(error instanceof RunFailure)) throw error;
      return { problem: error.message };
    }
    return bench;
  }

  /** Makes an outcome the first time; a slide that shows it again rests on the same runs. */
  #once<K, T>(map: Map<K, Outcome<T>>, key: K, make: () => Outcome<T>): Outcome<T> {
    const known = map.get(key);
    if (known !== undefined) {
      this.#records.push(...this.#recordsOf.get(key) ?? []);
      return known;
    }
    const from = this.#records.length;
    const outcome = make();
    map.set(key, outcome);
    this.#recordsOf.set(key, this.#records.slice(from));
    return outcome;
  }
}
