/**
 * Guest time: what a kernel books of the time in which a CPU of its executes a guest.
 *
 * *Document*: Linux 3.5 `include/linux/kvm_host.h` (`kvm_guest_enter()`, `kvm_guest_exit()`); Linux 3.8
 * `kernel/sched/cputime.c` (`vtime_guest_enter()`, `vtime_guest_exit()`, `account_guest_time()`, `task_gtime()`).
 *
 * *Modelled*: two stamps of the kernel's clock, the one before the VM entry and the other behind the VM exit; what lies
 * between is guest time of the thread and of the CPU, and part of their user time. So entry and exit count with the guest.
 *
 * *Deviations*: Linux takes stamps where it is built with VIRT_CPU_ACCOUNTING; a kernel of 2012 for a PC looks with its
 * tick who runs, and comes to the same but for its coarseness. On a slave CPU no tick runs: there, too, the stamps are the
 * vCPU's thread's.
 *
 * @module
 */

import { Layers } from "../layers.ts";
import type { Task } from "./task.ts";

/** Guest time of one CPU. */
export class GuestTime {
  /** Guest time up to the last stamp behind an exit, ns. */
  bookedNs = NaN;
  /**
   * Of what lies between the stamps, the time in which the processor was busy with something else than the guest's
   * software: the transitions and its own work in guest mode, ns. The rest it executed that software, or was halted.
   */
  insideNs = NaN;
  #sinceNs = NaN;
  #mark = NaN;
  /** Whose it is, or was. */
  #thread: Task | null = null;
  #inside = false;

  constructor() {
    // See Frame: room for fractions and large numbers from the start.
    this.bookedNs =
      this.insideNs =
      this.#sinceNs =
      this.#mark =
        0;
  }

  /** `kvm_guest_enter()`: `thread`'s vCPU is to be entered. @param layerNs times of the CPU's processor */
  enter(thread: Task, nowNs: number, layerNs: Float64Array): void {
    if (this.#thread !== thread) this.#thread = thread;
    this.#inside = true;
    this.#sinceNs = nowNs;
    this.#mark = besideGuest(layerNs);
  }

  /**
   * `kvm_guest_exit()`: the CPU is the kernel's again.
   *
   * @param runs whether the thread runs on it, or waits for it elsewhere @returns what {@linkcode insideNs} has grown by
   */
  exit(nowNs: number, layerNs: Float64Array, runs: boolean): number {
    const thread = this.#thread!;
    const ns = nowNs - this.#sinceNs, insideNs = this.openInsideNs(layerNs);
    this.#inside = false;
    this.bookedNs += ns;
    this.insideNs += insideNs;
    thread.guestNs += ns;
    if (!runs) thread.guestElsewhereNs += ns;
    return insideNs;
  }

  /** Guest time since the last entry, which no exit has booked yet, ns. @param thread of that one only */
  openNs(nowNs: number, thread = this.#thread): number {
    return !this.#inside || this.#thread !== thread ? 0 : nowNs - this.#sinceNs;
  }

  /** What {@linkcode insideNs} lacks of the time since the last entry, ns. */
  openInsideNs(layerNs: Float64Array): number {
    return !this.#inside ? 0 : besideGuest(layerNs) - this.#mark;
  }
}

/** What a processor has spent on its own transitions and on what is the host's kernel. */
function besideGuest(layerNs: Float64Array): number {
  return layerNs[Layers.Hardware]! + layerNs[Layers.HostKernel]! + layerNs[Layers.Kvm]!;
}
