/**
 * ps (procps 3.3): the tasks of a kernel.
 *
 * Column widths and error texts are those of procps 4.0, captured on Debian 12, with pids of 5 digits as in 2012.
 *
 * *Modelled*: `-e` (`-A`), `-L`, `-p LIST`, `-C LIST`, `-o LIST` with the columns in {@linkcode COLUMNS}; `NAME=` leaves
 * a column's heading out. Without a selection: every task that is no kernel thread.
 *
 * *Not modelled*: parents, users, memory, start times, command lines, terminals: the formats and columns that need them
 * are refused. BSD options.
 *
 * *Deviations*: there is no init, and shells are no tasks.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Kernel } from "../linux/kernel.ts";
import { taskTimes, threadsOf } from "../linux/proc_pid.ts";
import { PRIORITY_MAX } from "../linux/scheduler_calls.ts";
import type { Task } from "../linux/task.ts";
import { getopt } from "./getopt.ts";
import type { Program, ProgramProcess } from "./program.ts";

const doc = `ps - lists tasks
Usage: ps [-e] [-L] [-p PID,...] [-C NAME,...] [-o COLUMN,...]
Effects: lists tasks: all with -e, else those selected, or those that are no kernel threads. Columns of -o: pid tid lwp
  psr cls policy rtprio pri ni stat s time tty comm; COLUMN= has no heading
Exit status: 0; 1 if no task is listed, or on a wrong argument
Errors: error: unknown user-defined format specifier "COLUMN"
Differs from the real one: no -f, -l, aux: no parents, users, memory, start times or command lines are modelled; a thread
  is a process of its own, and shells are no tasks
Examples: ps -eLo pid,tid,psr,cls,rtprio,pri,ni,stat,comm
  ps -C ksoftirqd/3 -o pid=`;

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
const commandName = ({ name: text }: Task) => text.slice(0, 15);
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
  text: (task, { kernel }, threads) => clock(cpuTimeNs(kernel, threads ? [task] : threadsOf(kernel, task))),
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
]);

/** Columns of the real tool for which the model has nothing. */
const REFUSED = new Set(
  ("args cmd command pcpu %cpu pmem %mem rss rssize vsz vsize size user uid euser ruser group gid ppid pgid sid " +
    "start stime lstart etime etimes bsdstart bsdtime wchan nlwp thcount flags f addr sz cgroup c cp").split(
      " ",
    ),
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
    const parsed = getopt(command.argv.slice(1), {
      flags: "eAL",
      values: "opC",
      long: { pid: "p", format: "o" },
      notModelled: [..."acdFfGgHjlMmNnOPqstTUuVwxyZ", "forest", "sort", "ppid", "no-headers", "headers"],
    });
    if (parsed === "--help") {
      command.stdout(`${doc}\n`);
      return 0;
    }
    if (typeof parsed === "string") return refuse(command, systemV(parsed));
    if (parsed.operands.length > 0) {
      command.stderr("error: BSD options are not modelled: use -e, and -o for columns\n");
      return 1;
    }
    const columns: { column: Column; heading: string }[] = [];
    let all = false, threads = false;
    const selected: ((task: Task) => boolean)[] = [];
    for (const { letter, value } of parsed.options) {
      const list = value.split(/[\s,]+/).filter((word) => word !== "");
      switch (letter) {
        case "L":
          threads = true;
          break;
        case "p":
          if (list.length === 0 || list.some((word) => !/^\d+$/.test(word))) {
            return refuse(command, "process ID list syntax error");
          }
          selected.push((task) => list.includes(`${task.tgid}`) || list.includes(`${task.pid}`));
          break;
        case "C":
          selected.push((task) => list.some((word) => word.slice(0, 15) === commandName(task)));
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
    if (columns.length === 0) addColumns(threads ? WITH_THREADS : PLAIN, columns);
    const wanted = (task: Task) =>
      all || (selected.length === 0 ? !task.kernelThread : selected.some((matches) => matches(task)));
    const tasks = [...kernel.tasks.values()].filter((task) =>
      (threads || task.pid === task.tgid) && wanted(task)
    );
    if (columns.some(({ heading }) => heading !== "")) {
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
