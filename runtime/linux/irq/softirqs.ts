/**
 * Softirqs of one CPU: work that interrupt handlers leave to be done on the way out, with interrupts on.
 *
 * Modelled after `kernel/softirq.c` of Linux 3.4. Softirqs cannot be preempted, save in an RT kernel, where they have the
 * priority of a thread below every real-time task: there a waking task takes the CPU in the middle of them.
 *
 * @module
 */

import type { Step } from "../../../hw/sim/activity.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { Task } from "../sched/task.ts";

/** Softirq work of more than one step. */
export interface Softirq {
  /** Does what its last step was for; answers the next one, or null at its end. */
  next(cpu: KernelCpu): Step | null;
}

/** Softirq work of one step: a section of the background. */
class Section implements Softirq {
  #step: Step | null;

  constructor(step: Step) {
    this.#step = step;
  }

  next({ softirqs }: KernelCpu): Step | null {
    const step = this.#step;
    this.#step = null;
    if (step !== null) softirqs.sections++;
    return step;
  }
}

/** What has been raised, and what is being done. */
export class Softirqs {
  readonly #raised: Softirq[] = [];
  /** What is being done; null: nothing. An interrupt that comes meanwhile leaves its own softirqs to whoever does it. */
  #work: Softirq | null = null;
  /** Of whom it has borrowed the CPU, and what was so before. */
  #task: Task | null = null;
  #flag = false;
  #preemptCount = 0;
  /** How many have been begun. */
  #begun = 0;
  /** How many of these are sections of the background. */
  sections = 0;

  /** Whether any waits to be done. */
  get pending(): boolean {
    return this.#raised.length > 0;
  }

  /** How many of those that have been begun are of more steps: polls of network devices. */
  get polls(): number {
    return this.#begun - this.sections;
  }

  /** Whether one is being done. */
  get running(): boolean {
    return this.#task !== null;
  }

  /** Has `work` done on the way out of the interrupt. */
  raise(work: Softirq): void {
    this.#raised.push(work);
  }

  /** Has a section of one step done there. */
  raiseSection(section: Step): void {
    this.#raised.push(new Section(section));
  }

  /** Begins the first one that waits; false: there is none, somebody is at it already, or a handler has not ended. */
  begin(cpu: KernelCpu): boolean {
    const raised = this.#raised;
    if (raised.length === 0 || this.#task !== null || cpu.openHandlers > 0) return false;
    const { registers, current, kernel } = cpu;
    this.#work = raised.length === 1 ? raised.pop()! : raised.shift()!;
    this.#begun++;
    this.#task = current;
    this.#flag = registers.interruptFlag;
    this.#preemptCount = current.preemptCount;
    current.preemptCount = kernel.release.realTime ? 0 : this.#preemptCount + 1;
    registers.interruptFlag = true;
    return true;
  }

  /** The next step of the one that is being done, or null at its end. */
  next(cpu: KernelCpu): Step | null {
    const step = this.#work!.next(cpu);
    if (step !== null) return step;
    cpu.registers.interruptFlag = this.#flag;
    this.#task!.preemptCount = this.#preemptCount;
    this.#work = this.#task = null;
    return null;
  }
}
