/**
 * `/proc/PID`: what a task is, where it may run, how it is scheduled.
 *
 * *Document*: Linux 3.5 and 6.18 `fs/proc/{array,base}.c`, `kernel/sched/debug.c` (`proc_sched_show_task`);
 * `proc(5)`.
 *
 * *Modelled*: `cmdline`, `comm`, `cpuset`, `sched`, `stat`, `status`, and `task/TID` with the same of each thread.
 *
 * *Not modelled*: parents, memory, signals, terminals: such lines of `status` are left out, such numbers of `stat` are 0.
 * `maps` and everything else is absent.
 *
 * *Deviations*: shells are no tasks, and have no directory. `self` is the task that reads.
 *
 * @module
 */

import { attribute, directory, readOnly } from "../computed_nodes.ts";
import { cpuList, cpuMask } from "../../cpu_mask.ts";
import type { Cpusets } from "../../sched/cpuset.ts";
import type { Kernel } from "../../kernel.ts";
import type { Task } from "../../sched/task.ts";
import type { AttributeNode, DirectoryNode, Node } from "../vfs.ts";

/** Of directories. */
const MODE = 0o555;

/** The kernel keeps 15 characters of a name (TASK_COMM_LEN). */
const NAME_LENGTH = 15;
/** PF_KTHREAD. */
const KERNEL_THREAD_FLAG = 0x20_0000;
/** Numbers of the policies. */
const POLICIES = Object.freeze({ SCHED_OTHER: 0, SCHED_FIFO: 1, SCHED_RR: 2 });
/** The stop class shows as SCHED_FIFO 99. */
const PRIORITY_MAX = 99;

/** What the directories need to know beside the kernel. */
export interface ProcPidPorts {
  /** Groups of tasks. */
  readonly cpusets: Pick<Cpusets, "pathOf"> | null;
  /** Width of the first column of `sched`: 35 characters, 45 since 3.19. */
  readonly schedColumn: number;
  /** The task that executes now. */
  current(): Task;
}

/** The directory of process `pid`; undefined: there is none. */
export function procPid(kernel: Kernel, ports: ProcPidPorts, pid: number): DirectoryNode | undefined {
  const leader = kernel.tasks.get(pid);
  if (leader === undefined) return undefined;
  const threads = () => threadsOf(kernel, leader);
  const tasks: DirectoryNode = {
    kind: "directory",
    mode: 0o555,
    list: () => threads().map((task) => String(task.pid)),
    lookup: (name) => {
      const task = threads().find((each) => String(each.pid) === name);
      return task && directory(filesOf(kernel, ports, () => task, () => [task]), MODE);
    },
  };
  return directory(filesOf(kernel, ports, () => leader, threads).set("task", tasks), MODE);
}

/** `/proc/self`. */
export function procSelf(kernel: Kernel, ports: ProcPidPorts): DirectoryNode {
  const threads = () => threadsOf(kernel, ports.current());
  return directory(filesOf(kernel, ports, () => ports.current(), threads), MODE);
}

/** @param counted whose times `stat` adds up */
function filesOf(
  kernel: Kernel,
  ports: ProcPidPorts,
  taskOf: () => Task,
  counted: () => readonly Task[],
): Map<string, Node> {
  const file = (show: (task: Task) => string): AttributeNode => readOnly(() => show(taskOf()));
  const files = new Map<string, Node>([
    [
      "cmdline",
      file((task) => (kernel.tasks.get(task.tgid) ?? task).argv.map((word) => `${word}\0`).join("")),
    ],
    [
      "comm",
      attribute(
        0o644,
        () => `${commandName(taskOf())}\n`,
        (text) => void (taskOf().name = text.replace(/\n$/, "").slice(0, NAME_LENGTH)),
      ),
    ],
    ["sched", file((task) => schedOf(kernel, task, ports.schedColumn))],
    ["stat", file((task) => statOf(kernel, task, counted()))],
    ["status", file((task) => statusOf(kernel, task))],
  ]);
  const { cpusets } = ports;
  if (cpusets !== null) files.set("cpuset", file(({ cpuset }) => `${cpusets.pathOf(cpuset)}\n`));
  return files;
}

/** Its name, as far as the kernel keeps it (`comm`). */
export function commandName({ name }: Pick<Task, "name">): string {
  return name.slice(0, NAME_LENGTH);
}

/** The threads of the process of `task`. */
export function threadsOf(kernel: Kernel, { tgid }: Task): Task[] {
  return [...kernel.tasks.values()].filter((task) => task.tgid === tgid);
}

function threadCount(kernel: Kernel, task: Task): number {
  return Math.max(threadsOf(kernel, task).length, 1);
}

