/**
 * A kernel with nothing on it: no threads, no devices, no background. What the tests of its scheduler and timers run
 * on.
 *
 * @module
 */

import { type Activity, work } from "../hw/sim/activity.ts";
import { Engine } from "../hw/sim/engine.ts";
import { Machine } from "../hw/machine.ts";
import type { BackgroundParameters } from "../runtime/linux/background.ts";
import { Kernel } from "../runtime/linux/kernel.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { kernelCosts } from "../runtime/linux/release.ts";
import type { Policy, Task } from "../runtime/linux/sched/task.ts";
import { flat, FLAT_MACHINE } from "./flat_costs.ts";

/** Cost of every action of the hardware and of every step of the kernel, ns. */
export const HARDWARE_NS = 100, KERNEL_NS = 200;
/** Linux's reschedule interrupt (irq_vectors.h, 3.4). */
const RESCHEDULE_VECTOR = 0xfd;

/** A millisecond, in ns. */
export const MS = 1_000_000;

/** A booted kernel. */
export class SchedulerRig {
  readonly engine: Engine;
  readonly machine: Machine;
  readonly kernel: Kernel;
  /** `TIME what`. */
  readonly log: string[] = [];

  constructor(
    {
      cpus = 1,
      hz = 100,
      booksSteadyCpus = false,
      hardwareNs = HARDWARE_NS,
      kernelNs = KERNEL_NS,
      seed = 1,
      nestedInterrupts = false,
      background,
    }: {
      cpus?: number;
      hz?: number;
      booksSteadyCpus?: boolean;
      hardwareNs?: number;
      kernelNs?: number;
      seed?: number;
      nestedInterrupts?: boolean;
      background?: BackgroundParameters;
    } = {},
  ) {
    this.engine = new Engine(seed);
    const { processor } = FLAT_MACHINE;
    const costs = Object.fromEntries(
      Object.keys(processor).map((key) => [key, hardwareNs]),
    ) as typeof processor;
    this.machine = new Machine(this.engine, { ...FLAT_MACHINE, cpus, processor: costs });
    this.kernel = new Kernel(this.engine, {
      name: "host",
      release: {
        release: "3.4.0",
        hz,
        noHz: true,
        realTime: false,
        clocksource: "tsc",
        nestedInterrupts,
        tlbVectors: { first: 0xcf, count: 32 },
      },
      costs: flat(kernelCosts, kernelNs),
      cpus,
      kernelLayer: Layers.HostKernel,
      taskLayer: Layers.HostTask,
      booksSteadyCpus,
      ...(background && { background }),
      consoleIrq: { irq: 1, name: "i8042" },
    });
    for (const cpu of this.machine.cpus) cpu.start(this.kernel.cpus[cpu.id]!.prepareStart());
    this.engine.runUntil(50 * MS);
  }

  /** Lets simulated time pass. */
  run(ns: number): void {
    this.engine.runUntil(this.engine.nowNs + ns);
  }

  /** Writes down that `what` happens now. */
  note(what: string): void {
    this.log.push(`${this.engine.nowNs} ${what}`);
  }

  /** Starts a task on CPU 0, by an interrupt: software outside of the machine cannot wake one. */
  start(
    name: string,
    body: (task: Task) => Activity<number>,
    { policy = "SCHED_OTHER", priority = 0 }: { policy?: Policy; priority?: number } = {},
  ): Task {
    const { kernel } = this;
    const task = kernel.createTask(name, 1, body);
    task.policy = policy;
    task.rtPriority = priority;
    kernel.wake(task, kernel.cpus[0]!);
    this.machine.messageSignalled(0, RESCHEDULE_VECTOR);
    return task;
  }

  /** Starts an endless loop. */
  hog(name: string, scheduling: { policy?: Policy; priority?: number } = {}): Task {
    const { kernel } = this;
    return this.start(name, (task) => kernel.spin(task), scheduling);
  }

  /** Starts a task that notes its start, works, and notes its end. */
  worker(name: string, ns: number, scheduling: { policy?: Policy; priority?: number } = {}): Task {
    return this.start(name, () => this.#work(name, ns), scheduling);
  }

  *#work(name: string, ns: number): Activity<number> {
    this.note(`${name} starts`);
    yield work(name, Layers.HostTask, ns);
    this.note(`${name} ends`);
    return 0;
  }

  /** Who is on CPU 0, looked at every millisecond for `ns`: `[name, how many milliseconds in a row]`. */
  sample(ns: number): [name: string, ms: number][] {
    const runs: [string, number][] = [];
    for (let i = 0; i < ns / MS; i++) {
      const { name } = this.kernel.cpus[0]!.current;
      const last = runs.at(-1);
      if (last?.[0] === name) last[1]++;
      else runs.push([name, 1]);
      this.run(MS);
    }
    return runs;
  }

  /** Time of the kernel's grid of ticks that lies at or before `timeNs`, as its number. */
  tickNumber(timeNs: number): number {
    return Math.floor((timeNs - this.kernel.tickPhaseNs) / this.kernel.tickPeriodNs);
  }
}
