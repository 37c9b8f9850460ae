/**
 * Model-specific registers of a vCPU, as `KVM_GET_MSRS` and `KVM_SET_MSRS` reach them: "host-initiated", which is
 * allowed more than a guest's own RDMSR and WRMSR.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/x86.c`: `msrs_to_save`, `emulated_msrs`, `kvm_get_msr_common()`,
 * `kvm_set_msr_common()`; Intel SDM vol. 4.
 *
 * *Modelled*: those below; a value with reserved bits, or an address that is not canonical, is refused.
 *
 * *Not modelled*: MTRRs, performance counters, nested VMX.
 *
 * *Deviations*: apart from the TSC, EFER and the local APIC's they are registers and nothing else: a guest of the model
 * computes with none of them.
 *
 * @module
 */

import { isBaseMsr } from "../../../hw/base_msrs.ts";
import { MSR_APIC_BASE } from "../../../hw/lapic_base.ts";
import { MSR_TSC, MSR_TSC_DEADLINE } from "../../../hw/lapic.ts";
import type { Step } from "../../../hw/sim/activity.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { selectBitmap } from "../direct.ts";
import { readMsr, writeMsr } from "../msrs.ts";
import { MSR_PV_EOI } from "../pv_eoi.ts";
import { PV_EOI_SINCE } from "../pv_features.ts";
import { MSR_STEAL_TIME } from "../steal_time.ts";
import { guestTsc, MSR_TSC_ADJUST, TSC_ADJUST_SINCE, writeTsc } from "../tsc.ts";
import type { Vcpu } from "../vcpu.ts";
import { has, type KvmVersion, type Since } from "../versions.ts";

const MSR_EFER = 0xc000_0080;
const MSR_MCG_CAP = 0x179;

/** EFER: SCE, LME, LMA, NX; SVME is for nested machines of another vendor. */
const EFER_BITS = 0xd01n;

/** A register and what may be written to it. */
interface Row {
  readonly msr: number;
  readonly since?: Since;
  /** Value after a reset. */
  readonly reset?: bigint;
  /** Whether a value is taken; absent: every one. */
  valid?(value: bigint): boolean;
}

/** Whether bits 63:47 are alike. */
function canonical(address: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;
}

/** Each byte is one of the memory types 0, 1, 4, 5, 6, 7. */
function memoryTypes(value: bigint): boolean {
  for (let byte = 0n; byte < 8n; byte++) {
    const type = (value >> (byte * 8n)) & 0xffn;
    if (type > 7n || type === 2n || type === 3n) return false;
  }
  return true;
}

const KVM_CLOCK = 0x4b56_4d00;
const ROWS: readonly Row[] = [
  { msr: 0x11 }, // MSR_KVM_WALL_CLOCK, _SYSTEM_TIME
  { msr: 0x12 },
  { msr: KVM_CLOCK },
  { msr: KVM_CLOCK + 1 },
  { msr: KVM_CLOCK + 2 }, // asynchronous page faults
  { msr: MSR_STEAL_TIME },
  { msr: MSR_PV_EOI, since: PV_EOI_SINCE },
  { msr: MSR_TSC_ADJUST, since: TSC_ADJUST_SINCE },
  { msr: 0x48, since: "4.16" }, // IA32_SPEC_CTRL
  { msr: 0x174 }, // IA32_SYSENTER_CS, _ESP, _EIP
  { msr: 0x175, valid: canonical },
  { msr: 0x176, valid: canonical },
  { msr: 0x17a }, // IA32_MCG_STATUS
  { msr: 0x1a0, reset: 1n }, // IA32_MISC_ENABLE: fast strings
  { msr: 0x277, reset: 0x0007_0406_0007_0406n, valid: memoryTypes }, // IA32_PAT
  { msr: 0xc000_0081 }, // STAR, LSTAR, CSTAR, FMASK
  { msr: 0xc000_0082, valid: canonical },
  { msr: 0xc000_0083, valid: canonical },
  { msr: 0xc000_0084 },
  { msr: 0xc000_0100, valid: canonical }, // FS.base, GS.base, KERNEL_GS_BASE
  { msr: 0xc000_0101, valid: canonical },
  { msr: 0xc000_0102, valid: canonical },
];
const BY_MSR: ReadonlyMap<number, Row> = new Map(ROWS.map((row) => [row.msr, row]));

