/**
 * What tuna does with what has been chosen: lists, moves, priorities, a command.
 *
 * *Document*: the columns and texts of tuna 0.15, recorded on Debian 12.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { countCpus } from "../../linux/cpu_mask.ts";
import { Errno } from "../../linux/errno.ts";
import { commandName, threadsOf } from "../../linux/fs/proc/proc_pid.ts";
import { affinity, PRIORITY_MAX, setAffinity, setScheduler } from "../../linux/sched/scheduler_calls.ts";
import type { CpuMask, Policy, Task } from "../../linux/sched/task.ts";
import { irqAffinity, listIrqs, setIrqAffinity, setShellAffinity } from "../affinities.ts";
import { maskOf, Placement, processorMask, type ProgramProcess } from "../program.ts";
import type { Priority, Selection } from "./tuna_selection.ts";

/** More CPUs than that are shown as a mask. */
const LISTED_CPUS = 4;

const POLICIES: Readonly<Record<string, Policy>> = {
  OTHER: "SCHED_OTHER",
  FIFO: "SCHED_FIFO",
  RR: "SCHED_RR",
};

/** `-P`: a line for each thread that is chosen, or for all. */
export function showThreads(command: ProgramProcess, selection: Selection): void {
  const { kernel } = command;
  const { threads, irqs, cpus, children } = selection;
  if (command.toTerminal) {
    command.stdout(`${" ".repeat(7)} ${" ".repeat(6)} ${" ".repeat(5)} ${" thread"}       \n`);
    command.stdout(`${"pid".padStart(7)} SCHED_ rtpri affinity ${"cmd".padStart(15)} \n`);
  }
  const wanted = maskOf(command.processors.filter((_, number) => cpus.includes(number)));
  const tasks = [...kernel.tasks.values()].filter((task) => {
    if (threads.length === 0 && task.pid !== task.tgid) return false;
    if (task.kernelThread ? !selection.kernelThreads : !selection.userThreads) return false;
    if (threads.length > 0 ? !threads.includes(task.pid) : irqs !== null && irqs.length > 0) return false;
    return wanted === 0 || (affinity(kernel, task) & wanted) !== 0;
  }).sort((a, b) => a.pid - b.pid);
  for (const task of tasks) {
    showThread(command, task, children);
    if (!children) continue;
    for (const thread of threadsOf(kernel, task)) if (thread !== task) showThread(command, thread, false);
  }
}

function showThread(command: ProgramProcess, task: Task, isParent: boolean): void {
  const { kernel, processors } = command;
  const cpus = affinityText(processorMask(affinity(kernel, task), processors));
  const name = commandName(task);
  const columns = [
    task.policy.slice("SCHED_".length).padStart(6),
    String(Math.min(task.rtPriority, PRIORITY_MAX)).padStart(5),
    cpus.padStart(8),
    name.padStart(15),
    driverOf(command, /^irq\/\d+-(.*)$/.exec(name)?.[1] ?? "") ?? "",
  ];
  const pid = String(task.pid).padEnd(5);
  command.stdout(`${isParent ? ` ${pid} ` : `  ${pid}`} ${columns.join(" ")} \n`);
}

/** `0,1`, or `0xff` where there are more. */
function affinityText(mask: CpuMask): string {
  if (countCpus(mask) > LISTED_CPUS) return `0x${(mask >>> 0).toString(16)}`;
  const cpus: number[] = [];
  for (let cpu = 0; cpu < 32; cpu++) if ((mask & (1 << cpu)) !== 0) cpus.push(cpu);
  return cpus.join(",");
}

/** The driver of an interface. */
function driverOf({ system }: ProgramProcess, device: string): string | undefined {
  return system.netDevices.ethtoolOps(device)?.driver;
}

/** `-Q`: a line for each interrupt that is chosen, or for all. */
export function* showIrqs(command: ProgramProcess, { irqs, cpus }: Selection): Activity<void> {
  const { processors, system } = command;
  if (command.toTerminal) command.stdout(`   # users            affinity\n`);
  const wanted = maskOf(processors.filter((_, number) => cpus.includes(number)));
  for (const { number, users } of yield* listIrqs(system)) {
    if (irqs !== null && irqs.length > 0 && !irqs.includes(number)) continue;
    const mask = yield* irqAffinity(command, number);
    if (wanted !== 0 && (mask & wanted) === 0) continue;
    const text = affinityText(processorMask(mask, processors)).padStart(8);
    const drivers = new Set(users.flatMap((user) => driverOf(command, user.replace(/-.*$/, "")) ?? []));
    const names = users.join(",").padEnd(16);
    command.stdout(
      `${String(number).padStart(4)} ${names} ${text} ${
        drivers.size > 0 ? ` ${[...drivers].join(",")}` : ""
      }\n`,
    );
  }
}

