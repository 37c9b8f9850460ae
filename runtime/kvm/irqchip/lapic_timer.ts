/**
 * The timer of KVM's local APIC: an hrtimer of the host, and an expiry that waits for the vCPU.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/lapic.c` (`start_apic_timer`, `apic_timer_fn`, `kvm_inject_apic_timer_irqs`) and
 * `kvm_timer.h`.
 *
 * *Modelled*: one-shot, periodic and TSC-deadline mode; on a slave CPU the hrtimer of an online one, or with the direct timer
 * the processor's own.
 *
 * *Not modelled*: `lapic_timer_advance`.
 *
 * Counting is the device's, `hw/lapic_timer.ts`: it says when the counter expires.
 *
 * @module
 */

import type { Step } from "../../../hw/sim/activity.ts";
import { Apic } from "../../../hw/lapic.ts";
import { MSR_TSC_DEADLINE } from "../../../hw/lapic_registers.ts";
import { TimerMode } from "../../../hw/lapic_timer.ts";
import { HrTimer } from "../../linux/hrtimer.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { ownsTimer } from "../direct.ts";
import { hostDeadline, startDeadline } from "../tsc.ts";
import type { KvmLapic } from "./lapic.ts";
import { startHostTimer } from "./host_timer.ts";

/** The emulated timer of one local APIC (`struct kvm_timer`). */
export class KvmLapicTimer {
  declare readonly lapic: KvmLapic;
  /** It has expired and the vCPU has not seen it. */
  pending = false;
  readonly #host: HrTimer;

  /** The timer of `lapic`. */
  constructor(lapic: KvmLapic) {
    this.lapic = lapic;
    const { vcpu } = lapic;
    const { kvm, name } = vcpu.vm;
    this.#host = new HrTimer(
      `kvm timer ${name}.${vcpu.id}`,
      kvm.steps.timerFunction,
      (_timer, cpu) => this.#expired(cpu),
    );
  }

  /** Whether the host's hrtimer is queued. */
  get armed(): boolean {
    return this.#host.base !== null;
  }

  /** TSC_DEADLINE (`kvm_get_lapic_tscdeadline_msr()`). */
  get deadline(): number {
    const { core } = this.lapic;
    return core.hardwareEnabled && core.timer.mode === TimerMode.TscDeadline ? core.timer.deadline : 0;
  }

  /** `kvm_set_lapic_tscdeadline_msr()`. @returns a register write of the host's own that remains to be executed, or null */
  setDeadline(value: number, cpu: KernelCpu): Step | null {
    const { core, vcpu } = this.lapic;
    if (core.timer.mode !== TimerMode.TscDeadline || !core.hardwareEnabled) return null;
    this.pending = false;
    if (cpu.state !== "slave" || !ownsTimer(vcpu.vm.kvm)) {
      startDeadline(vcpu, value);
      return this.start(cpu);
    }
    core.timer.deadline = value; // patch 20: the processor's own timer, which compares with the processor's counter
    return cpu.registers.wrmsr(MSR_TSC_DEADLINE, hostDeadline(vcpu, value));
  }

  /** `apic_has_pending_timer()`: a masked one waits until it is unmasked. */
  get interrupts(): boolean {
    const { core } = this.lapic;
    return this.pending && core.enabled && core.timerVector >= 0;
  }

  /** `kvm_inject_pending_timer_irqs()`, in the run loop: an expiry that the vCPU has not seen becomes an interrupt. */
  inject(cpu: KernelCpu): void {
    if (!this.interrupts) return;
    this.pending = false;
    const { core, vcpu, version } = this.lapic;
    const entry = core.register(Apic.LVTT);
    // Bits 10:8 are no delivery mode of the timer's, but what user space has restored counts.
    if ((entry & 0x700) === 0) vcpu.interrupt(entry & 0xff, cpu);
    else this.lapic.localInterrupt(Apic.LVTT, cpu);
    if (version.deadlineCleared && core.timer.mode === TimerMode.TscDeadline) core.timer.deadline = 0;
  }

  /** `start_apic_timer()`: the hrtimer is one of this CPU, or of an online one where this is a slave. */
  start(cpu: KernelCpu): Step | null {
    const { core: { timer: { expiresNs } }, version, vcpu } = this.lapic;
    const { host } = vcpu.vm.kvm;
    const home = cpu.state === "slave" ? host.cpus[vcpu.thread!.cpu]! : cpu;
    const past = expiresNs <= host.nowNs && version.pastDeadlineAtOnce;
    if (expiresNs !== Infinity && !past) return startHostTimer(this.#host, expiresNs, home, cpu);
    this.#host.base?.cancel(this.#host);
    if (past) this.#expired(cpu);
    return null;
  }

  /** It does not expire any more, nor has it. */
  cancel(): void {
    this.#host.base?.cancel(this.#host);
    this.pending = false;
  }

  /** `apic_timer_fn()`: on the host's CPU on which the hrtimer expires, which need not be the one that has started it. */
  #expired(cpu: KernelCpu): void {
    const { core: { timer }, vcpu } = this.lapic;
    const { deadline } = timer;
    timer.expired();
    timer.deadline = deadline; // reads back until the vCPU has seen the expiry
    if (timer.expiresNs !== Infinity) cpu.hrtimers.start(this.#host, timer.expiresNs);
    this.pending = true;
    vcpu.timerExpired(cpu);
  }
}
