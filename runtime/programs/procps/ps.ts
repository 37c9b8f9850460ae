/**
 * ps (procps 3.3): the tasks of a kernel.
 *
 * Column widths and error texts are those of procps 4.0, captured on Debian 12, with pids of 5 digits as in 2012.
 *
 * *Modelled*: `-e` (`-A`), `-L`, `-T`, `-p LIST`, `-C LIST`, `-f`, `-o LIST` with the columns in {@linkcode COLUMNS}; `NAME=`
 * leaves a column's heading out; of BSD's options `a`, `x`, `u`, `w` and `o LIST`. Without a selection: every task that is
 * no kernel thread.
 *
 * *Not modelled*: parents, memory, terminals: their columns hold a dash.
 *
 * *Deviations*: there is no init, and shells are no tasks.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { Kernel } from "../../linux/kernel.ts";
import { commandName, taskTimes, threadsOf } from "../../linux/fs/proc/proc_pid.ts";
import { PRIORITY_MAX } from "../../linux/sched/scheduler_calls.ts";
import type { Task } from "../../linux/sched/task.ts";
import { getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `ps - lists tasks
Usage: ps [-e] [-f] [-L|-T] [-p PID,...] [-C NAME,...] [-o COLUMN,...] [--sort [-]COLUMN] [--no-headers]
  ps aux | ax | axo COLUMN,...
Effects: lists tasks: all with -e or ax, else those selected, or those that are no kernel threads. Columns of -o: pid tid lwp
  psr cls policy rtprio pri ni stat s time tty comm args user uid pcpu start etimes nlwp ppid vsz rss; COLUMN= has no
  heading
Exit status: 0; 1 if no task is listed, or on a wrong argument
Errors: error: unknown user-defined format specifier "COLUMN"
Differs from the real one: no -l, -F, -H; parents, memory and terminals are not modelled: a dash; shells are no tasks
Examples: ps -eLo pid,tid,psr,cls,rtprio,pri,ni,stat,comm
  ps -C ksoftirqd/3 -o pid=
  ps aux | tail -n 1`;

/** A column of `-o`. */
interface Column {
  readonly heading: string;
  readonly width: number;
  readonly left?: boolean;
  /** @param threads whether threads are listed, and not processes */
  text(task: Task, command: ProgramProcess, threads: boolean): string;
}

const CLASSES = { SCHED_OTHER: "TS", SCHED_FIFO: "FF", SCHED_RR: "RR" } as const;

/** The stop class shows as SCHED_FIFO 99. */
const priorityOf = ({ rtPriority }: Task) => Math.min(rtPriority, PRIORITY_MAX);
const thread = (heading: string): Column => ({ heading, width: 5, text: (task) => `${task.pid}` });
/** The kernel keeps 15 characters (TASK_COMM_LEN). */
const state = ({ runnable }: Task) => runnable ? "R" : "S";
const className = (heading: string): Column => ({
  heading,
  width: 3,
  text: ({ policy }) => CLASSES[policy],
});
const name = (heading: string): Column => ({ heading, width: 15, left: true, text: commandName });
const terminal = (heading: string): Column => ({ heading, width: 8, left: true, text: () => "?" });
const nice: Column = { heading: "NI", width: 3, text: (task) => task.realTime ? "-" : "0" };
const time: Column = {
  heading: "TIME",
  width: 8,
  text: (task, command, threads) => clock(usedNs(task, command, threads)),
};

/** CPU time of a thread where threads are listed, else of its process, ns. */
function usedNs(task: Task, { kernel }: ProgramProcess, threads: boolean): number {
  return cpuTimeNs(kernel, threads ? [task] : threadsOf(kernel, task));
}

