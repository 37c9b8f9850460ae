/**
 * The laboratory for programs and tests: boots a machine, runs scripts on it, tells what came out.
 *
 * @module
 */

import { young } from "../hw/sim/young.ts";
import { eraNamed, eraRefusal, ERAS } from "../runtime/lab/eras.ts";
import { KERNEL_NAMES } from "../runtime/lab/kernels.ts";
import { SYSTEMS as ROWS } from "../runtime/lab/systems.ts";
import type { EventFilter, EventKind, LabEvent } from "./embedding/events.ts";
import { EVENT_KINDS, EventRecorder, kindsOf } from "./embedding/events.ts";
import { quote, ShellRun } from "./embedding/shell_run.ts";
import type { LabCommand } from "./embedding/commands.ts";
import type { Laboratory } from "./embedding/laboratory.ts";
import type { FilePort } from "./host/host_port.ts";
import type { DeviceModel } from "../runtime/lab/devices.ts";
import type { BootWords } from "./embedding/transcript.ts";
import { LabView } from "./embedding/view.ts";
import { unknownName } from "./shell/unknown_name.ts";

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
  /** Commands of the program's own, by name: scripts of this laboratory find them, and no others. */
  readonly commands?: Readonly<Record<string, LabCommand>>;
  /**
   * Devices of the program's own: each machine of this laboratory has them.
   *
   * ```ts
   * import { type DeviceModel, Lab } from "@rtkvm/rtkvm";
   *
   * // An interval timer: what is written is a period in us, what is read counts its interrupts.
   * const ticker: DeviceModel = {
   *   ...{ name: "ticker", address: "00:1f.0", vendorId: 0x1234, deviceId: 0x0001 },
   *   ...{ messages: 1, driver: true },
   *   create(port) {
   *     let periodNs = 0, count = 0;
   *     return {
   *       read: () => count,
   *       write: (_, us) => port.wakeAt(port.nowNs + (periodNs = us * 1000)),
   *       woken() {
   *         count++;
   *         port.message(0);
   *         port.wakeAt(port.nowNs + periodNs);
   *       },
   *       state: () => [periodNs, count],
   *     };
   *   },
   * };
   * await using lab = await Lab.boot({ system: "bare-metal", devices: [ticker] });
   * await lab.sh`devmem 0xe0000000 32 100; run 1ms`;
   * console.log(await lab.sh`devmem 0xe0000000; grep ticker /proc/interrupts`.text());
   * ```
   */
  readonly devices?: readonly DeviceModel[];
  /** Files for `save`, `load` and `trace`; where absent there are none. */
  readonly files?: FilePort;
}

const PARTS = new WeakMap<Lab, Laboratory>();

/** What a laboratory consists of. */
export function partsOf(lab: Lab): Laboratory {
  return PARTS.get(lab)!;
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
export class Lab extends LabView {
  readonly #laboratory: Laboratory;
  #recorder: EventRecorder | undefined;

  private constructor(laboratory: Laboratory, record: readonly EventKind[] | undefined) {
    const { session } = laboratory;
    super(session);
    this.#laboratory = laboratory;
    PARTS.set(this, laboratory);
    session.onLab = young((how) => {
      if (this.#recorder === undefined) return;
      if (how === "boot") this.#recorder = new EventRecorder(this.#recorder.kinds);
      else this.#recorder.travelled(this.event);
      session.clock.watch(this.#recorder);
    });
    if (record !== undefined) this.record(...record);
  }

  /**
   * Boots a machine. Takes 100 ms of its time. The first laboratory of a program loads the model.
   *
   * @throws RangeError for an unknown system or kernel, a seed that is none, or a profile that does not fit
   */
  static async boot(options: LabOptions = {}): Promise<Lab> {
    const words = bootWords(options);
    const { Laboratory } = await import("./embedding/laboratory.ts");
    return new Lab(new Laboratory(words, options.commands ?? {}), options.record);
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
    return new ShellRun(new Promise((resolve) => resolve(this.#laboratory.perform(text, name))));
  }

  /**
   * Lets time go on by `count` steps, 1 where absent, and answers what happened in them. A step is an event of the engine,
   * or of the coarser grains of the word `step`.
   *
   * @throws ShellFailure where nothing is pending, or `count` is no number of steps
   */
  step(count = 1, grain: "event" | "phase" | "interrupt" = "event"): readonly LabEvent[] {
    const { session: { clock }, transcript } = this.#laboratory;
    const recorder = new EventRecorder(new Set(EVENT_KINDS));
    clock.watch(recorder);
    try {
      const command = `step ${quote(String(count))} ${quote(grain)}`;
      this.#laboratory.demand(command);
      transcript.script(`${command} > /dev/null`);
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
    const { waits, transcript } = this.#laboratory;
    try {
      this.#laboratory.demand(waits.command(() => isSo(this), withinNs));
    } finally {
      const { event } = this;
      transcript.script(`run until event >= ${event} > /dev/null`);
    }
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
    const { clock } = this.#laboratory.session;
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

  /** For `await using`; there is nothing to release. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** What a session is booted with. @throws RangeError as {@linkcode Lab.boot} */
function bootWords(options: LabOptions): BootWords {
  const era = eraNamed(options.era ?? "2012");
  if (era === undefined) {
    throw new RangeError(unknownName("era", options.era!, ERAS.map(({ name }) => name)));
  }
  const { system = era.system, kernel, seed, strict, profiles, devices, files } = options;
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
  return {
    era,
    system: row,
    ...(kernel === undefined ? {} : { kernel }),
    ...(seed === undefined ? {} : { seed }),
    ...(strict === undefined ? {} : { strict }),
    ...(profiles === undefined ? {} : { profiles }),
    ...(devices === undefined ? {} : { devices }),
    ...(files === undefined ? {} : { files }),
  };
}
