/**
 * The scheduler's system calls: where a task may run, and by which policy.
 *
 * *Document*: Linux 3.5 `kernel/sched/core.c` (`sched_setaffinity`, `set_cpus_allowed_ptr`, `migration_cpu_stop`,
 * `__sched_setscheduler`), `kernel/cpuset.c` (`cpuset_cpus_allowed`).
 *
 * *Modelled*: SCHED_OTHER, SCHED_FIFO, SCHED_RR; the move off a CPU that is no longer allowed, by that CPU's stopper
 * where the task runs.
 *
 * *Not modelled*: permissions and limits: the caller is root.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EINVAL, type Errno } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { KernelThreads } from "./kthreads.ts";
import type { CpuMask, Policy, Task } from "./task.ts";

/** Highest priority that a program can ask for (MAX_USER_RT_PRIO - 1). */
export const PRIORITY_MAX = 99;

/** sched_getaffinity(): the CPUs online of those where `task` may run. */
export function affinity(kernel: Kernel, task: Task): CpuMask {
  return task.allowed & kernel.onlineMask;
}

/**
 * sched_setaffinity(): `task` may run on the CPUs of `mask` that are online, and on no other one, also later.
 *
 * @param by the task that calls; it sleeps while a stopper works
 * @returns EINVAL (none of them is online, or `task` is bound to its CPU)
 */
export function* setAffinity(
  kernel: Kernel,
  threads: KernelThreads,
  task: Task,
  mask: CpuMask,
  by: Task,
): Activity<Errno | void> {
  const allowed = mask & (task.cpuset?.cpus ?? kernel.possibleMask) & kernel.onlineMask; // cpuset_cpus_allowed()
  if (allowed === 0) return EINVAL;
  if (task.allowed === allowed) return;
  if (task.bound) return EINVAL;
  yield* setCpusAllowed(kernel, threads, task, allowed, by);
}

/** set_cpus_allowed_ptr(): `task` may run on the CPUs `allowed`, and goes to one of them. Arguments as above. */
export function* setCpusAllowed(
  kernel: Kernel,
  threads: KernelThreads,
  task: Task,
  allowed: CpuMask,
  by: Task,
): Activity {
  task.allowed = allowed;
  if ((allowed & (1 << task.cpu)) !== 0) return;
  const cpu = kernel.cpus[task.cpu]!, here = kernel.cpus[by.cpu]!;
  if (cpu.current !== task) {
    kernel.migrate(task, kernel.fallback(task), here);
    return yield* here.sendPendingIpis();
  }
  let moved = false;
  threads.stopper(cpu.id).run(migrateFrom(kernel, task, cpu, by, () => moved = true), here);
  yield* here.sendPendingIpis();
  while (!moved) yield* kernel.cpus[by.cpu]!.sleep();
}

/** migration_cpu_stop(), by the stopper of `cpu`: the task has had to make room for it. */
function* migrateFrom(kernel: Kernel, task: Task, cpu: KernelCpu, by: Task, done: () => void): Activity {
  const misplaced = task.cpu === cpu.id && (task.allowed & (1 << cpu.id)) === 0;
  if (misplaced && task !== by && !task.dead) kernel.migrate(task, kernel.fallback(task), cpu);
  done();
  kernel.wake(by, cpu); // if it has asked for itself it wakes where it may run
  yield* cpu.sendPendingIpis();
}

/**
 * sched_setscheduler(): gives `task` a policy and, for the real-time ones, a priority 1 … 99.
 *
 * @param here the CPU whose software calls; the caller sends the interrupts that follow
 * @returns EINVAL (the priority does not belong to the policy, or `task` is a stopper)
 */
export function setScheduler(
  kernel: Kernel,
  task: Task,
  policy: Policy,
  priority: number,
  here: KernelCpu,
): Errno | void {
  const realTime = policy !== "SCHED_OTHER";
  if (realTime ? priority < 1 || priority > PRIORITY_MAX : priority !== 0) return EINVAL;
  if (task.rtPriority > PRIORITY_MAX) return EINVAL;
  const cpu = kernel.cpus[task.cpu]!;
  const { runQueue } = cpu;
  const running = cpu.current === task;
  if (running) {
    cpu.steady.book();
    runQueue.account(task, kernel.nowNs);
  }
  const waiting = !running && runQueue.remove(task);
  const wasRealTime = task.realTime;
  task.policy = policy;
  task.rtPriority = priority;
  if (waiting) {
    runQueue.enqueue(task, "waking");
    kernel.resched(task, cpu, here);
    return;
  }
  // Virtual time stood still while the task was a real-time one.
  if (wasRealTime && !realTime) task.vruntimeNs = Math.max(task.vruntimeNs, runQueue.minVruntimeNs);
  if (!running) return;
  cpu.needResched = true; // somebody who waits may now come first
  if (cpu !== here) here.rescheduleMask |= 1 << cpu.id;
}
