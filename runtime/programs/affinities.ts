/**
 * Where tasks and interrupts may run, as tools see to it that lead them away from CPUs or to others: by sched_setaffinity()
 * and by `/proc/irq`.
 *
 * Masks are the kernel's. A shell is no task: it has a placement, which what it starts inherits, and is led with the tasks; so
 * are the sessions to come, as sshd would be.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { cpuMask, parseCpuMask } from "../linux/cpu_mask.ts";
import { EINVAL, Errno } from "../linux/errno.ts";
import { affinity, setAffinity } from "../linux/sched/scheduler_calls.ts";
import type { CpuMask, Task } from "../linux/sched/task.ts";
import {
  maskOf,
  type Placement,
  type ProgramProcess,
  readFile,
  type SystemPort,
  writeFile,
} from "./program.ts";

/** What a mask becomes. */
export type Change = (mask: CpuMask) => CpuMask;

/** An interrupt of a device, as `/proc/interrupts` has it. */
export interface ListedIrq {
  readonly number: number;
  /** Names of its actions. */
  readonly users: readonly string[];
}

/** The interrupts that have a number. */
export function* listIrqs(system: SystemPort): Activity<ListedIrq[]> {
  const text = yield* readFile(system, "/proc/interrupts");
  if (text instanceof Errno) return [];
  return text.split("\n").flatMap((line) => {
    const match = /^ *(\d+): .*-(?:edge|level|fasteoi) +(.*)$/.exec(line);
    return match === null ? [] : [{ number: Number(match[1]), users: match[2]!.split(/, */) }];
  });
}

/** `smp_affinity` of an interrupt, or `default_smp_affinity`; 0: it is not there. */
export function* irqAffinity({ system, kernel }: ProgramProcess, irq: number | "default"): Activity<CpuMask> {
  const text = yield* readFile(system, irqPath(irq));
  const mask = text instanceof Errno ? text : parseCpuMask(text, kernel.cpus.length);
  return mask instanceof Errno ? 0 : mask;
}

/** Writes it. @returns what the kernel says */
export function* setIrqAffinity(
  { system, kernel }: ProgramProcess,
  irq: number | "default",
  mask: CpuMask,
): Activity<Errno | void> {
  return yield* writeFile(system.vfs, irqPath(irq), `${cpuMask(mask, kernel.cpus.length)}\n`);
}

function irqPath(irq: number | "default"): string {
  return irq === "default" ? "/proc/irq/default_smp_affinity" : `/proc/irq/${irq}/smp_affinity`;
}

/** The CPUs that what a shell starts may use. */
export function shellAffinity({ kernel, processors }: ProgramProcess, { allowed }: Placement): CpuMask {
  return (allowed ?? kernel.housekeeping(maskOf(processors))) & kernel.onlineMask;
}

/** Sets that of a shell. @returns EINVAL: none of them is online */
export function setShellAffinity(
  { kernel }: ProgramProcess,
  placement: Placement,
  mask: CpuMask,
): Errno | void {
  const cpus = mask & kernel.onlineMask;
  if (cpus === 0) return EINVAL;
  placement.allowed = cpus;
}

/**
 * Changes the affinity of every task and shell that can be moved and that `selects` selects. Stops at the first that the
 * kernel refuses.
 */
export function* changeTasks(
  command: ProgramProcess,
  change: Change,
  selects: (task: Task) => boolean = () => true,
): Activity<Errno | void> {
  const { kernel, system } = command;
  for (const task of [...kernel.tasks.values()]) {
    if (task.bound || task.dead || !selects(task)) continue;
    const now = affinity(kernel, task), wanted = change(now);
    if (wanted === now) continue;
    const refused = yield* setAffinity(kernel, system.threads, task, wanted, command.task);
    if (refused instanceof Errno) return refused;
  }
  const shells = [...system.shells()].map((pid) => system.placementOf(pid)!);
  for (const placement of [...shells, system.sessions()]) {
    const now = shellAffinity(command, placement), wanted = change(now);
    const refused = wanted === now ? undefined : setShellAffinity(command, placement, wanted);
    if (refused instanceof Errno) return refused;
  }
}

/** Changes that of every interrupt, and the default one; those that stay where they are stay. */
export function* changeIrqs(command: ProgramProcess, change: Change): Activity<void> {
  for (const irq of [...(yield* listIrqs(command.system)).map(({ number }) => number), "default" as const]) {
    const now = yield* irqAffinity(command, irq), wanted = change(now);
    if (wanted !== now && wanted !== 0) yield* setIrqAffinity(command, irq, wanted);
  }
}

/** Takes `cpus` out of a mask; if none is left it is all of the others. */
export function without(cpus: CpuMask, all: CpuMask): Change {
  return (mask) => (mask & ~cpus) || (all & ~cpus);
}