/** Command line; the name in brackets of a kernel thread, and of what has no command line. */
const argsOf = (task: Task, { kernel }: ProgramProcess) => {
  const { argv } = kernel.tasks.get(task.tgid) ?? task;
  return argv.length > 0 ? argv.join(" ") : `[${commandName(task)}]`;
};
const args = (heading: string): Column => ({ heading, width: 27, left: true, text: argsOf });
const user: Column = { heading: "USER", width: 8, left: true, text: () => "root" };
const userNumber: Column = { heading: "UID", width: 5, text: () => "0" };
/** What the model has nothing to say about. */
const unknown = (heading: string, width: number): Column => ({ heading, width, text: () => "-" });
/** CPU time in percent of the time since the task was made. */
const percentCpu = (task: Task, command: ProgramProcess, threads: boolean) =>
  (100 * usedNs(task, command, threads) / Math.max(1, command.kernel.nowNs - task.startNs)).toFixed(1);
const cpuShare: Column = { heading: "%CPU", width: 4, text: percentCpu };
/** Whole percent, as -f has it. */
const cpuUse: Column = {
  heading: "C",
  width: 2,
  text: (task, command, threads) => `${Math.min(99, Math.floor(Number(percentCpu(task, command, threads))))}`,
};
const start = (heading: string): Column => ({
  heading,
  width: 5,
  text: ({ startNs }, { system }) =>
    clock((system.bootTime + Math.floor(startNs / 1e9)) % 86_400 * 1e9).slice(0, 5),
});
const seconds: Column = {
  heading: "ELAPSED",
  width: 7,
  text: ({ startNs }, { kernel }) => `${Math.floor((kernel.nowNs - startNs) / 1e9)}`,
};
const threadCount: Column = {
  heading: "NLWP",
  width: 4,
  text: (task, { kernel }) => `${threadsOf(kernel, task).length}`,
};
/** `ps aux` has minutes and seconds. */
const shortTime: Column = {
  heading: "TIME",
  width: 6,
  text: (task, command, threads) => {
    const all = Math.floor(usedNs(task, command, threads) / 1e9);
    return `${Math.floor(all / 60)}:${String(all % 60).padStart(2, "0")}`;
  },
};

/** The columns that are modelled, by the names that `-o` takes. */
const COLUMNS: ReadonlyMap<string, Column> = new Map<string, Column>([
  ["pid", { heading: "PID", width: 5, text: (task) => `${task.tgid}` }],
  ["tgid", { heading: "TGID", width: 5, text: (task) => `${task.tgid}` }],
  ["tid", thread("TID")],
  ["lwp", thread("LWP")],
  ["spid", thread("SPID")],
  ["psr", { heading: "PSR", width: 3, text: (task, { processors }) => `${processors.indexOf(task.cpu)}` }],
  ["cls", className("CLS")],
  ["class", className("CLS")],
  ["policy", className("POL")],
  ["rtprio", { heading: "RTPRIO", width: 6, text: (task) => task.realTime ? `${priorityOf(task)}` : "-" }],
  ["pri", { heading: "PRI", width: 3, text: (task) => `${task.realTime ? 40 + priorityOf(task) : 19}` }],
  ["ni", nice],
  ["nice", nice],
  ["stat", { heading: "STAT", width: 4, left: true, text: state }],
  ["s", { heading: "S", width: 1, left: true, text: state }],
  ["state", { heading: "S", width: 1, left: true, text: state }],
  ["time", time],
  ["cputime", time],
  ["tty", terminal("TT")],
  ["tt", terminal("TT")],
  ["tname", terminal("TTY")],
  ["comm", name("COMMAND")],
  ["ucmd", name("CMD")],
  ["ucomm", name("COMMAND")],
  ["args", args("COMMAND")],
  ["command", args("COMMAND")],
  ["cmd", args("CMD")],
  ["user", user],
  ["euser", { ...user, heading: "EUSER" }],
  ["uid", userNumber],
  ["euid", { ...userNumber, heading: "EUID" }],
  ["pcpu", cpuShare],
  ["%cpu", cpuShare],
  ["c", cpuUse],
  ["start", start("START")],
  ["stime", start("STIME")],
  ["etimes", seconds],
  ["nlwp", threadCount],
  ["thcount", { ...threadCount, heading: "THCNT" }],
  ["ppid", unknown("PPID", 5)],
  ["vsz", unknown("VSZ", 6)],
  ["rss", unknown("RSS", 5)],
  ["pmem", unknown("%MEM", 4)],
  ["%mem", unknown("%MEM", 4)],
  ["bsdtime", shortTime],
]);

