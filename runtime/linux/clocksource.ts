/**
 * What the kernel reads the time from, and what that costs a program.
 *
 * *Document*: Linux 3.5 and 6.18 `kernel/time/clocksource.c`, `arch/x86/kernel/kvmclock.c`, `arch/x86/vdso/vclock_gettime.c`.
 *
 * *Modelled*: the TSC, and in a guest kvm-clock, which is preferred where KVM offers it. Both run at the rate of the host's
 * TSC: changing from one to the other changes what a reading costs. That of the TSC is made in user space, by the vDSO. That
 * of kvm-clock is a system call, before 3.8, and where KVM does not say that its clock is the same on all vCPUs.
 *
 * *Not modelled*: HPET and ACPI's timer; they are not among the available ones.
 *
 * @module
 */

import type { Step } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { KernelRelease } from "./release.ts";

/** Their names. */
export type ClocksourceName = "tsc" | "kvm-clock";

/** The clock sources of a kernel. */
export class Clocksource {
  /** Names, the preferred one first. */
  readonly available: readonly ClocksourceName[];
  #current: ClocksourceName;
  #read: Step;

  /** @param inVdso the step of a reading in user space @param bySystemCall that of one by the kernel */
  constructor(readonly release: KernelRelease, readonly inVdso: Step, readonly bySystemCall: Step) {
    this.available = release.clocksource === "tsc" ? ["tsc"] : [release.clocksource, "tsc"];
    this.#current = release.clocksource;
    this.#read = this.#stepOf(release.clocksource);
  }

  /** The one that is read. */
  get current(): ClocksourceName {
    return this.#current;
  }

  /** clock_gettime(). */
  get read(): Step {
    return this.#read;
  }

  /** Takes another of the available ones; any other name changes nothing, as in Linux. Answers whether it has changed. */
  select(name: string): boolean {
    const found = this.available.find((each) => each === name);
    if (found === undefined || found === this.#current) return false;
    this.#current = found;
    this.#read = this.#stepOf(found);
    return true;
  }

  #stepOf(name: ClocksourceName): Step {
    return name === "tsc" || this.release.kvmClockInVdso === true ? this.inVdso : this.bySystemCall;
  }

  /** Adds which one it is. */
  hashInto(hash: StateHash): void {
    hash.word(this.available.indexOf(this.#current));
  }
}
