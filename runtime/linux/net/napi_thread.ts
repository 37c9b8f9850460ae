/**
 * The interrupt thread of a network device in a PREEMPT_RT kernel: there a device's handler and the softirq that it raises
 * run in a thread, below the priority of urgent real-time tasks.
 *
 * *Document*: Linux 3.4.4-rt14 `kernel/irq/manage.c` (`force_irqthreads`).
 *
 * @module
 */

import type { Activity, Step } from "../../../hw/sim/activity.ts";
import { IrqThread } from "../irq/irq_thread.ts";
import type { KernelCpu, TopHalf } from "../kernel_cpu.ts";
import type { Napi } from "./napi.ts";

/** The thread, and the handler that wakes it. */
export class NapiThread implements TopHalf {
  readonly step: Step;
  readonly #thread: IrqThread;

  /** @param irq number of the interrupt @param name of the interface */
  constructor(readonly napi: Napi, irq: number, name: string) {
    this.step = napi.stack.kernel.steps.wakeUp;
    this.#thread = new IrqThread(napi.stack.kernel, irq, `${name}-TxRx-0`);
  }

  /** The interrupt has come in on `cpu`: the thread does the device's work. */
  act(cpu: KernelCpu): void {
    const { napi } = this;
    if (napi.scheduled) return;
    napi.scheduled = true;
    this.#thread.wake(this.#serve(), cpu);
  }

  *#serve(): Activity {
    const { napi } = this;
    const { kernel: { cpus, steps }, task } = this.#thread;
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
