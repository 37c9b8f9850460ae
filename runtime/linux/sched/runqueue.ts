/**
 * The run queue of one CPU: real-time tasks by priority, all others by virtual run time.
 *
 * *Document*: Linux 3.4 `kernel/sched/rt.c`; `kernel/sched/fair.c` (`place_entity`, `sched_slice`,
 * `check_preempt_tick`, `wakeup_preempt_entity`, `update_min_vruntime`) with its default features.
 *
 * *Modelled*: FIFO and round robin by priority; CFS with sleeper credit (GENTLE_FAIR_SLEEPERS), a newcomer's debit
 * (START_DEBIT), slices, wake-up preemption by granularity, who is given way to and who gives it. All tasks have nice level 0.
 *
 * *Not modelled*: weights, groups, SCHED_BATCH and SCHED_IDLE; the buddy of the last task, which matters from eight runnable
 * tasks on.
 *
 * *Deviations*: a new task is placed by the queue that it joins, in Linux by its parent's.
 *
 * @module
 */

import type { StateHash } from "../../../hw/sim/state_hash.ts";
import type { SchedulerTunables } from "./sched_tunables.ts";
import type { Task } from "./task.ts";

/** SCHED_RR's slice (RR_TIMESLICE). */
const RR_TIMESLICE_NS = 100_000_000;

/** Runnable tasks of one CPU; the one that runs is not on it. */
export class RunQueue {
  declare readonly tunables: SchedulerTunables;
  readonly #realTime: Task[] = [];
  readonly #fair: Task[] = [];
  /** Lowest virtual run time seen: where newcomers are placed. */
  minVruntimeNs = NaN;
  /** Who is to run next, because somebody has given way to it; null: nobody in particular. */
  next: Task | null = null;
  /** Who has given way, and is passed over once. */
  skip: Task | null = null;
  /** Time for which a task other than the idle task has run here, as far as it has been booked, ns. */
  busyNs = NaN;

  /** @param tunables shared by the kernel's CPUs */
  constructor(tunables: SchedulerTunables) {
    this.tunables = tunables;
    this.minVruntimeNs = this.busyNs = 0; // soon large: see `Engine`
  }

  /** Tasks waiting. */
  get length(): number {
    return this.#realTime.length + this.#fair.length;
  }

  /** Tasks waiting that are no real-time ones. */
  get fairLength(): number {
    return this.#fair.length;
  }

  /**
   * Puts `task` on the queue; place_entity(): one that wakes up gets a sleeper's credit of half the latency, a new one
   * has to wait for its first slice. Neither gains time by it.
   *
   * @param running the task that has the CPU; needed for new ones
   */
  enqueue(task: Task, placement: "waking" | "new" | "as it is", running?: Task): void {
    if (task.realTime) {
      const queue = this.#realTime;
      let i = queue.length;
      while (i > 0 && queue[i - 1]!.rtPriority < task.rtPriority) i--;
      return insertAt(queue, i, task);
    }
    if (placement === "new") {
      const others = this.#fair.length +
        (running === undefined || running.realTime || running.pid === 0 ? 0 : 1);
      task.vruntimeNs = Math.max(task.vruntimeNs, this.minVruntimeNs + this.#slice(others + 1));
    } else if (placement === "waking") {
      task.vruntimeNs = Math.max(task.vruntimeNs, this.minVruntimeNs - this.tunables.latencyNs / 2);
    }
    const queue = this.#fair;
    let i = queue.length;
    while (i > 0 && queue[i - 1]!.vruntimeNs > task.vruntimeNs) i--;
    insertAt(queue, i, task);
  }

  /** put_prev_task(): the running task waits again, a real-time one in front of its equals while its slice is not over. */
  putBack(task: Task): void {
    if (!task.realTime || this.sliceOver(task)) return this.enqueue(task, "as it is");
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
    this.#forgetBuddy(task);
    return i >= 0;
  }

  /** Takes the task that shall run next; `undefined`: idle. */
  take(): Task | undefined {
    const queue = this.#realTime.length > 0 ? this.#realTime : this.#fair;
    if (queue.length === 0) return undefined;
    const at = queue === this.#fair && (this.next !== null || this.skip !== null) ? this.#pick() : 0;
    return removeAt(queue, at);
  }

  /** pick_next_entity(): the first, unless a buddy may go before it. */
  #pick(): number {
    const queue = this.#fair;
    const first = queue[0];
    let at = 0;
    if (first === undefined) return at;
    const may = (task: Task) => task.vruntimeNs - first.vruntimeNs <= this.tunables.wakeupGranularityNs;
    if (this.skip === first && queue.length > 1 && may(queue[1]!)) at = 1;
    const buddy = this.next === null ? -1 : queue.indexOf(this.next);
    if (buddy >= 0 && may(queue[buddy]!)) at = buddy;
    this.#forgetBuddy(queue[at]!);
    return at;
  }

  /** clear_buddies(). */
  #forgetBuddy(task: Task): void {
    if (this.next === task) this.next = null;
    if (this.skip === task) this.skip = null;
  }

  /** The last waiting task, of those that are no real-time ones, for which `which` holds. */
  lastFair(which: (task: Task) => boolean): Task | undefined {
    return this.#fair.findLast(which);
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
    const vruntimeNs = task.vruntimeNs += delta;
    const first = this.#fair[0];
    const lowest = first === undefined ? vruntimeNs : Math.min(vruntimeNs, first.vruntimeNs);
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
    if (running.policy === "SCHED_FIFO") return false;
    if (running.policy === "SCHED_RR") return running.turnOver;
    const first = this.#fair[0];
    if (first === undefined) return false;
    // check_preempt_tick(). A task that has just missed preempting at its wake-up need not wait for the whole slice.
    const slice = this.#slice(this.#fair.length + 1);
    const used = running.cpuTimeNs - running.sliceStartNs;
    if (used > slice) return true;
    return used >= this.tunables.minGranularityNs && running.vruntimeNs - first.vruntimeNs > slice;
  }

  /** sched_slice(): the part of the period of each of `runnable` tasks; from sched_nr_latency on the period grows. */
  #slice(runnable: number): number {
    const { latencyNs, minGranularityNs } = this.tunables;
    return runnable > Math.ceil(latencyNs / minGranularityNs)
      ? minGranularityNs
      : Math.floor(latencyNs / runnable);
  }

  /** Adds the queue's order to `hash`. */
  hashInto(hash: StateHash): void {
    hash.number(this.minVruntimeNs).word(this.next?.pid ?? -1).word(this.skip?.pid ?? -1);
    for (const task of this.tasks()) hash.word(task.pid);
  }
}

/** Queues are a few tasks long and change with every switch: by hand this is several times as fast as splice(). */
function insertAt(queue: Task[], index: number, task: Task): void {
  for (let i = queue.length; i > index; i--) queue[i] = queue[i - 1]!;
  queue[index] = task;
}

/** See {@linkcode insertAt}. @returns the task that was there */
function removeAt(queue: Task[], index: number): Task {
  const task = queue[index]!;
  for (let i = index; i < queue.length - 1; i++) queue[i] = queue[i + 1]!;
  queue.pop();
  return task;
}