/** `-m`, `-x`: the chosen threads, with all threads of their processes, and interrupts go to the chosen CPUs. */
export function* move(command: ProgramProcess, selection: Selection, spreads: boolean): Activity<void> {
  const { processors } = command;
  const { cpus } = selection;
  const all = maskOf(processors.filter((_, number) => cpus.includes(number)));
  let turn = 0;
  const next = (): CpuMask => {
    const cpu = processors[cpus[turn++ % cpus.length]!];
    return cpu === undefined ? 0 : 1 << cpu;
  };
  for (const pid of selection.threads) yield* moveThread(command, pid, spreads ? next() : all);
  turn = 0;
  for (const irq of selection.irqs ?? []) yield* setIrqAffinity(command, irq, spreads ? next() : all);
}

function* moveThread(command: ProgramProcess, pid: number, mask: CpuMask): Activity<void> {
  const { kernel, system } = command;
  const cannot = () => command.stderr(`thread ${pid} cannot be moved as requested\n`);
  const placement = system.placementOf(pid);
  if (placement !== undefined) {
    if (setShellAffinity(command, placement, mask)) cannot();
    return;
  }
  const found = kernel.tasks.get(pid);
  if (found === undefined) return; // it has ended
  for (const task of found.pid === found.tgid ? threadsOf(kernel, found) : [found]) {
    const refused = yield* setAffinity(kernel, system.threads, task, mask, command.task);
    if (refused instanceof Errno) return cannot();
  }
}

/** `fifo:10`, `rr`, `10`; a text says what is wrong. */
export function priorityOf(text: string): Priority | string {
  const [name = "", number] = text.split(":");
  const policy = POLICIES[name.toUpperCase()];
  if (["BATCH", "IDLE"].includes(name.toUpperCase())) return `policy ${name} is not modelled`;
  const priority = policy === undefined ? name : number ?? (policy === "SCHED_OTHER" ? "0" : "1");
  if (!/^\d+$/.test(priority)) return `"${name}" is unsupported priority value!`;
  return { policy: policy ?? null, priority: Number(priority) };
}

/** `-p`: policy and priority of the chosen threads. */
export function* setPriorities(
  command: ProgramProcess,
  { threads, children }: Selection,
  { policy, priority }: Priority,
): Activity<number | undefined> {
  const { kernel } = command;
  for (const pid of threads) {
    const placement = command.system.placementOf(pid);
    if (placement !== undefined) {
      placement.policy = policy ?? placement.policy;
      placement.rtPriority = priority;
      continue;
    }
    const found = kernel.tasks.get(pid);
    if (found === undefined) continue;
    for (const task of children ? threadsOf(kernel, found) : [found]) {
      const here = kernel.cpus[command.task.cpu]!;
      const refused = setScheduler(kernel, task, policy ?? task.policy, priority, here);
      yield* here.sendPendingIpis();
      if (!(refused instanceof Errno)) continue;
      command.stdout(`tuna: [Errno ${refused.number}] ${refused.message}\n`);
      return 2;
    }
  }
}

/** `-r`: runs a command on the chosen CPUs, with the chosen priority, and waits for it. */
export function* run(
  command: ProgramProcess,
  { cpus, priority }: Selection,
  text: string,
): Activity<number | undefined> {
  const { kernel, processors } = command;
  const placement = Placement.of(command.task);
  if (cpus.length > 0) {
    placement.allowed = maskOf(processors.filter((_, number) => cpus.includes(number))) & kernel.onlineMask;
    if (placement.allowed === 0) {
      command.stdout("tuna: [Errno 22] Invalid argument\n");
      return undefined; // the child alone has ended
    }
  }
  if (priority !== null && priority.priority > 0) {
    placement.policy = priority.policy ?? placement.policy;
    placement.rtPriority = priority.priority;
  }
  const words = [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? "");
  const status = yield* command.run(words, placement);
  if (status === undefined) {
    command.stdout(`tuna: [Errno 2] No such file or directory: '${words[0] ?? ""}'\n`);
  }
  return undefined;
}