/** CPU time up to now, ns. */
function cpuTimeNs(kernel: Kernel, task: Task): number {
  kernel.settle();
  const { current, runQueue } = kernel.cpus[task.cpu]!;
  if (current === task) runQueue.account(task, kernel.nowNs);
  return task.cpuTimeNs;
}

/** Priority as the kernel counts: 120 for a fair task, 99 - N for SCHED_FIFO and RR, -1 for a stopper. */
function priorityOf({ rtPriority }: Task): number {
  return rtPriority === 0 ? 120 : PRIORITY_MAX - rtPriority;
}

function statusOf(kernel: Kernel, task: Task): string {
  const cpus = kernel.cpus.length;
  return [
    `Name:\t${commandName(task)}`,
    `State:\t${task.runnable ? "R (running)" : "S (sleeping)"}`,
    `Tgid:\t${task.tgid}`,
    `Pid:\t${task.pid}`,
    "TracerPid:\t0",
    "Uid:\t0\t0\t0\t0",
    "Gid:\t0\t0\t0\t0",
    `Threads:\t${threadCount(kernel, task)}`,
    `Cpus_allowed:\t${cpuMask(task.allowed, cpus)}`,
    `Cpus_allowed_list:\t${cpuList(task.allowed)}`,
    "Mems_allowed:\t1",
    "Mems_allowed_list:\t0",
    "",
  ].join("\n");
}

/** Where the CPU time of a task went, ns. */
export interface TaskTimes {
  readonly userNs: number;
  readonly systemNs: number;
  /** Executing a guest; part of the user time. */
  readonly guestNs: number;
}

/** Times of a task up to now: of a thread that runs a guest, the guest's is user time and all other is system time. */
export function taskTimes(kernel: Kernel, task: Task): TaskTimes {
  const cpuNs = cpuTimeNs(kernel, task);
  if (task.kernelThread) return { userNs: 0, systemNs: cpuNs, guestNs: 0 };
  let guestNs = task.guestNs, elsewhereNs = task.guestElsewhereNs;
  for (const { guestTime, current } of kernel.cpus) {
    const openNs = guestTime.openNs(kernel.engine.nowNs, task);
    guestNs += openNs;
    if (current !== task) elsewhereNs += openNs;
  }
  if (guestNs === 0) return { userNs: cpuNs, systemNs: 0, guestNs };
  return { userNs: guestNs, systemNs: Math.max(0, cpuNs + elsewhereNs - guestNs), guestNs };
}

/**
 * Fields of `stat` by their numbers in `proc(5)`, less one; the others are 0.
 *
 * @param counted whose times: the task's alone, or those of all threads of its process
 */
function statOf(kernel: Kernel, task: Task, counted: readonly Task[]): string {
  const times = counted.map((each) => taskTimes(kernel, each));
  const sum = (which: keyof TaskTimes) => times.reduce((ns, each) => ns + each[which], 0);
  const fields = new Array<number | string>(44).fill(0);
  fields[0] = task.pid;
  fields[1] = `(${commandName(task)})`;
  fields[2] = task.runnable ? "R" : "S";
  fields[8] = task.kernelThread ? KERNEL_THREAD_FLAG : 0;
  fields[13] = Math.floor(sum("userNs") / 1e7);
  fields[14] = Math.floor(sum("systemNs") / 1e7);
  fields[17] = priorityOf(task) - 100;
  fields[19] = threadCount(kernel, task);
  fields[37] = 17; // SIGCHLD
  fields[38] = task.cpu;
  fields[39] = Math.min(task.rtPriority, PRIORITY_MAX);
  fields[40] = POLICIES[task.policy];
  fields[42] = Math.floor(sum("guestNs") / 1e7);
  return `${fields.join(" ")}\n`;
}

function schedOf(kernel: Kernel, task: Task, column: number): string {
  const runNs = cpuTimeNs(kernel, task);
  const line = (name: string, value: string) => `${name.padEnd(column)}:${value.padStart(21)}`;
  /** ms with six decimals, as PN() prints them. */
  const ms = (name: string, ns: number) => line(name, (ns / 1e6).toFixed(6));
  const head = `${commandName(task)} (${task.pid}, #threads: ${threadCount(kernel, task)})`;
  return [
    head,
    "-".repeat(column + 22),
    ms("se.exec_start", task.execStartNs),
    ms("se.vruntime", task.vruntimeNs),
    ms("se.sum_exec_runtime", runNs),
    line("se.load.weight", "1024"),
    line("policy", String(POLICIES[task.policy])),
    line("prio", String(priorityOf(task))),
    "",
  ].join("\n");
}