/** Columns of the real tool for which the model has nothing. */
const REFUSED = new Set(
  "rssize vsize size group gid ruser egroup pgid sid lstart etime bsdstart wchan flags f addr sz cgroup cp"
    .split(" "),
);

const USAGE = `
Usage:
 ps [options]

 Try 'ps --help' for additional help text.

For more details see ps(1).
`;

/** The program. */
export const ps: Program = {
  name: "ps",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel } = command;
    yield kernel.steps.shellBuiltin;
    const bsd = bsdOptions(command.argv.slice(1));
    const parsed = getopt(bsd ?? command.argv.slice(1), {
      flags: "eALTfwhBu",
      values: "opC~",
      long: { pid: "p", format: "o", sort: "~", "no-headers": "h", "no-heading": "h" },
      notModelled: [..."acdFGgHjlMmNnOPqstUVxyZ", "forest", "ppid", "headers"],
    });
    if (parsed === "--help") {
      command.stdout(`${doc}\n`);
      return 0;
    }
    if (typeof parsed === "string") return refuse(command, systemV(parsed));
    if (parsed.operands.length > 0) {
      command.stderr(`error: BSD option ${parsed.operands[0]} is not modelled: a, x, u, w and o are\n`);
      return 1;
    }
    const columns: { column: Column; heading: string }[] = [];
    let all = false, threads = false, format: readonly string[] | undefined, order: string | undefined;
    let headings = true;
    const selected: ((task: Task) => boolean)[] = [];
    for (const { letter, value } of parsed.options) {
      const list = value.split(/[\s,]+/).filter((word) => word !== "");
      switch (letter) {
        case "L":
          threads = true;
          break;
        case "T":
          threads = true;
          format ??= WITH_SPID;
          break;
        case "f":
          format = FULL;
          break;
        case "B":
          format = BSD;
          break;
        case "u":
          format = BSD_USERS;
          break;
        case "w":
          break;
        case "h":
          headings = false;
          break;
        case "~":
          order = value;
          break;
        case "p":
          if (list.length === 0 || list.some((word) => !/^\d+$/.test(word))) {
            return refuse(command, "process ID list syntax error");
          }
          selected.push((task) => list.includes(`${task.tgid}`) || list.includes(`${task.pid}`));
          break;
        case "C":
          selected.push((task) => list.some((word) => commandName({ name: word }) === commandName(task)));
          break;
        case "o": {
          const complaint = addColumns(list, columns);
          if (complaint !== undefined) return refuse(command, complaint);
          break;
        }
        default:
          all = true;
      }
    }
    if (columns.length === 0) {
      const chosen = format === FULL && threads ? FULL_WITH_THREADS : format;
      addColumns(chosen ?? (threads ? WITH_THREADS : PLAIN), columns);
    }
    const wanted = (task: Task) =>
      all || (selected.length === 0 ? !task.kernelThread : selected.some((matches) => matches(task)));
    const tasks = [...kernel.tasks.values()].filter((task) =>
      (threads || task.pid === task.tgid) && wanted(task)
    );
    if (order !== undefined) {
      const complaint = sort(tasks, order, (column, task) => column.text(task, command, threads));
      if (complaint !== undefined) return refuse(command, complaint);
    }
    if (headings && columns.some(({ heading }) => heading !== "")) {
      command.stdout(row(columns.map(({ column, heading }) => ({ column, text: heading }))));
    }
    for (const task of tasks) {
      command.stdout(
        row(columns.map(({ column }) => ({ column, text: column.text(task, command, threads) }))),
      );
    }
    return tasks.length > 0 ? 0 : 1;
  },
};

const PLAIN = ["pid", "tname", "time", "ucmd"];
const WITH_THREADS = ["pid", "lwp", "tname", "time", "ucmd"];

