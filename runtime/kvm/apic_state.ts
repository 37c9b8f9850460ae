/**
 * What user space sees of a vCPU's local APIC outside of its page: IA32_APIC_BASE, the x2APIC's MSRs, CR8, and the
 * activity state.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/lapic.c`: `kvm_set_apic_base()`, `kvm_x2apic_msr_read()`.
 *
 * @module
 */

import { Apic, MSR_APIC_BASE, x2apicOffset } from "../../hw/lapic.ts";
import type { Vcpu } from "./vcpu.ts";

/** The xAPIC page, and the bits of IA32_APIC_BASE. */
const Base = {
  page: 0xfee0_0000n,
  bootProcessor: 0x100n,
  x2apic: 0x400n,
  enable: 0x800n,
  reserved: 0x2ffn,
} as const;
/** `KVM_MP_STATE_HALTED`. */
const HALTED = 3;

/** Reads an MSR of the local APIC; `undefined`: there is none. */
export function readApicMsr(vcpu: Vcpu, msr: number): bigint | undefined {
  if (msr === MSR_APIC_BASE) return apicBase(vcpu);
  if (msr < 0x800 || msr >= 0x900) return 0n; // TSC_DEADLINE: not in use
  const { apic, vm } = vcpu;
  const offset = x2apicOffset(msr);
  return apic.x2apic && apic.readable(offset) ? BigInt(apic.read(offset, vm.kvm.host.nowNs)) : undefined;
}

/** Writes one; false: refused. */
export function writeApicMsr(vcpu: Vcpu, msr: number, value: bigint): boolean {
  if (msr === MSR_APIC_BASE) return setApicBase(vcpu, value);
  if (msr < 0x800 || msr >= 0x900) return true;
  const { apic, vm } = vcpu;
  return apic.x2apic && apic.write(x2apicOffset(msr), Number(value), vm.kvm.host.nowNs).kind !== "fault";
}

/** IA32_APIC_BASE: enabled, in its form, and whether it is the bootstrap processor's. */
export function apicBase({ apic, id }: Vcpu): bigint {
  return Base.page | Base.enable | (apic.x2apic ? Base.x2apic : 0n) | (id === 0 ? Base.bootProcessor : 0n);
}

/** Writes IA32_APIC_BASE; false: refused. */
export function setApicBase({ apic }: Vcpu, value: bigint): boolean {
  if ((value & Base.reserved) !== 0n) return false;
  if ((value & Base.enable) !== 0n) apic.x2apic = (value & Base.x2apic) !== 0n;
  return (value & (Base.x2apic | Base.enable)) !== Base.x2apic;
}

/** CR8. */
export function taskPriority({ apic }: Vcpu): number {
  return apic.read(Apic.TPR, 0) >>> 4;
}

/** Writes CR8. */
export function setTaskPriority({ apic, vm }: Vcpu, value: number): void {
  apic.write(Apic.TPR, (value & 15) << 4, vm.kvm.host.nowNs);
}

/** `KVM_GET_MP_STATE`. */
export function mpState({ halted }: Vcpu): number {
  return halted ? HALTED : 0;
}

/** `KVM_SET_MP_STATE`. */
export function setMpState(vcpu: Vcpu, state: number): void {
  vcpu.halted = state === HALTED;
}
