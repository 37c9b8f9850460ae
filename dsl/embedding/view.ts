/**
 * A laboratory as it can be looked at: time, counters, results, and the state of processors. Looking changes nothing.
 *
 * @module
 */

import { exitsByName, totalExits } from "../../runtime/lab/views/exits.ts";
import { type CpuState, cpuState, type VcpuState, vcpuState } from "../../runtime/lab/views/state.ts";
import type { Session } from "../session/session.ts";

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

/** What can be looked at in a laboratory. */
export class LabView {
  /** The session that drives it. */
  readonly #session: Session;

  /** Of a laboratory. @param session drives it; its type, and with it the whole model, is not public */
  protected constructor(session: object) {
    this.#session = session as Session;
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
}

/** Those that have come since `before`; of a machine that was booted since, all. */
export function exitsSince(before: ExitCounts, now: ExitCounts): ExitCounts {
  if (now.total < before.total) return now;
  const byReason = Object.entries(now.byReason)
    .map(([reason, count]) => [reason, count - (before.byReason[reason] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return { total: now.total - before.total, byReason: Object.fromEntries(byReason) };
}

function exitCounts(exits: readonly number[]): ExitCounts {
  return { total: totalExits(exits), byReason: Object.fromEntries(exitsByName(exits)) };
}
