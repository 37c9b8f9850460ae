/**
 * Tasks: what the scheduler schedules.
 *
 * @module
 */

import type { Activity, Routine } from "../../../hw/sim/activity.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import { Context } from "../../../hw/register_file.ts";
import type { LongCall } from "./long_call.ts";
import type { Cpuset } from "./cpuset.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { SwitchMm } from "../switch_mm.ts";

/** Scheduling policies, by the names that `ps` and `chrt` use. */
export type Policy = "SCHED_OTHER" | "SCHED_FIFO" | "SCHED_RR";

/** Who sends a signal. */
export interface Sender {
  /** Its process id. */
  readonly pid: number;
  /** What it was started as. */
  readonly name: string;
}

/** Bit mask of CPUs, bit N for CPU N. */
export type CpuMask = number;

/** A thread. */
export class Task {
  declare readonly pid: number;
  declare name: string;
  declare cpu: number;
  declare allowed: CpuMask;
  /** Called when it has ended, with its status. */
  declare readonly done?: (status: number) => void;
  /** Its stack of activities. */
  readonly context: Context;
  /** Scheduling policy. */
  policy: Policy = "SCHED_OTHER";
  /** Real-time priority 1 … 99; 0 for SCHED_OTHER; 100 for the stopper threads, which nothing preempts. */
  rtPriority = 0;
  /** CFS: weighted run time so far, ns. */
  vruntimeNs = NaN;
  /** When it was last put on its CPU, ns. */
  execStartNs = NaN;
  /** CPU time used, ns. */
  cpuTimeNs = NaN;
  /** Time in which a CPU has executed its guest, as booked ({@linkcode GuestTime}), ns. */
  guestNs = NaN;
  /** The part of that on a CPU where it does not run itself, a slave CPU: it is no part of its CPU time, ns. */
  guestElsewhereNs = NaN;
  /** How long it has been waiting for a CPU, runnable, ns (`sched_info.run_delay`). */
  runDelayNs = NaN;
  /** Since when it has been waiting; -1: it does not. */
  queuedNs = NaN;
  /** CPU time when its slice began, ns. */
  sliceStartNs = NaN;
  /** SCHED_RR: ticks of its slice that have passed. */
  sliceTicks = 0;
  /** SCHED_RR: its slice is over and an equal waits. */
  turnOver = false;
  /** Whether it wants a CPU. */
  runnable = false;
  /** Above 0 it is not preempted. */
  preemptCount = 0;
  /** A system call of its own that has preemption points. */
  longCall: LongCall | null = null;
  /** Its last switch to another process; null: it has made none. */
  switchAway: SwitchMm | null = null;
  /** It has been woken for the first time, and has a CPU of its own. */
  started = false;
  /** It has ended. */
  dead = false;
  /** A signal ends it. */
  killed = false;
  /** Takes a fatal signal, where the task is one of several threads that end together, each in its own time. */
  onKill: ((from: KernelCpu) => void) | null = null;
  /**
   * What its program does about a signal; true: nothing more happens. `toGroup`: the processes that it has made get the
   * signal too. `sender`: `si_pid`, null where that is nobody's. null: it handles none.
   */
  onSignal: ((signal: number, from: KernelCpu, toGroup: boolean, sender: Sender | null) => boolean) | null =
    null;
  /** What it leaves behind is given back when it ends. */
  atEnd: (() => void) | null = null;
  /** A wake-up that came before the task slept: the next sleep returns at once. */
  wakePending = false;
  /** Its cpuset; null: the root. */
  cpuset: Cpuset | null = null;
  /** Pid of the first thread of its process: its own, unless somebody has made it as a thread. */
  tgid: number;
  /** It is a thread of the kernel and has no user space. */
  kernelThread = false;
  /** It is bound to its CPU for good: PF_THREAD_BOUND. */
  bound = false;
  /** What it was started as: name and arguments. */
  argv: readonly string[] = [];
  /** When it was made, ns. */
  startNs = 0;

  /**
   * @param name as `ps` prints it; another one after execve() @param cpu the CPU whose queue it is on @param allowed where it may run
   */
  constructor(
    pid: number,
    name: string,
    cpu: number,
    allowed: CpuMask,
    activity: Activity<unknown> | Routine,
    done?: (status: number) => void,
  ) {
    // Room for large numbers from the start: see `Engine`.
    this.vruntimeNs =
      this.execStartNs =
      this.cpuTimeNs =
      this.sliceStartNs =
        0;
    this.guestNs = this.guestElsewhereNs = this.runDelayNs = 0;
    this.queuedNs = -1;
    this.pid = pid;
    this.name = name;
    this.cpu = cpu;
    this.allowed = allowed;
    this.done = done;
    this.tgid = pid;
    this.context = new Context(name, activity);
  }

  /** Whether its policy is a real-time one. */
  get realTime(): boolean {
    return this.rtPriority > 0;
  }

  /** Adds the scheduler's view of it, and its stack, to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.pid).text(this.policy).word(this.rtPriority).number(this.vruntimeNs).number(
      this.cpuTimeNs,
    );
    hash.word(this.sliceTicks).flag(this.turnOver).number(this.runDelayNs).number(this.queuedNs);
    hash.flag(this.runnable).word(this.preemptCount).word(this.cpu).word(this.allowed);
    this.context.hashInto(hash);
  }
}
