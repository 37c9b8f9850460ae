/**
 * mpstat (sysstat): what each CPU's time went to, in per cent, and how many interrupts came, from `/proc/stat` and
 * `/proc/interrupts`.
 *
 * The layout is that of version 10.0.5 (2012), or 12.6.1: a column for niced guests more, and no CPU that is offline.
 *
 * *Modelled*: `-u`, `-I SUM`, `-P`, interval and count, averages at the end. *Not modelled*: `-A`, `-n`, `-N`, `-T`, `-o`,
 * `--dec`, single interrupts (`-I CPU | SCPU | ALL`).
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { young } from "../../hw/sim/young.ts";
import { parseCpuList } from "../linux/cpu_mask.ts";
import { Errno } from "../linux/errno.ts";
import { calendarDate, twoDigits } from "../measure/calendar.ts";
import { complain, getopt, type OptionTable } from "./getopt.ts";
import {
  AT_BOOT,
  CPU_STATES,
  type CpuState,
  type CpuTicks,
  type ProcStat,
  readProcStat,
  ticksBetween,
} from "./proc_stat.ts";
import { type Program, type ProgramProcess, readFile } from "./program.ts";
import { SIGINT } from "./signals.ts";

const doc = `mpstat - what the time of each CPU went to
Usage: mpstat [-u] [-I SUM] [-P CPU[,...] | ON | ALL] [INTERVAL [COUNT]]
Effects: prints the shares of user, system, guest and idle time (-u) and interrupts a second (-I SUM), of all CPUs together or of
  those that -P names, since boot, or COUNT times each INTERVAL seconds; then their averages, also after a Ctrl-C (2012: not then)
Exit status: 0; 1 on a wrong argument
Errors: the usage
Differs from the real one: no single interrupts (-I CPU, SCPU, ALL), no -A, -n, -N, -T, -o. Time in interrupts and softirqs is
  system time here, as of a kernel whose tick never meets them
Examples: mpstat -P ALL 1 1
  mpstat -I SUM -P ALL 1 2`;

const USAGE = {
  "10.0.5": `Usage: mpstat [ options ] [ <interval> [ <count> ] ]
Options are:
[ -A ] [ -u ] [ -V ] [ -I { SUM | CPU | SCPU | ALL } ]
[ -P { <cpu> [,...] | ON | ALL } ]
`,
  "12.6.1": `Usage: mpstat [ options ] [ <interval> [ <count> ] ]
Options are:
[ -A ] [ -n ] [ -T ] [ -u ] [ -V ]
[ -I { SUM | CPU | SCPU | ALL } ] [ -N { <node_list> | ALL } ]
[ --dec={ 0 | 1 | 2 } ] [ -o JSON ] [ -P { <cpu_list> | ALL } ]
`,
};

/** A column: what it is the share of, and what has a column of its own. */
interface Column {
  readonly title: string;
  readonly state: CpuState;
  readonly without?: CpuState;
}

const COLUMNS: readonly Column[] = [
  { title: "%usr", state: "user", without: "guest" },
  { title: "%nice", state: "nice", without: "guestNice" },
  { title: "%sys", state: "system" },
  { title: "%iowait", state: "iowait" },
  { title: "%irq", state: "irq" },
  { title: "%soft", state: "softirq" },
  { title: "%steal", state: "steal" },
  { title: "%guest", state: "guest" },
  { title: "%gnice", state: "guestNice" },
  { title: "%idle", state: "idle" },
];

/** One look at the counters. */
interface Sample extends ProcStat {
  readonly nowNs: number;
  /** Interrupts since boot of the CPUs online, by number. */
  readonly interruptsOf: ReadonlyMap<number, number>;
}

