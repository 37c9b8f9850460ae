/**
 * `/proc/stat` as the tools read it that print rates: mpstat, vmstat.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { Errno } from "../linux/errno.ts";
import { readFile, type SystemPort } from "./program.ts";

/** Where CPU time goes, in the order of the file; that of guests is in `user` and `nice` as well. */
export const CPU_STATES = [
  ...(["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guestNice"] as const),
];

/** One of them. */
export type CpuState = (typeof CPU_STATES)[number];

/** Time in each of {@linkcode CPU_STATES} since boot, in 1/100 s. */
export type CpuTicks = readonly number[];

/** One reading. */
export interface ProcStat {
  /** Of all CPUs together. */
  readonly all: CpuTicks;
  /** Of those online, by number. */
  readonly cpus: ReadonlyMap<number, CpuTicks>;
  /** Interrupts since boot. */
  readonly interrupts: number;
  /** Switches from task to task since boot. */
  readonly switches: number;
  /** Tasks that run or wait for a CPU. */
  readonly running: number;
  /** Tasks that wait for a disk. */
  readonly blocked: number;
}

/** What all was at boot. */
export const AT_BOOT: ProcStat = {
  all: CPU_STATES.map(() => 0),
  cpus: new Map(),
  interrupts: 0,
  switches: 0,
  running: 0,
  blocked: 0,
};

/** Reads it. @throws {RangeError} if there is no such file: every computer has `/proc` */
export function* readProcStat(system: SystemPort): Activity<ProcStat> {
  const text = yield* readFile(system, "/proc/stat");
  if (text instanceof Errno) throw new RangeError(`/proc/stat: ${text.message}`);
  const cpus = new Map<number, CpuTicks>();
  const counts = new Map<string, number>();
  let all = AT_BOOT.all;
  for (const line of text.split("\n")) {
    const [name = "", ...fields] = line.split(/ +/);
    const [, number] = /^cpu(\d*)$/.exec(name) ?? [];
    if (number === undefined) counts.set(name, Number(fields[0]));
    else if (number === "") all = fields.map(Number);
    else cpus.set(Number(number), fields.map(Number));
  }
  const count = (name: string) => counts.get(name) ?? 0;
  return {
    all,
    cpus,
    interrupts: count("intr"),
    switches: count("ctxt"),
    running: count("procs_running"),
    blocked: count("procs_blocked"),
  };
}

/** Ticks of a CPU from one reading to a later one, by state; none where a count has gone back. */
export function ticksBetween(before: CpuTicks, now: CpuTicks): number[] {
  return now.map((ticks, i) => Math.max(0, ticks - (before[i] ?? 0)));
}
