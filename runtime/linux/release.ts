/**
 * Kernel releases as data: what one Linux differs from another in, as far as the model goes.
 *
 * @module
 */

import type { ClocksourceName } from "./clocksource.ts";
import { ns, parameters, type Values } from "../../hw/parameters.ts";

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
  /** Device handlers run with interrupts on, as before 2.6.36 where they did not ask for the contrary. */
  readonly nestedInterrupts?: boolean;
  /**
   * Vectors of TLB shoot-downs, one for each sender (2.6.38 gave 32 of them, before there were 8); absent since 3.6, which
   * makes function calls of them.
   */
  readonly tlbVectors?: { readonly first: number; readonly count: number };
  /** It asks no hypervisor for steal time, as before 3.1. */
  readonly ignoresSteal?: boolean;
  /** It ends its interrupts in memory where KVM offers that, as from 3.6 on. */
  readonly pvEoi?: boolean;
  /** The local APIC's timer is set by TSC deadline where the processor shows it, as from 3.8 on. */
  readonly tscDeadline?: boolean;
  /** The clock source that it prefers of those that it finds. */
  readonly clocksource: ClocksourceName;
  /** kvm-clock is read by the vDSO, as from 3.8 on where KVM calls it stable. */
  readonly kvmClockInVdso?: boolean;
}

/** What the kernel's steps cost, integer ns in their typical execution. */
export const kernelCosts = parameters({
  irqEntry: ns("First instruction of an interrupt's entry to its handler"),
  hrtimerWake: ns("hrtimer_interrupt(), the wake-up of a sleeper, and the conversion of the next delay"),
  tick: ns("The scheduler's tick"),
  nohzStop: ns("Stopping the tick on entry to idle"),
  nohzRestart: ns("Starting the tick again when idle ends"),
  contextSwitch: ns("A context switch, scheduler decision included"),
  clockReadVdso: ns("clock_gettime() by the vDSO"),
  clockReadKvmclock: ns("clock_gettime() by a system call on kvm-clock"),
  nanosleep: ns("Entry to and exit from a system call that sets a sleep timer"),
  wakeUp: ns("Waking another task, without the switch"),
  ipiHandler: ns("A reschedule or call-function interrupt's own work"),
  deviceHandler: ns("A device interrupt's handler (mask, schedule its poll)"),
  raiseSoftirq: ns("Raising a softirq in a handler"),
  consoleCharacter: ns("A character through the terminal and the text console, without its store"),
  shellBuiltin: ns("One built-in command of the shell"),
  cpuDown: ns("Notifiers, stop_machine and migration when a CPU is taken offline"),
  cpuUp: ns("Start-up of a CPU, from INIT to its first schedule"),
});

/** Values of {@linkcode kernelCosts}. */
export type KernelCosts = Values<typeof kernelCosts>;