const WITH_SPID = ["pid", "spid", "tname", "time", "ucmd"];
const FULL = ["user=UID", "pid", "ppid", "c", "stime", "tname", "time", "cmd"];
const FULL_WITH_THREADS = ["user=UID", "pid", "ppid", "lwp", "c", "nlwp", "stime", "tname", "time", "cmd"];
const BSD = ["pid", "tname", "stat", "bsdtime", "command"];
const BSD_USERS = [
  ..."user pid %cpu %mem vsz rss".split(" "),
  "tname",
  "stat",
  "start",
  "bsdtime",
  "command",
];

/** The first word without a dash as the options that it stands for; undefined: there is none. */
function bsdOptions(args: readonly string[]): string[] | undefined {
  const [first = "", ...rest] = args;
  if (!/^-?[axuw]+o?$/.test(first) || (first.startsWith("-") && !/[ax]/.test(first))) return undefined;
  const letters = first.replace("-", "");
  const options = letters.includes("x") ? ["-e"] : [];
  options.push(letters.includes("u") ? "-u" : "-B");
  return [...options, ...(letters.includes("o") ? ["-o"] : []), ...rest];
}

/** `--sort -pcpu,pid`; answers a complaint about a column that is not there. */
function sort(
  tasks: Task[],
  order: string,
  textOf: (column: Column, task: Task) => string,
): string | undefined {
  const keys: { readonly column: Column; readonly sign: number }[] = [];
  for (const key of order.split(",")) {
    const column = COLUMNS.get(key.replace(/^[-+]/, ""));
    if (column === undefined) return "unknown sort specifier";
    keys.push({ column, sign: key.startsWith("-") ? -1 : 1 });
  }
  tasks.sort((a, b) => {
    for (const { column, sign } of keys) {
      const [x, y] = [textOf(column, a), textOf(column, b)];
      const difference = Number(x) - Number(y);
      const way = Number.isNaN(difference) ? (x < y ? -1 : x > y ? 1 : 0) : difference;
      if (way !== 0) return sign * way;
    }
    return 0;
  });
  return undefined;
}

/** What getopt's complaint is in ps's own words. */
function systemV(complaint: string): string {
  if (complaint.endsWith("is not modelled")) return complaint;
  if (complaint.endsWith("argument -- 'o'")) return "format specification must follow -o";
  if (/ -- '[pC]'$/.test(complaint)) {
    return "list of process IDs must follow -p".replace("-p", `-${complaint.at(-2)}`);
  }
  return complaint.startsWith("unrecognized") ? "unknown gnu long option" : "unsupported SysV option";
}

function refuse(command: ProgramProcess, complaint: string): number {
  command.stderr(`error: ${complaint}\n${complaint.endsWith("is not modelled") ? "" : USAGE}`);
  return 1;
}

/** Adds the columns named; answers a complaint about one that is not there. */
function addColumns(
  names: readonly string[],
  columns: { column: Column; heading: string }[],
): string | undefined {
  if (names.length === 0) return "empty format list";
  for (const word of names) {
    const [key = "", heading] = word.split("=", 2);
    const column = COLUMNS.get(key);
    if (column === undefined) {
      return REFUSED.has(key)
        ? `column ${key} is not modelled`
        : `unknown user-defined format specifier "${key}"`;
    }
    columns.push({ column, heading: heading ?? column.heading });
  }
  return undefined;
}

/** A line; nothing pads its last column. */
function row(cells: readonly { readonly column: Column; readonly text: string }[]): string {
  const texts = cells.map(({ column: { width, left }, text }, i) =>
    left ? (i === cells.length - 1 ? text : text.padEnd(width)) : text.padStart(width)
  );
  return `${texts.join(" ")}\n`;
}

/** CPU time up to now, as `stat` of /proc/PID has it. */
function cpuTimeNs(kernel: Kernel, tasks: readonly Task[]): number {
  return tasks.reduce((ns, task) => {
    const { userNs, systemNs } = taskTimes(kernel, task);
    return ns + userNs + systemNs;
  }, 0);
}

/** `[DD-]HH:MM:SS`. */
function clock(ns: number): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const seconds = Math.floor(ns / 1e9), days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24, minutes = Math.floor(seconds / 60) % 60;
  return `${days === 0 ? "" : `${two(days)}-`}${two(hours)}:${two(minutes)}:${two(seconds % 60)}`;
}
