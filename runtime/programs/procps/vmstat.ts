/**
 * vmstat (procps): tasks, memory, interrupts, switches and what CPU time went to, a line for each interval, from `/proc/stat`
 * and `/proc/meminfo`.
 *
 * The layout is that of procps 3.2.8 (2012), or 4.0.2: a column for stolen time more. As there, what the first line has a
 * second is since boot, and by the second of a CPU: four CPUs have four each second.
 *
 * *Modelled*: interval and count, `-n`. *Not modelled*: the other options; refused by name. No pages go to a swap space or
 * through a page cache, so `si`, `so`, `bi`, `bo` are 0.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { Errno } from "../../linux/errno.ts";
import { complain, getopt, type OptionTable } from "../getopt.ts";
import { readMeminfo } from "../proc_meminfo.ts";
import {
  AT_BOOT,
  CPU_STATES,
  type CpuState,
  type ProcStat,
  readProcStat,
  ticksBetween,
} from "../proc_stat.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `vmstat - tasks, memory, interrupts, switches and CPU time, line by line
Usage: vmstat [-n] [DELAY [COUNT]]
Effects: prints a line of means since boot, then one each DELAY seconds, COUNT in all, or until Ctrl-C; the head again after 20
  lines, with -n never
Exit status: 0; 1 on a wrong argument
Errors: delay must be positive integer; failed to parse argument: 'TEXT'; invalid option -- 'X'
Differs from the real one: no other options; swap and blocks of disks are 0, since the host of the model has no page cache
Examples: vmstat 1 3`;

const OPTIONS: OptionTable = {
  flags: "n",
  long: { "one-header": "n" },
  notModelled: [
    ..."afmsdDpSwtyV",
    ...["active", "forks", "slabs", "stats", "disk", "disk-sum", "partition", "unit", "wide", "timestamp"],
    ...["no-first", "version"],
  ],
};

/** Lines after which the head is printed again: those of a terminal of 24, less the head and one. */
const HEAD_EVERY = 21;
/** Ticks of a CPU in a second (USER_HZ). */
const HZ = 100;

/** The columns of CPU time, by the states that each is made of; `st` is not there in 2012. */
const TIMES: readonly (readonly CpuState[])[] = [
  ["user", "nice"],
  ["system", "irq", "softirq"],
  ["idle"],
  ["iowait"],
  ["steal"],
];

/** The program. */
export const vmstat: Program = {
  name: "vmstat",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, system, task } = command;
    yield kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), OPTIONS);
    if (typeof parsed === "string") return complain(command, vmstat, parsed);
    const [delay = "0", count = delay === "0" ? "1" : undefined, ...more] = parsed.operands;
    const wrong = parsed.operands.slice(0, 2).find((text) => !/^\d+$/.test(text));
    if (wrong !== undefined) return fail(command, `failed to parse argument: '${wrong}'`);
    if (more.length > 0) return complain(command, vmstat, `extra operand ‘${more[0]}’`);
    if (parsed.operands.length > 0 && Number(delay) === 0) {
      return fail(command, "delay must be positive integer");
    }
    const hasSteal = system.tools.procps !== "3.2.8";
    const timer = kernel.sleepTimer(task);
    const startNs = kernel.nowNs;
    const headOnce = parsed.options.length > 0;
    let before = AT_BOOT;
    for (let line = 0; count === undefined || line < Number(count); line++) {
      if (line > 0) yield* kernel.sleepUntil(task, timer, startNs + line * Number(delay) * 1e9);
      if (line === 0 || !headOnce && line % HEAD_EVERY === 0) command.stdout(head(hasSteal));
      const now = yield* readProcStat(system);
      command.stdout(
        row(before, now, yield* memory(command), line === 0 ? undefined : Number(delay), hasSteal),
      );
      before = now;
    }
    return 0;
  },
};

function fail(command: ProgramProcess, complaint: string): number {
  command.stderr(`vmstat: ${complaint}\n`);
  return 1;
}

function head(hasSteal: boolean): string {
  const groups = "procs -----------memory---------- ---swap-- -----io---- -system-- ";
  const names = " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa";
  return hasSteal ? `${groups}------cpu-----\n${names} st\n` : `${groups}----cpu----\n${names}\n`;
}

/** Memory in KiB: swap space in use, free, buffers, page cache. */
function* memory({ system }: ProgramProcess): Activity<number[]> {
  const kib = yield* readMeminfo(system);
  const of = (name: string) => kib instanceof Errno ? 0 : kib.get(name) ?? 0;
  return [of("SwapTotal") - of("SwapFree"), of("MemFree"), of("Buffers"), of("Cached")];
}

/** @param seconds of the interval; undefined: since boot */
function row(
  before: ProcStat,
  now: ProcStat,
  memory: readonly number[],
  seconds: number | undefined,
  hasSteal: boolean,
): string {
  const spent = ticksBetween(before.all, now.all);
  const of = (states: readonly CpuState[]) =>
    states.reduce((sum, state) => sum + spent[CPU_STATES.indexOf(state)]!, 0);
  const times = TIMES.map(of);
  const total = times.reduce((sum, ticks) => sum + ticks, 0) || 1;
  const perSecond = (count: number) =>
    seconds === undefined ? Math.round(count * HZ / total) : Math.round(count / seconds);
  const shares = times.map((ticks) => Math.round(100 * ticks / total));
  const fields: [width: number, value: number][] = [
    [2, now.running],
    [2, now.blocked],
    ...memory.map((kib): [number, number] => [6, kib]),
    ...[4, 4, 5, 5].map((width): [number, number] => [width, 0]),
    [4, perSecond(now.interrupts - before.interrupts)],
    [4, perSecond(now.switches - before.switches)],
    ...(hasSteal ? shares : shares.slice(0, 4)).map((share): [number, number] => [2, share]),
  ];
  return `${fields.map(([width, value]) => String(value).padStart(width)).join(" ")}\n`;
}
