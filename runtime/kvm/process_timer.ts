/**
 * A timer that a process waits for (`timer_settime(2)`, `timerfd_settime(2)`): an hrtimer of the host.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { HrTimer } from "../linux/hrtimer.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { Task } from "../linux/sched/task.ts";
import { startHostTimer } from "./irqchip/host_timer.ts";

/** The timer. */
export class ProcessTimer {
  readonly #timer: HrTimer;

  /** @param expired called in the host's timer interrupt, on the CPU that has it */
  constructor(readonly host: Kernel, name: string, expired: (cpu: KernelCpu) => void) {
    this.#timer = new HrTimer(name, host.steps.hrtimerWake, (_timer, cpu) => expired(cpu));
  }

  /** It shall expire at `atNs`, once. @param task the thread that asks */
  *start(atNs: number, task: Task): Activity {
    const cpu = this.host.cpus[task.cpu]!;
    const program = startHostTimer(this.#timer, atNs, cpu, cpu);
    if (program !== null) yield program;
  }

  /** It shall not. */
  cancel(): void {
    this.#timer.base?.cancel(this.#timer);
  }
}
