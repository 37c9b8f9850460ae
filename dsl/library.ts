/**
 * The laboratory for programs and tests: boots a machine, runs scripts on it, tells what came out.
 *
 * @module
 */

import { eraNamed, eraRefusal, ERAS } from "../runtime/lab/eras.ts";
import { KERNEL_NAMES } from "../runtime/lab/kernels.ts";
import { SYSTEMS as ROWS } from "../runtime/lab/systems.ts";
import { exitsByName, totalExits } from "../runtime/lab/views/exits.ts";
import { type CpuState, cpuState, type VcpuState, vcpuState } from "../runtime/lab/views/state.ts";
import type { EventFilter, EventKind, LabEvent } from "./embedding/events.ts";
import { EVENT_KINDS, EventRecorder, kindsOf } from "./embedding/events.ts";
import { quote, ShellFailure, type ShellResult, ShellRun } from "./embedding/shell_run.ts";
import { Waits } from "./embedding/waits.ts";
import { Session } from "./session.ts";
import { unknownName } from "./unknown_name.ts";
import { laboratoryWords } from "./words/index.ts";

export type {
  EventBase,
  EventFields,
  EventFilter,
  EventKind,
  LabEvent,
  StepFields,
} from "./embedding/events.ts";
export type { CpuState, LapicState, VcpuState, VmcsState } from "../runtime/lab/views/state.ts";

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
  /** Kinds of events to be kept from the start, as {@linkcode Lab.record} does. */
  readonly record?: readonly EventKind[];
}

/** VM exits of vm0. */
export interface ExitCounts {
  /** Of all reasons. */
  readonly total: number;
  /** By the names of `kvm_stat`, those that happened. */
  readonly byReason: Readonly<Record<string, number>>;
}

/** A virtual CPU of a guest at one instant. */
export interface VirtualCpu extends Omit<VcpuState, "exits"> {
  /** Its VM exits so far. */
  readonly exits: ExitCounts;
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
 * if (lab.results[0]?.count !== 100) throw new Error("a sample is missing");
 * ```
 */
export class Lab {
  readonly #session: Session;
  readonly #waits = new Waits();
  #recorder: EventRecorder | undefined;
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
      words: (session) => [...laboratoryWords(session), this.#waits.word(session)],
    });
    this.#session.onLab = (how) => {
      if (this.#recorder === undefined) return;
      if (how === "boot") this.#recorder = new EventRecorder(this.#recorder.kinds);
      else this.#recorder.travelled(this.event);
      this.#session.clock.watch(this.#recorder);
    };
    if (options.record !== undefined) this.record(...options.record);
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
    return new ShellRun(new Promise((resolve) => resolve(this.#perform(text, name))));
  }

  #perform(text: string, name: string): ShellResult {
    this.#stdout = this.#stderr = "";
    const status = this.#session.runScript(text, name);
    return { status, stdout: this.#stdout, stderr: this.#stderr };
  }

  #demand(text: string): void {
    const result = this.#perform(text, "lab");
    if (result.status !== 0) throw new ShellFailure(result);
  }

  /**
   * Lets time go on by `count` steps, 1 where absent, and answers what happened in them. A step is an event of the engine,
   * or of the coarser grains of the word `step`.
   *
   * @throws ShellFailure where nothing is pending, or `count` is no number of steps
   */
  step(count = 1, grain: "event" | "phase" | "interrupt" = "event"): readonly LabEvent[] {
    const { clock } = this.#session;
    const recorder = new EventRecorder(new Set(EVENT_KINDS));
    clock.watch(recorder);
    try {
      this.#demand(`step ${quote(String(count))} ${quote(grain)}`);
    } finally {
      clock.unwatch(recorder);
    }
    return recorder.events;
  }

  /**
   * Lets time go on until `isSo` holds: it is asked now, and after every event; background jobs go on meanwhile. `isSo`
   * may look at the laboratory, and must not run anything on it. Answers the number of the event.
   *
   * ```ts
   * import { Lab } from "@rtkvm/rtkvm";
   *
   * await using lab = await Lab.boot({ system: "kvm" });
   * await lab.sh`qemu-kvm -m 1024 -enable-kvm -nographic`;
   * lab.until(({ stats }) => stats.exits.total >= 10);
   * ```
   *
   * @param withinNs so long it is waited for, ns of virtual time; 100 s where absent
   * @throws ShellFailure where it has not come true by then, or nothing is pending any more
   */
  until(isSo: (lab: Lab) => boolean, { withinNs = 100e9 }: { readonly withinNs?: number } = {}): number {
    this.#demand(this.#waits.command(() => isSo(this), withinNs));
    return this.event;
  }

  /**
   * Keeps events of these kinds from now on; of all where none is named. A run of which something is kept is slower, and
   * what is kept takes memory: name what you look at.
   *
   * @throws RangeError for a kind that is none
   */
  record(...kinds: readonly EventKind[]): void {
    const unknown = kinds.find((kind) => !EVENT_KINDS.includes(kind));
    if (unknown !== undefined) throw new RangeError(unknownName("kind", unknown, EVENT_KINDS));
    const { clock } = this.#session;
    const before = this.#recorder;
    if (before !== undefined) clock.unwatch(before);
    const wanted = kinds.length === 0 ? EVENT_KINDS : kinds;
    this.#recorder = new EventRecorder(new Set([...before?.kinds ?? [], ...wanted]), before?.events);
    clock.watch(this.#recorder);
  }

  /**
   * What has happened on this machine up to now, of the kinds that are kept, oldest first.
   *
   * ```ts
   * import { Lab } from "@rtkvm/rtkvm";
   *
   * await using lab = await Lab.boot({ system: "kvm", record: ["kvm_exit"] });
   * await lab.sh`qemu-kvm -m 1024 -enable-kvm -nographic; ssh vm0 true`;
   * const halts = [...lab.events({ kind: "kvm_exit" })].filter(({ reason }) => reason === "HLT");
   * if (halts.length === 0) throw new Error("the guest has never been idle");
   * ```
   *
   * @throws RangeError for a kind that is not kept
   */
  events<K extends EventKind = EventKind>(filter: EventFilter<K> = {}): Iterable<LabEvent<K>> {
    const recorder = this.#recorder;
    const missing = kindsOf<EventKind>(filter.kind ?? []).find((kind) => !recorder?.kinds.has(kind));
    if (recorder === undefined || missing !== undefined) {
      throw new RangeError(
        `Cannot list ${missing ?? "events"}: none are kept; boot with { record: ["${
          missing ?? "kvm_exit"
        }"] }`,
      );
    }
    return { [Symbol.iterator]: () => recorder.select(filter, this.event) };
  }

  /** Processor `id` of the host as it is now. @throws RangeError where there is none */
  cpu(id: number): CpuState {
    const state = cpuState(this.#session.lab, id);
    if (state === undefined) {
      throw new RangeError(`No processor ${id}: there are ${this.#session.lab.host.cpus.length}, from 0`);
    }
    return state;
  }

  /** Virtual CPU `id` of a running guest as it is now. @throws RangeError where there is none */
  vcpu(guest = "vm0", id = 0): VirtualCpu {
    const state = vcpuState(this.#session.lab, guest, id);
    if (state === undefined) {
      const names = [...this.#session.lab.guests.keys()];
      throw new RangeError(
        names.includes(guest)
          ? `No virtual CPU ${id} of ${guest}`
          : `No guest "${guest}": ${names.length === 0 ? "none runs" : `there is ${names.join(", ")}`}`,
      );
    }
    return { ...state, exits: exitCounts(state.exits) };
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
