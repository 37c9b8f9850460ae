/**
 * A task gives its CPU to another one: `yield_to()`.
 *
 * *Document*: Linux 3.5 `kernel/sched/core.c` (`yield_to()`), `kernel/sched/fair.c` (`yield_to_task_fair()`,
 * `pick_next_entity()`).
 *
 * *Modelled*: both are no real-time tasks; the other one is runnable and does not run. It is its queue's next buddy, and the
 * one that yields is skipped, as far as fairness lets them: a buddy that is ahead of the first by more than the granularity
 * of wake-ups waits. The other's CPU looks whom it runs.
 *
 * @module
 */

import type { KernelCpu } from "../kernel_cpu.ts";
import type { Task } from "./task.ts";

/**
 * The running task of `cpu` gives way to `task`. Its next {@linkcode KernelCpu.schedule}, which `needResched` asks for, does it.
 *
 * @returns whether it does
 */
export function yieldTo(task: Task, cpu: KernelCpu): boolean {
  const { current, kernel } = cpu;
  const there = kernel.cpus[task.cpu]!;
  if (current === cpu.idle || current.realTime || task.realTime) return false; // their classes have no yield_to_task()
  if (!task.runnable || there.current === task) return false;
  there.runQueue.next = task;
  cpu.runQueue.skip = current;
  cpu.needResched = true;
  if (there !== cpu) {
    there.needResched = true;
    cpu.rescheduleMask |= 1 << there.id;
  }
  return true;
}
