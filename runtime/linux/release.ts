/**
 * Kernel releases as data: what one Linux differs from another in, as far as the model goes.
 *
 * @module
 */

/** One kernel build. */
export interface KernelRelease {
  /** As `uname -r` prints it. */
  readonly release: string;
  /** CONFIG_HZ. */
  readonly hz: number;
  /** CONFIG_NO_HZ: the tick stops while a CPU idles, and leaving idle starts it again. */
  readonly noHz: boolean;
  /** CONFIG_PREEMPT_RT_FULL: softirqs run in threads, system calls can be preempted. */
  readonly realTime: boolean;
  /** Where clock_gettime() reads: the TSC in user space, or kvm-clock by a system call. */
  readonly clocksource: "tsc" | "kvm-clock";
}

/** What the kernel's steps cost, integer ns in their typical execution. */
export interface KernelCosts {
  /** First instruction of an interrupt's entry to its handler. */
  readonly irqEntry: number;
  /** `hrtimer_interrupt()` and the wake-up of a sleeper. */
  readonly hrtimerWake: number;
  /** Conversion of a delay to timer counts, before the register write. */
  readonly clockeventsProgram: number;
  /** The scheduler's tick. */
  readonly tick: number;
  /** Stopping the tick on entry to idle. */
  readonly nohzStop: number;
  /** Starting the tick again when idle ends. */
  readonly nohzRestart: number;
  /** A context switch, scheduler decision included. */
  readonly contextSwitch: number;
  /** clock_gettime() by the vDSO. */
  readonly clockReadVdso: number;
  /** clock_gettime() by a system call on kvm-clock. */
  readonly clockReadKvmclock: number;
  /** Entry to and exit from a system call that sets a sleep timer. */
  readonly nanosleep: number;
  /** Waking another task, without the switch. */
  readonly wakeUp: number;
  /** A reschedule or call-function interrupt's own work. */
  readonly ipiHandler: number;
  /** A device interrupt's handler (mask, schedule its poll). */
  readonly deviceHandler: number;
  /** One built-in command of the shell. */
  readonly shellBuiltin: number;
  /** Notifiers, stop_machine and migration when a CPU is taken offline. */
  readonly cpuDown: number;
  /** Start-up of a CPU, from INIT to its first schedule. */
  readonly cpuUp: number;
}
