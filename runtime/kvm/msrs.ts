/**
 * Accesses to model-specific registers that KVM emulates, for the guest and for user space.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/x86.c` (`kvm_set_msr_common()`, `kvm_get_msr_common()`).
 *
 * *Modelled*: IA32_APIC_BASE, IA32_TSC, IA32_TSC_ADJUST, IA32_TSC_DEADLINE, steal time, PV EOI, the x2APIC's registers; those
 * of kvm-clock, which keep what is written: the model's guests read the clock without them. Any other one is refused, as one
 * that KVM does not know.
 *
 * @module
 */

import { isBaseMsr, readBase, writeBase } from "../../hw/base_msrs.ts";
import type { Step } from "../../hw/sim/activity.ts";
import { MSR_TSC, MSR_TSC_DEADLINE, x2apicOffset } from "../../hw/lapic.ts";
import { MSR_APIC_BASE } from "../../hw/lapic_base.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import {
  adjustment,
  guestTsc,
  guestWritesTsc,
  guestWritesTscAdjust,
  hasTscAdjust,
  MSR_TSC_ADJUST,
} from "./tsc.ts";
import { MSR_PV_EOI } from "./pv_eoi.ts";
import { CLOCK_MSRS } from "./pv_features.ts";
import { MSR_STEAL_TIME } from "./steal_time.ts";
import type { Vcpu } from "./vcpu.ts";

/** A value of 64 bits. */
export interface MsrValue {
  /** Bits 31:0. */
  readonly low: number;
  /** Bits 63:32. */
  readonly high: number;
}

/**
 * `kvm_set_msr()`.
 *
 * @param byUserSpace with `KVM_SET_MSRS`: it restores a state @param cpu whose software does it
 * @returns a register write of the host's own that remains to be executed, or null; undefined: refused, #GP for a guest
 */
export function writeMsr(
  vcpu: Vcpu,
  msr: number,
  { low, high }: MsrValue,
  byUserSpace: boolean,
  cpu: KernelCpu,
): Step | null | undefined {
  const { lapic } = vcpu;
  const value = high * 0x1_0000_0000 + low;
  if (lapic.hasMsr(msr)) return lapic.writeHalves(x2apicOffset(msr), low, high, cpu);
  switch (msr) {
    case MSR_APIC_BASE:
      return lapic.setBase(value, byUserSpace) ? null : undefined;
    case MSR_TSC_DEADLINE:
      return lapic.timer.setDeadline(value, cpu);
    case MSR_TSC:
      guestWritesTsc(vcpu, wide(low, high));
      return null;
    case MSR_STEAL_TIME:
      return vcpu.steal.write(wide(low, high), vcpu.thread) ? null : undefined;
    case MSR_PV_EOI:
      return vcpu.pvEoi.write(wide(low, high)) ? null : undefined;
    case MSR_TSC_ADJUST:
      if (!hasTscAdjust(vcpu)) return undefined;
      guestWritesTscAdjust(vcpu, wide(low, high));
      return null;
    default:
      if (isBaseMsr(msr)) return writeBase(vcpu.registers, msr, value) ? null : undefined;
      if (!CLOCK_MSRS.has(msr)) return undefined;
      vcpu.state.msrs.set(msr, wide(low, high));
      return null;
  }
}

/** `kvm_get_msr()`. @returns undefined: refused */
export function readMsr(vcpu: Vcpu, msr: number): MsrValue | undefined {
  const { lapic } = vcpu;
  switch (msr) {
    case MSR_TSC:
      return halves(Number(guestTsc(vcpu)));
    case MSR_STEAL_TIME:
      return halves(Number(vcpu.steal.value));
    case MSR_PV_EOI:
      return vcpu.pvEoi.exists ? halves(Number(vcpu.pvEoi.value)) : undefined;
    case MSR_TSC_ADJUST:
      return hasTscAdjust(vcpu) ? halves(Number(adjustment(vcpu))) : undefined;
    case MSR_APIC_BASE:
      return halves(lapic.base);
    case MSR_TSC_DEADLINE:
      return halves(lapic.timer.deadline);
    default:
      if (CLOCK_MSRS.has(msr)) return halves(Number(vcpu.state.msrs.get(msr) ?? 0n));
      if (isBaseMsr(msr)) return halves(readBase(vcpu.registers, msr)!);
      return lapic.readMsr(msr);
  }
}

function wide(low: number, high: number): bigint {
  return BigInt(high) << 32n | BigInt(low);
}

function halves(value: number): MsrValue {
  return { low: value >>> 0, high: Math.floor(value / 0x1_0000_0000) };
}
