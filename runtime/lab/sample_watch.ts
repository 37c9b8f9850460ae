/**
 * Looks at single samples of a benchmark while it runs: traces from the sample before to the sample, and says what it
 * waited for.
 *
 * Nothing else of the run is traced, and the measuring program does not know: what it counts its samples in is watched.
 *
 * @module
 */

import { TraceLog } from "../../hw/sim/trace.ts";
import { criticalPath, type Part } from "../measure/critical_path.ts";
import { Histogram } from "../measure/histogram.ts";
import type { Situation, TaskName } from "../measure/trace_index.ts";
import type { Lab } from "./lab.ts";

/** Which samples are looked at. */
export interface SampleWish {
  /** Which of the laboratory's benchmarks, in order of their starts, from 0. */
  readonly run: number;
  /** Which of its threads. */
  readonly thread: number;
  /** Whether to look at the next sample: its number, from 1, and what the one before had asked for; -Infinity: none. */
  wants(number: number, lastExpiryNs: number): boolean;
}

/** A sample that has been looked at. */
export interface WatchedSample {
  /** Its number, from 1. */
  readonly number: number;
  /** The point in time that the task had asked for, ns. */
  readonly expiryNs: number;
  readonly latencyNs: number;
  /** The event in which the task read the clock. */
  readonly event: number;
  /**
   * What the latency is made of: the parts follow each other, and their sum is the latency. Empty where somebody else
   * has taken the trace meanwhile.
   */
  readonly parts: readonly Part[];
  /** The largest latency of the thread up to there, this one included. */
  readonly maxSoFarNs: number;
}

/** Counts samples as any histogram does, and tells of each. */
class WatchedHistogram extends Histogram {
  constructor(bins: number, readonly taken: (latencyNs: number) => void) {
    super(bins);
  }

  override record(latencyNs: number): void {
    super.record(latencyNs);
    this.taken(latencyNs);
  }
}

/** Watches samples of one thread. */
export class SampleWatch {
  #log = new TraceLog();
  #situation: Situation | null = null;

  /** @param found told of each sample that is looked at, at the instant at which it is taken */
  constructor(
    readonly lab: Lab,
    readonly wish: SampleWish,
    readonly found: (sample: WatchedSample) => void,
  ) {}

  /** A histogram for thread `thread` of benchmark `run`; undefined: that one is not watched. */
  histogram(run: number, thread: number, bins: number): Histogram | undefined {
    if (run !== this.wish.run || thread !== this.wish.thread) return undefined;
    if (this.wish.wants(1, -Infinity)) this.#open();
    const histogram: Histogram = new WatchedHistogram(bins, (latencyNs) => this.#taken(histogram, latencyNs));
    return histogram;
  }

  #taken({ count: number, maxNs }: Histogram, latencyNs: number): void {
    const { engine } = this.lab;
    const expiryNs = engine.nowNs - latencyNs;
    if (this.#situation !== null) {
      const isMine = engine.trace === this.#log;
      if (isMine) engine.trace = null;
      const parts = isMine ? criticalPath(this.#log.records, this.#situation, expiryNs) : [];
      this.#situation = null;
      this.found({ number, expiryNs, latencyNs, event: engine.event, parts, maxSoFarNs: maxNs });
    }
    if (this.wish.wants(number + 1, expiryNs)) this.#open();
  }

  /** From here on everything is traced. */
  #open(): void {
    this.#situation = situationOf(this.lab);
    this.lab.engine.trace = this.#log = new TraceLog();
  }
}

/** What the processors do at this instant. */
function situationOf({ engine, guests, host, machine }: Lab): Situation {
  const tasks = new Map<string, TaskName>();
  for (const { id, current: { name, pid } } of host.cpus) tasks.set(`host.${id}`, { name, pid });
  const vcpus = [...guests.values()].flatMap(({ kernel, machine: { file: { vm } } }) => {
    for (const vcpu of vm.vcpus) {
      const current = kernel.cpus[vcpu.id]?.current;
      if (current !== undefined) tasks.set(vcpu.name, { name: current.name, pid: current.pid });
    }
    return vm.vcpus;
  });
  return {
    timeNs: engine.nowNs,
    tasks,
    cpus: machine.cpus.map(({ id, vmcs, currentVmcs, inFlight }) => ({
      id,
      guestMode: vmcs !== null,
      vcpu: vcpus.find((vcpu) => vcpu.vmcs === currentVmcs)?.name ?? null,
      inFlight,
    })),
  };
}