/** Those that a migration has to save, in their order (`KVM_GET_MSR_INDEX_LIST`). */
export function msrIndexList(version: KvmVersion): number[] {
  const plain = ROWS.filter(({ since }) => since === undefined || has(version, since)).map(({ msr }) => msr);
  return [...plain, MSR_TSC, MSR_EFER, MSR_TSC_DEADLINE].sort((a, b) => a - b);
}

/** Those that say what the processor can (`KVM_GET_MSR_FEATURE_INDEX_LIST`): IA32_ARCH_CAPABILITIES, the microcode's. */
export const FEATURE_MSRS: readonly number[] = [0x8b, 0x10a];

/** A feature register of the host; `undefined`: none. */
export function featureMsr(msr: number): bigint | undefined {
  if (msr === 0x8b) return 0x1_0000_0000n; // what KVM shows by default: revision 1
  return msr === 0x10a ? 0n : undefined;
}

/** Reads a register for user space; `undefined`: refused. */
export function readUserMsr(vcpu: Vcpu, msr: number): bigint | undefined {
  const { state } = vcpu;
  switch (msr) {
    case MSR_TSC:
      return guestTsc(vcpu);
    case MSR_STEAL_TIME:
      return vcpu.steal.value;
    case MSR_PV_EOI:
      return vcpu.pvEoi.exists ? vcpu.pvEoi.value : undefined;
    case MSR_EFER:
      return state.sregs.big("efer");
    case MSR_MCG_CAP:
      return state.mcgCap;
  }
  if (isApicMsr(msr)) {
    const value = readMsr(vcpu, msr);
    return value && (BigInt(value.high) << 32n | BigInt(value.low >>> 0));
  }
  const row = rowOf(vcpu, msr);
  return row && (registersOf(vcpu, msr).get(msr) ?? row.reset ?? 0n);
}

/**
 * Writes a register for user space.
 *
 * @param cpu whose software does it
 * @returns a register write of the host's own that remains to be executed, or null; `undefined`: refused
 */
export function writeUserMsr(
  vcpu: Vcpu,
  msr: number,
  value: bigint,
  cpu: KernelCpu,
): Step | null | undefined {
  const { state } = vcpu;
  switch (msr) {
    case MSR_TSC:
      writeTsc(vcpu, value);
      return null;
    case MSR_STEAL_TIME:
      return vcpu.steal.write(value, vcpu.thread) ? null : undefined;
    case MSR_PV_EOI:
      return vcpu.pvEoi.write(value) ? null : undefined;
    case MSR_EFER:
      if ((value & ~EFER_BITS) !== 0n) return undefined;
      state.sregs.set("efer", value);
      selectBitmap(vcpu);
      return null;
  }
  if (isApicMsr(msr)) {
    const [low, high] = [Number(value & 0xffff_ffffn), Number(value >> 32n)];
    return writeMsr(vcpu, msr, { low, high }, true, cpu);
  }
  const row = rowOf(vcpu, msr);
  if (row === undefined || row.valid?.(value) === false) return undefined;
  registersOf(vcpu, msr).set(msr, value);
  return null;
}

/** Where a register is that is nothing else: some are among those that a guest reaches itself. */
function registersOf({ registers, state }: Vcpu, msr: number): Map<number, bigint> {
  return isBaseMsr(msr) ? registers.bases : state.msrs;
}

/** Whether a register is the local APIC's. */
function isApicMsr(msr: number): boolean {
  return msr === MSR_APIC_BASE || msr === MSR_TSC_DEADLINE || (msr >= 0x800 && msr < 0x900);
}

function rowOf({ vm: { kvm } }: Vcpu, msr: number): Row | undefined {
  const row = BY_MSR.get(msr);
  return row === undefined || (row.since !== undefined && !has(kvm.version, row.since)) ? undefined : row;
}
