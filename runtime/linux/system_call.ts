/**
 * What a system call of a driver holds back while it runs: other tasks, in a kernel that does not preempt its own code;
 * interrupts, where it has a spin lock that they want too.
 *
 * *Document*: Linux 3.5 `kernel/Kconfig.preempt`; `Documentation/spinlocks.txt`; for PREEMPT_RT
 * `Documentation/locking/locktypes.rst`.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/**
 * `body`, part of a system call, up to its end or to a `cond_resched()` behind it: nobody else gets the CPU unless it sleeps.
 *
 * @param thisCpu the CPU that executes now
 */
export function* withoutPreemption<T>(thisCpu: () => KernelCpu, body: Activity<T>): Activity<T> {
  const { kernel: { release }, current } = thisCpu();
  if (release.realTime) return yield* body;
  current.preemptCount++;
  const result = yield* body;
  current.preemptCount--;
  const here = thisCpu();
  const away = here.preemptible ? here.schedule() : null;
  if (away !== null) yield away;
  return result;
}

/**
 * `body` with interrupts off: `spin_lock_irqsave()`.
 *
 * @param raw the lock is one of those that PREEMPT_RT leaves as they are; the others are mutexes there
 */
export function* withoutInterrupts<T>(
  thisCpu: () => KernelCpu,
  raw: boolean,
  body: Activity<T>,
): Activity<T> {
  const { kernel: { release }, registers } = thisCpu();
  if (release.realTime && !raw) return yield* body;
  const flag = registers.interruptFlag;
  registers.interruptFlag = false;
  const result = yield* body;
  registers.interruptFlag = flag; // what has been held back is taken at the next boundary
  return result;
}
