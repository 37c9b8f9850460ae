/**
 * The 8254 programmable interval timer in the kernel (`KVM_CREATE_PIT2`): channel 0, which drives interrupt line 0.
 *
 * *Document*: Intel 8254 data sheet, mode 2; Linux 3.5 `arch/x86/kvm/i8254.c`.
 *
 * *Modelled*: an hrtimer of the host CPU on which it was created; every expiry raises line 0 of its machine; count and
 * mode as user space sets them.
 *
 * *Not modelled*: channels 1 and 2, the ports of the mode and counter registers, reinjection of ticks that the guest missed.
 *
 * *Assumption*: channel 0 counts as the BIOS leaves it, 65536 counts a tick (18.2 Hz), for as long as the machine
 * lives. A kernel that has found its local APIC timer shuts the PIT down by loading a count of 0 in mode 0, which in
 * this emulation is a count of 65536 like any other; the talk says that the in-kernel PIT has to be switched off with
 * `-no-kvm-pit`, and that is how it can be seen to matter. QEMU's own PIT, which takes its place then, stops when the
 * guest shuts it down: it raises nothing here.
 *
 * @module
 */

import type { Step } from "../../hw/sim/activity.ts";
import { HrTimer } from "../linux/hrtimer.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { Vm } from "./vm.ts";

/** The PIT's clock, Hz. */
export const PIT_HZ = 1_193_182;
/** Counts of a tick: a count of 0 stands for all 16 bits. */
const COUNTS = 0x1_0000;
/** Modes in which the counter starts again by itself, and the last one in which it makes ticks at all. */
const PERIODIC = [2, 3], LAST_MODE = 4;
/** The line that channel 0 drives. */
const LINE = 0;

/** Channel 0. */
export class Pit {
  /** Counts of a tick. */
  count = COUNTS;
  /** Mode of the counter: 2 and 3 are periodic, 0, 1 and 4 end with one tick. */
  mode = 2;
  /** Ticks so far. */
  ticks = 0;
  readonly #timer: HrTimer;

  /** @param home the CPU on which it was created: its timer expires there */
  constructor(readonly vm: Vm, readonly home: KernelCpu) {
    this.#timer = new HrTimer(
      `kvm pit ${vm.name}`,
      vm.kvm.steps.pitTick,
      (timer, cpu) => this.#tick(timer, cpu),
    );
  }

  /** Time from tick to tick, ns; truncated, as `muldiv64()` does. */
  get periodNs(): number {
    return Math.floor((this.count * 1_000_000_000) / PIT_HZ);
  }

  /** `pit_load_count()`: counts anew. @returns the register write that remains to be done, if any */
  load(count: number, mode: number): Step | null {
    this.stop();
    this.count = count & 0xffff || COUNTS;
    this.mode = mode;
    return this.vm.irqchip && mode <= LAST_MODE ? this.start() : null;
  }

  /** Whether it counts. */
  get running(): boolean {
    return this.#timer.base !== null;
  }

  /** Starts counting, on its home. @returns the register write that remains to be done, if any */
  start(): Step | null {
    const { hrtimers } = this.home;
    hrtimers.start(this.#timer, this.home.kernel.nowNs + this.periodNs);
    return hrtimers.first === this.#timer && hrtimers.stale ? this.home.programTimer() : null;
  }

  /** Stops counting. */
  stop(): void {
    this.#timer.base?.cancel(this.#timer);
  }

  #tick(timer: HrTimer, cpu: KernelCpu): void {
    this.ticks++;
    if (PERIODIC.includes(this.mode)) cpu.hrtimers.start(timer, timer.expiresNs + this.periodNs);
    this.vm.raiseLine(LINE, cpu);
  }
}
