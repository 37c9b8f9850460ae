/**
 * The thread of an interrupt: the hard handler only wakes it, and it does the work below the priority of urgent real-time
 * tasks.
 *
 * *Document*: Linux 3.5 `kernel/irq/manage.c` (`request_threaded_irq()`, `irq_thread_check_affinity()`).
 *
 * @module
 */

import type { Activity, Routine } from "../../../hw/sim/activity.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import { KernelThread } from "../sched/kthreads.ts";
import type { Task } from "../sched/task.ts";

/** Priority of interrupt threads (`MAX_USER_RT_PRIO / 2`). */
const PRIORITY = 50;
/** Length of a task's name (`TASK_COMM_LEN`), without the final zero. */
const COMM_LENGTH = 15;

/** `irq/NN-name`. */
export class IrqThread {
  readonly #thread: KernelThread;

  /** @param irq number of the interrupt @param name who has requested it */
  constructor(readonly kernel: Kernel, irq: number, name: string) {
    this.#thread = new KernelThread(kernel, `irq/${irq}-${name}`.slice(0, COMM_LENGTH), null);
    const { task } = this.#thread;
    task.policy = "SCHED_FIFO";
    task.rtPriority = PRIORITY;
    task.started = true; // it slept once before its first interrupt
  }

  /** Its task. */
  get task(): Task {
    return this.#thread.task;
  }

  /** The interrupt has come in on `cpu`: the thread does `work` there; a slave CPU runs no threads. */
  wake(work: Activity | Routine, cpu: KernelCpu): void {
    const { task } = this;
    if (task.cpu !== cpu.id && !task.runnable && cpu.state === "online") this.kernel.migrate(task, cpu, cpu);
    this.#thread.run(work, cpu);
  }
}
