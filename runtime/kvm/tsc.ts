/**
 * The guest's time-stamp counter: the host's plus an offset.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/x86.c` (`kvm_write_tsc()`, `start_apic_timer()`); Linux 6.18 `kvm_synchronize_tsc()`,
 * `kvm_set_msr_common()` (MSR_IA32_TSC, MSR_IA32_TSC_ADJUST); Intel SDM vol. 3B, "Time-Stamp Counter Adjustment".
 *
 * *Modelled*: the offset, which is the VMCS's own; that counters written alike at nearly the same time are meant to be
 * the same; IA32_TSC_ADJUST where the kernel and the guest's CPUID have it.
 *
 * *Not modelled*: unstable counters; another rate than the host's (see `vcpu_register_ioctls.ts`).
 *
 * @module
 */

import { Primary } from "../../hw/vmx.ts";
import { shows } from "./cpuid.ts";
import type { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";
import { has, type Since } from "./versions.ts";

/** A write that is off by less than this from what the last one has become is one that synchronizes, ns. */
const SYNCHRONIZES_NS = 1_000_000_000n;
/** IA32_TSC_ADJUST, and the version that has it. */
export const MSR_TSC_ADJUST = 0x3b, TSC_ADJUST_SINCE: Since = "3.8";

/** The last write of a machine's counters. */
export interface TscWrite {
  readonly value: bigint;
  readonly atNs: number;
  /** The offset that it has led to. */
  readonly offset: bigint;
}

/** The host's counter. */
export function hostTsc({ kvm }: Vm): bigint {
  return BigInt(Math.floor((kvm.host.engine.nowNs * kvm.tscRatio.ticks) / kvm.tscRatio.ns));
}

/** The guest's counter. */
export function guestTsc({ vm, vmcs }: Vcpu): bigint {
  return BigInt.asUintN(64, hostTsc(vm) + vmcs.tscOffset);
}

/** A deadline of the guest's counter as one of the host's; 0 disarms either, and what has passed is due at once. */
export function hostDeadline({ vmcs }: Vcpu, deadline: number): number {
  return deadline === 0 ? 0 : Math.max(1, deadline - Number(vmcs.tscOffset));
}

/** `vmx_vcpu_setup()`: the counter begins at 0, or where those of the other vCPUs are. */
export function startTsc(vcpu: Vcpu): void {
  vcpu.vmcs.primary |= Primary.UseTscOffsetting;
  writeTsc(vcpu, 0n);
}

/**
 * `kvm_write_tsc()`. Counters that are written alike within a second of each other are to be one: the write that comes
 * later takes the offset of the first.
 */
export function writeTsc(vcpu: Vcpu, value: bigint): void {
  const { vm, vmcs } = vcpu;
  const { nowNs } = vm.kvm.host.engine;
  const { ticks, ns } = vm.kvm.tscRatio;
  const last = vm.tscWrite;
  if (last !== null) {
    const elapsedNs = BigInt(nowNs - last.atNs);
    const ahead = ((value - last.value) * BigInt(ns)) / BigInt(ticks) - elapsedNs;
    if (ahead < SYNCHRONIZES_NS && -ahead < SYNCHRONIZES_NS) {
      vmcs.tscOffset = last.offset;
      vm.tscWrite = { value, atNs: nowNs, offset: last.offset };
      return;
    }
  }
  vmcs.tscOffset = value - hostTsc(vm);
  vm.tscWrite = { value, atNs: nowNs, offset: vmcs.tscOffset };
}

/** A guest's own write of IA32_TSC: where there is IA32_TSC_ADJUST, it counts by how much this processor has been moved. */
export function guestWritesTsc(vcpu: Vcpu, value: bigint): void {
  if (!hasTscAdjust(vcpu)) return writeTsc(vcpu, value);
  const by = value - guestTsc(vcpu);
  vcpu.vmcs.tscOffset += by;
  vcpu.state.msrs.set(MSR_TSC_ADJUST, BigInt.asUintN(64, adjustment(vcpu) + by));
}

/** A guest's own write of IA32_TSC_ADJUST: the counter moves by the difference. */
export function guestWritesTscAdjust(vcpu: Vcpu, value: bigint): void {
  vcpu.vmcs.tscOffset += BigInt.asIntN(64, value - adjustment(vcpu));
  vcpu.state.msrs.set(MSR_TSC_ADJUST, value);
}

/** IA32_TSC_ADJUST. */
export function adjustment({ state }: Vcpu): bigint {
  return state.msrs.get(MSR_TSC_ADJUST) ?? 0n;
}

/** Whether the guest has IA32_TSC_ADJUST. */
export function hasTscAdjust({ vm: { kvm }, state }: Vcpu): boolean {
  return has(kvm.version, TSC_ADJUST_SINCE) && shows(state.cpuid, "tsc_adjust");
}
