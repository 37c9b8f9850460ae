/**
 * The run queue of one CPU: real-time tasks by priority, all others by virtual run time.
 *
 * Modelled after `kernel/sched/` of Linux 3.4: FIFO and round robin by priority; CFS with sleeper credit
 * (GENTLE_FAIR_SLEEPERS) and wake-up preemption by granularity. All tasks have nice level 0.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { Task } from "./task.ts";

/** `/proc/sys/kernel/sched_*`, ns; the defaults are 6, 0.75 and 1 ms, times 1 + log2(CPUs) (here 4). */
export interface SchedulerTunables {
  /** sched_latency_ns: within it every runnable task shall run once. */
  latencyNs: number;
  /** sched_min_granularity_ns: shortest slice. */
  minGranularityNs: number;
  /** sched_wakeup_granularity_ns: by how much a waking task must be behind to preempt. */
  wakeupGranularityNs: number;
}

/** The kernel's defaults on `cpus` processors. */
export function schedulerDefaults(cpus: number): SchedulerTunables {
  const factor = 1 + Math.floor(Math.log2(Math.min(cpus, 8)));
  return {
    latencyNs: 6_000_000 * factor,
    minGranularityNs: 750_000 * factor,
    wakeupGranularityNs: 1_000_000 * factor,
  };
}

/** SCHED_RR's slice (RR_TIMESLICE). */
const RR_TIMESLICE_NS = 100_000_000;

/** Runnable tasks of one CPU; the one that runs is not on it. */
export class RunQueue {
  readonly #realTime: Task[] = [];
  readonly #fair: Task[] = [];
  /** Lowest virtual run time seen: where newcomers are placed. */
  minVruntimeNs = 0;
  /** Time for which a task other than the idle task has run here, as far as it has been booked, ns. */
  busyNs = 0;

  /** @param tunables shared by the kernel's CPUs */
  constructor(readonly tunables: SchedulerTunables) {}

  /** Tasks waiting. */
  get length(): number {
    return this.#realTime.length + this.#fair.length;
  }

  /**
   * Puts `task` on the queue. One that wakes up gets a sleeper's credit (`place_entity()`); a new one has to wait for its
   * first slice (START_DEBIT).
   */
  enqueue(task: Task, placement: "waking" | "new" | "as it is"): void {
    if (task.realTime) {
      const queue = this.#realTime;
      let i = queue.length;
      while (i > 0 && queue[i - 1]!.rtPriority < task.rtPriority) i--;
      return insertAt(queue, i, task);
    }
    if (placement === "new") {
      task.vruntimeNs = this.minVruntimeNs + Math.floor(this.tunables.latencyNs / (this.#fair.length + 2));
    } else if (placement === "waking") {
      task.vruntimeNs = Math.max(task.vruntimeNs, this.minVruntimeNs - this.tunables.latencyNs / 2);
    }
    const queue = this.#fair;
    let i = queue.length;
    while (i > 0 && queue[i - 1]!.vruntimeNs > task.vruntimeNs) i--;
    insertAt(queue, i, task);
  }

  /** Puts a preempted real-time task back in front of its equals. */
  requeue(task: Task): void {
    if (!task.realTime) return this.enqueue(task, "as it is");
    const queue = this.#realTime;
    let i = 0;
    while (i < queue.length && queue[i]!.rtPriority > task.rtPriority) i++;
    insertAt(queue, i, task);
  }

  /** Takes `task` off. False: it was not on it. */
  remove(task: Task): boolean {
    const queue = task.realTime ? this.#realTime : this.#fair;
    const i = queue.indexOf(task);
    if (i >= 0) removeAt(queue, i);
    return i >= 0;
  }

  /** Takes the task that shall run next; `undefined`: idle. */
  take(): Task | undefined {
    const queue = this.#realTime.length > 0 ? this.#realTime : this.#fair;
    const task = queue[0];
    if (task !== undefined) removeAt(queue, 0);
    return task;
  }

  /** All waiting tasks, next first. */
  tasks(): Task[] {
    return [...this.#realTime, ...this.#fair];
  }

  /** Books `nowNs - task.execStartNs` of run time on the running `task`. */
  account(task: Task, nowNs: number): void {
    const delta = nowNs - task.execStartNs;
    task.execStartNs = nowNs;
    task.cpuTimeNs += delta;
    this.busyNs += delta;
    if (task.realTime) return;
    task.vruntimeNs += delta;
    const first = this.#fair[0];
    const lowest = first === undefined ? task.vruntimeNs : Math.min(task.vruntimeNs, first.vruntimeNs);
    if (lowest > this.minVruntimeNs) this.minVruntimeNs = lowest;
  }

  /** Whether waking `task` preempts `running` (the idle task: always). */
  preempts(task: Task, running: Task, idle: Task): boolean {
    if (running === idle) return true;
    if (task.realTime) return task.rtPriority > running.rtPriority;
    if (running.realTime) return false;
    return running.vruntimeNs - task.vruntimeNs > this.tunables.wakeupGranularityNs;
  }

  /**
   * task_tick_rt(): `ticks` of `periodNs` have found the round-robin task `running` on the CPU. Its slice is so many
   * ticks, whatever part of them it had; being preempted does not begin it anew.
   */
  countSlice(running: Task, ticks: number, periodNs: number): void {
    const slice = Math.max(1, Math.floor(RR_TIMESLICE_NS / periodNs));
    running.sliceTicks += ticks;
    if (running.sliceTicks < slice) return;
    running.sliceTicks %= slice;
    running.turnOver = this.#realTime[0]?.rtPriority === running.rtPriority;
  }

  /** At the tick: whether `running` has used up its slice. */
  sliceOver(running: Task): boolean {
    const used = running.cpuTimeNs - running.sliceStartNs;
    if (running.policy === "SCHED_FIFO") return false;
    if (running.policy === "SCHED_RR") return running.turnOver;
    const waiting = this.#fair.length;
    if (waiting === 0) return false;
    const { latencyNs, minGranularityNs } = this.tunables;
    return used >= Math.max(minGranularityNs, Math.floor(latencyNs / (waiting + 1)));
  }

  /** Adds the queue's order to `hash`. */
  hashInto(hash: StateHash): void {
    hash.number(this.minVruntimeNs);
    for (const task of this.tasks()) hash.word(task.pid);
  }
}

/** Queues are a few tasks long and change with every switch: by hand this is several times as fast as splice(). */
function insertAt(queue: Task[], index: number, task: Task): void {
  queue.push(task);
  for (let i = queue.length - 1; i > index; i--) queue[i] = queue[i - 1]!;
  queue[index] = task;
}

/** See {@linkcode insertAt}. */
function removeAt(queue: Task[], index: number): void {
  for (let i = index; i < queue.length - 1; i++) queue[i] = queue[i + 1]!;
  queue.pop();
}
