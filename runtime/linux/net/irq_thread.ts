/**
 * The interrupt thread of a network device in a PREEMPT_RT kernel: there a device's handler and the softirq that it raises
 * run in a thread, below the priority of urgent real-time tasks.
 *
 * *Document*: Linux 3.4.4-rt14 `kernel/irq/manage.c` (`force_irqthreads`, `MAX_USER_RT_PRIO / 2`).
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import { KernelThread } from "../kthreads.ts";
import type { Napi } from "./napi.ts";

/** Priority of interrupt threads. */
const PRIORITY = 50;
/** Length of a task's name (`TASK_COMM_LEN`), without the final zero. */
const COMM_LENGTH = 15;

/** The thread. */
export class IrqThread {
  readonly #thread: KernelThread;

  constructor(readonly kernel: Kernel, name: string) {
    this.#thread = new KernelThread(kernel, name.slice(0, COMM_LENGTH), null);
    const { task } = this.#thread;
    task.policy = "SCHED_FIFO";
    task.rtPriority = PRIORITY;
    task.started = true; // it slept once before its first interrupt
  }

  /** The interrupt has come in on `cpu`: the thread runs there, and does the device's work. */
  wake(cpu: KernelCpu, napi: Napi): void {
    if (napi.scheduled) return;
    napi.scheduled = true;
    const { task } = this.#thread;
    if (!task.runnable && task.cpu !== cpu.id) this.kernel.migrate(task, cpu, cpu);
    this.#thread.run(this.#serve(napi), cpu);
  }

  *#serve(napi: Napi): Activity {
    const { cpus, steps } = this.kernel;
    const { task } = this.#thread;
    yield steps.deviceHandler;
    napi.begin();
    while (napi.scheduled) {
      for (let step = napi.next(cpus[task.cpu]!); step !== null; step = napi.next(cpus[task.cpu]!)) {
        yield step;
      }
    }
    yield* cpus[task.cpu]!.sendPendingIpis();
  }
}
