/**
 * Kernel threads: `kthreadd` and those that every CPU has. They sleep until they are given work, and show in `ps`.
 *
 * *Document*: Linux 3.5 and 6.18 `kernel/kthread.c`, `kernel/stop_machine.c`, `kernel/softirq.c`, `kernel/workqueue.c`,
 * `kernel/watchdog.c`, `kernel/cpu.c`.
 *
 * *Modelled*: names, pids in the order of boot, policies, binding to a CPU; work handed to a thread.
 *
 * *Deviations*: a bound thread stays when its CPU goes offline and is parked, as since Linux 3.7; Linux 3.5 ends it and
 * makes a new one.
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import { type Activity, Routine, type Step, work } from "../../../hw/sim/activity.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { Softirq } from "../irq/softirqs.ts";
import type { Task } from "./task.ts";

/** A kernel thread: does the work it is given, in order, and sleeps in between. */
export class KernelThread {
  declare readonly kernel: Kernel;
  declare readonly home: KernelCpu | null;
  /** Its task. */
  readonly task: Task;
  readonly #works: (Activity<unknown> | Routine)[] = [];

  /** @param home the CPU it is bound to; `null`: any */
  constructor(kernel: Kernel, name: string, home: KernelCpu | null) {
    this.kernel = kernel;
    this.home = home;
    this.task = kernel.createTask(name, this.allowed, (task) => new ThreadLife(this, task));
    this.task.kernelThread = true;
    this.task.bound = home !== null;
    if (home !== null) this.task.cpu = home.id;
  }

  /** Where it may run, unless its CPU is offline. */
  get allowed(): number {
    const { kernel, home } = this;
    return home === null ? kernel.housekeeping(kernel.possibleMask) : 1 << home.id;
  }

  /** Gives it work and wakes it. @param from the CPU whose software does */
  run(work: Activity<unknown> | Routine, from: KernelCpu): void {
    this.#works.push(work);
    this.kernel.wake(this.task, from);
  }

  /** The work that is to be done next; undefined: none waits. */
  takeWork(): Activity<unknown> | Routine | undefined {
    // Most often there is one or none: asked so, the list keeps its memory, and nothing is moved.
    const works = this.#works;
    return works.length <= 1 ? works.pop() : works.shift();
  }
}

/** What a kernel thread does all its life: a routine, since an interrupt's thread wakes a thousand times a second. */
class ThreadLife extends Routine {
  readonly #thread: KernelThread;
  readonly #task: Task;
  /** What it comes back from is sleep, and no work. */
  #slept = false;

  constructor(thread: KernelThread, task: Task) {
    super();
    this.#thread = thread;
    this.#task = task;
  }

  override next(): Step {
    const cpu = this.#thread.kernel.cpus[this.#task.cpu]!;
    for (;;) {
      if (this.#slept) cpu.registers.interruptFlag = true; // the stopper that took its CPU down went to sleep without
      const work = this.#thread.takeWork();
      this.#slept = work === undefined;
      if (work !== undefined) return cpu.registers.call(work);
      const away = cpu.prepareSleep() ? cpu.schedule() : null;
      if (away !== null) return away;
    }
  }
}

/** One work item. */
function* doWork(item: Step): Activity {
  yield item;
}

/** The threads of CPU `id`, in the order of boot. CPU 0's come up before the scheduler knows of the others. */
function namesOf(id: number, hotplugThreads: boolean): readonly string[] {
  if (hotplugThreads) return [`cpuhp/${id}`, `migration/${id}`, `ksoftirqd/${id}`, `kworker/${id}:0-events`];
  const [kworker, migration, ksoftirqd] = [`kworker/${id}:0`, `migration/${id}`, `ksoftirqd/${id}`];
  const first = id === 0 ? [ksoftirqd, kworker, migration] : [migration, kworker, ksoftirqd];
  return [...first, `watchdog/${id}`];
}

/** Real-time priority of the stop class: above every SCHED_FIFO task. `ps` shows 99. */
const STOP_PRIORITY = 100;

/** The kernel threads of a kernel. Make them before the first process: then they have the low pids of a real system. */
export class KernelThreads {
  readonly #bound = new Map<number, KernelThread[]>();
  readonly #stoppers: KernelThread[] = [];
  readonly #kworkers: KernelThread[] = [];

  /**
   * Makes them all; none of them runs yet.
   *
   * @param hotplugThreads later kernels' set: a thread for each CPU's hotplug, none for a watchdog
   */
  constructor(readonly kernel: Kernel, hotplugThreads = false) {
    new KernelThread(kernel, "kthreadd", null);
    for (const cpu of kernel.cpus) {
      const { id } = cpu;
      const make = (name: string) => new KernelThread(kernel, name, cpu);
      const threads = namesOf(id, hotplugThreads).map((name) => {
        const thread = make(name);
        const [kind] = name.split("/");
        if (kind === "migration" || kind === "watchdog") thread.task.policy = "SCHED_FIFO";
        if (kind === "watchdog") thread.task.rtPriority = 99;
        if (kind === "kworker") this.#kworkers[id] = thread;
        if (kind === "migration") {
          thread.task.rtPriority = STOP_PRIORITY;
          this.#stoppers[id] = thread;
        }
        return thread;
      });
      if (id === 0) {
        new KernelThread(
          kernel,
          hotplugThreads ? `kworker/u${4 * kernel.cpus.length}:0-events_unbound` : "kworker/u:0",
          null,
        );
      }
      this.#bound.set(id, threads);
    }
    kernel.queueWork = young((cpu, ns) => {
      this.#kworkers[cpu.id]!.run(doWork(work("kworker item", kernel.kernelLayer, ns)), cpu);
    });
  }

  /** The threads bound to CPU `id`. */
  of(id: number): readonly KernelThread[] {
    return this.#bound.get(id)!;
  }

  /** `ksoftirqd/N` goes on with a softirq that has come too often in a row; others may run between its turns. */
  ksoftirqd(cpu: KernelCpu, softirq: Softirq): void {
    const thread = this.of(cpu.id).find(({ task }) => task.name === `ksoftirqd/${cpu.id}`)!;
    thread.run(runKsoftirqd(thread.task, softirq, cpu), cpu);
  }

  /** `migration/N`: what it runs, nothing on that CPU preempts. */
  stopper(id: number): KernelThread {
    return this.#stoppers[id]!;
  }

  /**
   * The CPU of these threads is back: they are bound to it again. One that is running elsewhere follows at its next
   * wake-up.
   *
   * @returns the names of those that may run again
   */
  rebind(cpu: KernelCpu, from: KernelCpu): string[] {
    const { kernel } = this;
    return this.of(cpu.id).map(({ task, allowed }) => {
      task.allowed = allowed;
      if (task.cpu !== cpu.id) kernel.migrate(task, cpu, from);
      return task.name;
    });
  }
}

/** run_ksoftirqd(): a softirq to its end, then whoever else wants the CPU. */
function* runKsoftirqd(task: Task, softirq: Softirq, cpu: KernelCpu): Activity {
  task.preemptCount++;
  for (let step = softirq.next(cpu); step !== null; step = softirq.next(cpu)) yield step;
  task.preemptCount--;
  const away = cpu.preemptible ? cpu.schedule() : null;
  if (away !== null) yield away;
}
