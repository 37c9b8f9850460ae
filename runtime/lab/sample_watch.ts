/**
 * Looks at single samples of a benchmark while it runs: traces two samples ahead, and says what the sample waited for.
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
  /**
   * Whether the next sample, of that number from 1, or the one behind it is to be looked at. `lastExpiryNs` is what the
   * one before had asked for; -Infinity: there is none.
   */
  isNear(number: number, lastExpiryNs: number): boolean;
  /** Whether this sample, just taken, is to be looked at. */
  wants(number: number, expiryNs: number): boolean;
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

/** What has been traced from one sample to the next. */
interface Piece {
  readonly situation: Situation;
  readonly log: TraceLog;
}

/**
 * Watches samples of one thread. Of each it sees two pieces: its own, and the one before, in which the timer may have
 * been set that began it.
 */
export class SampleWatch {
  #before: Piece | null = null;
  #piece: Piece | null = null;

  /** @param found told of each sample that is looked at, at the instant at which it is taken */
  constructor(
    readonly lab: Lab,
    readonly wish: SampleWish,
    readonly found: (sample: WatchedSample) => void,
  ) {}

  /** A histogram for thread `thread` of benchmark `run`; undefined: that one is not watched. */
  histogram(run: number, thread: number, bins: number): Histogram | undefined {
    if (run !== this.wish.run || thread !== this.wish.thread) return undefined;
    const histogram: Histogram = new WatchedHistogram(bins, (latencyNs) => this.#taken(histogram, latencyNs));
    this.#goOn(1, -Infinity);
    return histogram;
  }

  #taken({ count: number, maxNs }: Histogram, latencyNs: number): void {
    const { engine } = this.lab;
    const expiryNs = engine.nowNs - latencyNs;
    const parts = this.#piece !== null && this.wish.wants(number, expiryNs) ? this.#path(expiryNs) : null;
    this.#goOn(number + 1, expiryNs);
    if (parts === null) return;
    this.found({ number, expiryNs, latencyNs, event: engine.event, parts, maxSoFarNs: maxNs });
  }

  #path(expiryNs: number): Part[] {
    const before = this.#before, piece = this.#piece!;
    return before === null
      ? criticalPath(piece.log.records, piece.situation, expiryNs)
      : criticalPath([...before.log.records, ...piece.log.records], before.situation, expiryNs);
  }

  /** Sample `number` is the next one: from here on it is traced, or nothing is. */
  #goOn(number: number, lastExpiryNs: number): void {
    const { engine } = this.lab;
    const isMine = this.#piece !== null && engine.watcher === this.#piece.log;
    this.#before = isMine ? this.#piece : null;
    this.#piece = null;
    if (this.wish.isNear(number, lastExpiryNs)) {
      this.#piece = { situation: situationOf(this.lab), log: new TraceLog() };
      engine.trace = this.#piece.log;
    } else if (isMine) engine.trace = null;
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