/** What is asked for. */
interface Request {
  readonly shows: { readonly cpu: boolean; readonly interrupts: boolean };
  /** All CPUs together. */
  readonly all: boolean;
  /** Those with a line of their own. */
  readonly cpus: readonly number[];
  /** Not those that are offline. */
  readonly onlineOnly: boolean;
  /** There is a column for niced guests. */
  readonly guestNice: boolean;
  /** Absent: since boot. */
  readonly intervalNs: number | undefined;
  /** Absent: for ever. */
  readonly count: number | undefined;
}

const OPTIONS: OptionTable = {
  flags: "u",
  values: "IP",
  notModelled: [..."AnNTVo", "dec"],
};

/** The program. */
export const mpstat: Program = {
  name: "mpstat",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, system, task } = command;
    const { sysstat } = system.tools;
    yield kernel.steps.shellBuiltin;
    const request = requestOf(command);
    if (typeof request === "number") return request;
    const clock = (ns: number) => calendarDate(system.bootTime + Math.floor(ns / 1e9));
    const { month, day, year } = clock(kernel.nowNs);
    const date = [month, day, year % 100].map(twoDigits).join("/");
    const { release } = kernel.release;
    command.stdout(
      `Linux ${release} (${system.hostname}) \t${date} \t_x86_64_\t(${kernel.cpus.length} CPU)\n`,
    );
    let stopped = false;
    task.onSignal = young((signal, from) => {
      if (signal !== SIGINT || sysstat === "10.0.5") return false;
      stopped = true;
      kernel.wake(task, from);
      return true;
    });
    const print = (before: Sample, now: Sample, head: string, row = head) => {
      for (const [title, ...rows] of tables(request, before, now)) {
        const lines = [`\n${head.padEnd(11)}${title}`, ...rows.map((line) => row.padEnd(11) + line)];
        command.stdout(`${lines.join("\n")}\n`);
      }
    };
    const { intervalNs, count } = request;
    const first = yield* look(command);
    if (intervalNs === undefined) {
      print({ ...AT_BOOT, nowNs: 0, interruptsOf: new Map() }, first, clock(first.nowNs).time);
      return 0;
    }
    const timer = kernel.sleepTimer(task);
    let before = first;
    for (let printed = 0; !stopped && (count === undefined || printed < count); printed++) {
      yield* kernel.sleepUntil(task, timer, first.nowNs + (printed + 1) * intervalNs, () => stopped);
      const now = yield* look(command);
      print(before, now, clock(before.nowNs).time, clock(now.nowNs).time);
      before = now;
    }
    print(first, before, "Average:");
    return 0;
  },
};

/** What is asked for, or the exit status of what is wrong with it. */
function requestOf(command: ProgramProcess): Request | number {
  const { kernel: { cpus }, system: { tools: { sysstat } } } = command;
  const isOld = sysstat === "10.0.5";
  const usage = () => {
    command.stderr(USAGE[sysstat]);
    return 1;
  };
  const parsed = getopt(command.argv.slice(1), OPTIONS);
  if (typeof parsed === "string") {
    return parsed === "--help" || parsed.endsWith("not modelled")
      ? complain(command, mpstat, parsed)
      : usage();
  }
  const shows = new Set<string>();
  let all = false, onlineOnly = !isOld, mask = 0;
  for (const { letter, value } of parsed.options) {
    if (letter === "I") {
      if (["CPU", "SCPU", "ALL"].includes(value)) {
        return complain(command, mpstat, `-I ${value} is not modelled: see /proc/interrupts, /proc/softirqs`);
      }
      if (value !== "SUM") return usage();
    }
    if (letter !== "P") {
      shows.add(letter);
      continue;
    }
    const online = isOld && value === "ON";
    if (online || value === "ALL") {
      all = true;
      onlineOnly ||= online;
      mask = 2 ** cpus.length - 1;
      continue;
    }
    const listed = parseCpuList(value, cpus.length);
    if (listed instanceof Errno || listed === 0) return usage();
    mask |= listed;
  }
  const [interval, count, ...more] = parsed.operands;
  const numbers = [interval, count].map((text) => text === undefined ? undefined : Number(text));
  const isNumber = (text: string | undefined) => text === undefined || /^\d+$/.test(text);
  if (more.length > 0 || !isNumber(interval) || !isNumber(count) || numbers[1] === 0) return usage();
  const [seconds = 0] = numbers;
  if (seconds === 0 && count !== undefined) return usage();
  return {
    shows: { cpu: shows.size === 0 || shows.has("u"), interrupts: shows.has("I") },
    all: all || mask === 0,
    cpus: cpus.map(({ id }) => id).filter((id) => (mask & (1 << id)) !== 0),
    onlineOnly,
    guestNice: !isOld,
    intervalNs: seconds === 0 ? undefined : seconds * 1e9,
    count: numbers[1],
  };
}

