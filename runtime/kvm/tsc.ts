/**
 * The guest's time-stamp counter: the host's plus an offset.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/x86.c` (`kvm_write_tsc()`, `kvm_set_tsc_khz()`, `kvm_guest_time_update()`), `lapic.c`
 * (`start_apic_timer()`), `vmx.c` (`vmx_set_tsc_khz()`); Linux 6.18 `kvm_synchronize_tsc()`, `set_tsc_khz()`,
 * `kvm_set_msr_common()` (MSR_IA32_TSC, MSR_IA32_TSC_ADJUST); Intel SDM vol. 3B, "Time-Stamp Counter Adjustment".
 *
 * *Modelled*: the offset, which is the VMCS's own; that counters written alike at nearly the same time are meant to be
 * the same; IA32_TSC_ADJUST where the kernel and the guest's CPUID have it; a rate above the host's on a processor that
 * cannot scale its counter: before every entry the offset grows to what the guest's counter should show by then
 * (`tsc_always_catchup`). In between it counts at the host's rate; a slave CPU that does not exit never catches up.
 *
 * *Not modelled*: unstable counters; processors that scale. kvmclock keeps the host's time whatever the rate.
 *
 * @module
 */

import { Primary } from "../../hw/vmx.ts";
import { shows } from "./cpuid.ts";
import type { Kvm } from "./kvm.ts";
import type { Vcpu } from "./vcpu.ts";
import { hostTscKhz } from "./vcpu_state.ts";
import type { Vm } from "./vm.ts";
import { has, type Since } from "./versions.ts";

/** A write that is off by less than this from what the last one has become is one that synchronizes, ns. */
const SYNCHRONIZES_NS = 1_000_000_000n;
/** A rate that is off by no more than this from the host's is the host's (module parameter `tsc_tolerance_ppm`). */
const TOLERANCE_PPM = 250;
/** Since when KVM_SET_TSC_KHZ looks at the largest rate that can be scaled to only where the processor can scale. */
const TSC_KHZ_UNBOUNDED: Since = "5.8";
/** A rate in kHz is ticks in so many ns. */
const NS_PER_MS = 1_000_000n;
/** IA32_TSC_ADJUST, and the version that has it. */
export const MSR_TSC_ADJUST = 0x3b, TSC_ADJUST_SINCE: Since = "3.8";

/** A counter as it was when it was written. */
export interface TscStart {
  readonly value: bigint;
  readonly atNs: number;
}

/** The last write of a machine's counters. */
export interface TscWrite extends TscStart {
  /** The offset that it has led to. */
  readonly offset: bigint;
  /** The rate of the counter that was written, kHz. */
  readonly khz: number;
  /** The first of the writes that this one is alike to. */
  readonly first: TscStart;
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
  const { vm, vmcs, state } = vcpu;
  const { nowNs: atNs } = vm.kvm.host.engine;
  const khz = state.tscKhz;
  const last = vm.tscWrite;
  let offset = value - hostTsc(vm), first: TscStart = { value, atNs };
  if (last !== null && last.khz === khz) {
    const ahead = ((value - last.value) * NS_PER_MS) / BigInt(khz) - BigInt(atNs - last.atNs);
    if (ahead < SYNCHRONIZES_NS && -ahead < SYNCHRONIZES_NS) ({ offset, first } = last);
  }
  vmcs.tscOffset = offset;
  state.tscStart = first;
  vm.tscWrite = { value, atNs, offset, khz, first };
}

/**
 * `KVM_SET_TSC_KHZ`, on a processor that cannot scale its counter. @returns whether it is taken: what is asked for is what
 * `KVM_GET_TSC_KHZ` answers either way
 */
export function setTscKhz(vcpu: Vcpu, khz: number): boolean {
  const { state, vm: { kvm } } = vcpu;
  const host = hostTscKhz(kvm.tscRatio);
  state.tscKhz = khz;
  const tolerated = Math.floor((host * TOLERANCE_PPM) / 1_000_000);
  if (Math.abs(khz - host) <= tolerated) return true; // what was asked for before still holds
  if (khz < host) {
    kvm.host.log("kvm: user requested TSC rate below hardware speed");
    return false;
  }
  state.tscCatchesUp = true;
  vcpu.attention = true;
  return true;
}

/** Whether `KVM_SET_TSC_KHZ` of a vCPU is refused at once: the largest rate of a processor that cannot scale is 0. */
export function refusesTscKhz({ version }: Kvm): boolean {
  return has(version, "2.6.39", TSC_KHZ_UNBOUNDED);
}

/** `kvm_guest_time_update()`, before an entry: the counter is to show at least what it had by now at its own rate. */
export function catchUpTsc(vcpu: Vcpu): void {
  const { state, vmcs, vm: { kvm: { host } } } = vcpu;
  const { value, atNs } = state.tscStart;
  const due = value + (BigInt(host.engine.nowNs - atNs) * BigInt(state.tscKhz)) / NS_PER_MS;
  const behind = due - guestTsc(vcpu);
  if (behind > 0n) vmcs.tscOffset += behind;
}

/** `start_apic_timer()` in TSC-deadline mode: arms the emulated timer by the guest's counter and its rate. */
export function startDeadline(vcpu: Vcpu, deadline: number): void {
  const { lapic: { core: { timer } }, state, vmcs, vm: { kvm: { host: { nowNs } } } } = vcpu;
  timer.startDeadline(deadline, nowNs, Number(vmcs.tscOffset));
  if (!state.tscCatchesUp || deadline === 0) return;
  const ticks = Math.max(0, deadline - Number(guestTsc(vcpu)));
  timer.expiresNs = nowNs + Math.ceil((ticks * 1_000_000) / state.tscKhz);
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
