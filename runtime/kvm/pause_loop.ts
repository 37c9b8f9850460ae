/**
 * Guests that spin: exits from loops of PAUSE, and to whom the CPU goes then.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/vmx.c` (`KVM_VMX_DEFAULT_PLE_GAP`, `KVM_VMX_DEFAULT_PLE_WINDOW`, `handle_pause()`),
 * `virt/kvm/kvm_main.c` (`kvm_vcpu_on_spin()`, `kvm_vcpu_yield_to()`); Linux 3.6 (`kvm_vcpu_eligible_for_directed_yield()`).
 *
 * *Modelled*: who spins may wait for a vCPU that has lost its CPU: the first such after the one that was helped last gets it.
 * Since 3.6 one that has itself been preempted in such a yield is passed over every other time.
 *
 * *Not modelled*: windows that grow and shrink (3.18), and what later versions ask of a candidate beside.
 *
 * @module
 */

import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { yieldTo } from "../linux/sched/yield_to.ts";
import type { Vcpu } from "./vcpu.ts";
import { has } from "./versions.ts";

/** Module parameters ple_gap and ple_window, ticks. */
export const PLE = Object.freeze({ gap: 128, window: 4096 });

/** `struct spin_loop`: what a vCPU's own yields make of it. */
export class SpinLoop {
  /** Its thread is within a yield of this kind (`in_spin_loop`). */
  inside = false;
  /** Whether it is eligible although it is (`dy_eligible`). */
  eligible = false;

  /** The thread has the CPU again. */
  leave(): void {
    this.inside = this.eligible = false;
  }
}

/** `kvm_vcpu_on_spin()`: executed on `cpu`, whose run loop then reschedules. A slave CPU has nobody to give way to. */
export function onSpin(me: Vcpu, cpu: KernelCpu): void {
  const { vm } = me;
  if (cpu.state === "slave") return;
  const { vcpus } = vm;
  const count = vcpus.length, last = vm.lastBoosted;
  const modern = has(vm.kvm.version, "3.6");
  // Those behind the last one, then those up to it; 3.5 takes "the last one is 0" for "nobody yet".
  const first = last === 0 && !modern ? 0 : last + 1;
  for (let turn = 0; turn < count; turn++) {
    const at = (first + turn) % count;
    const vcpu = vcpus[at]!;
    const { thread } = vcpu;
    if (vcpu === me || thread === null || !thread.runnable || vcpu.inGuest) continue;
    if (modern && !eligible(vcpu)) continue;
    if (!yieldTo(thread, cpu)) continue;
    vm.lastBoosted = at;
    me.spinLoop.inside = true;
    return;
  }
}

/** `kvm_vcpu_eligible_for_directed_yield()`: being looked at changes it. */
function eligible({ spinLoop }: Vcpu): boolean {
  const { inside } = spinLoop;
  const answer = !inside || spinLoop.eligible;
  if (inside) spinLoop.eligible = !spinLoop.eligible;
  return answer;
}