function* look(command: ProgramProcess): Activity<Sample> {
  const { kernel, system } = command;
  const nowNs = kernel.nowNs;
  const text = yield* readFile(system, "/proc/interrupts");
  const interruptsOf = new Map<number, number>();
  if (!(text instanceof Errno)) {
    const [head = "", ...rows] = text.split("\n");
    const cpus = [...head.matchAll(/CPU(\d+)/g)].map(([, cpu]) => Number(cpu));
    for (const row of rows) {
      const [, ...fields] = row.trim().split(/\s+/);
      // A row like ERR has one number for all of them, which no CPU's sum contains.
      if (fields.length < cpus.length) continue;
      for (const [i, cpu] of cpus.entries()) {
        interruptsOf.set(cpu, (interruptsOf.get(cpu) ?? 0) + Number(fields[i]));
      }
    }
  }
  return { ...(yield* readProcStat(system)), nowNs, interruptsOf };
}

/** The tables of one interval, line by line, without the time in front of each. */
function* tables(request: Request, before: Sample, now: Sample): Generator<string[]> {
  const cpus = request.cpus.filter((cpu) => !request.onlineOnly || now.cpus.has(cpu));
  const table = (title: string, all: string, of: (cpu: number) => string) => [
    `  CPU${title}`,
    ...request.all ? [`  all${all}`] : [],
    ...cpus.map((cpu) => ` ${String(cpu).padStart(4)}${of(cpu)}`),
  ];
  if (request.shows.cpu) {
    const columns = COLUMNS.filter(({ state }) => request.guestNice || state !== "guestNice");
    yield table(
      columns.map(({ title }) => title.padStart(8)).join(""),
      shares(columns, before.all, now.all),
      (cpu) => {
        const ticks = now.cpus.get(cpu);
        return shares(columns, ticks === undefined ? undefined : before.cpus.get(cpu) ?? AT_BOOT.all, ticks);
      },
    );
  }
  if (request.shows.interrupts) {
    const seconds = (now.nowNs - before.nowNs) / 1e9;
    const rate = (count: number) => (seconds === 0 ? 0 : count / seconds).toFixed(2).padStart(10);
    const of = ({ interruptsOf }: Sample, cpu: number) => interruptsOf.get(cpu) ?? 0;
    yield table(
      "    intr/s",
      rate(now.interrupts - before.interrupts),
      (cpu) => rate(Math.max(0, of(now, cpu) - of(before, cpu))),
    );
  }
}

/** Shares in per cent; a CPU that is not there has none, and one whose counters stand still is idle. */
function shares(columns: readonly Column[], before: CpuTicks = [], now?: CpuTicks): string {
  const spent = now === undefined ? [] : ticksBetween(before, now);
  const of = (state: CpuState | undefined) => state === undefined ? 0 : spent[CPU_STATES.indexOf(state)] ?? 0;
  const total = CPU_STATES.slice(0, 8).reduce((sum, state) => sum + of(state), 0);
  return columns.map(({ state, without }) => {
    const share = total > 0
      ? 100 * Math.max(0, of(state) - of(without)) / total
      : now !== undefined && state === "idle"
      ? 100
      : 0;
    return share.toFixed(2).padStart(8);
  }).join("");
}
