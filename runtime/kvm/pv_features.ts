/**
 * What KVM offers a guest's kernel beside a processor: features of CPUID leaf 0x40000001, and the MSR behind each.
 *
 * *Document*: Linux 3.5, 3.6 and 6.18 `arch/x86/kvm/cpuid.c` (`do_cpuid_ent()`), `Documentation/virtual/kvm/{cpuid,msr}.txt`.
 *
 * *Modelled*: those of {@linkcode PV_FEATURES}.
 *
 * *Not modelled*: asynchronous page faults, and what came after PV EOI: PV_UNHALT, PV_TLB_FLUSH, PV_SEND_IPI, POLL_CONTROL,
 * PV_SCHED_YIELD. The bits of {@linkcode UNMODELLED_PV_FEATURES} are not shown, and a guest's access to an MSR behind one of
 * them faults.
 *
 * @module
 */

import { has, type KvmVersion, type Since } from "./versions.ts";

/** Where the features show. */
export const PV_FEATURES_LEAF = 0x4000_0001;
/** MSR_KVM_WALL_CLOCK and _SYSTEM_TIME, by their first numbers and by those of 2.6.35. */
export const CLOCK_MSRS: ReadonlySet<number> = new Set([0x11, 0x12, 0x4b56_4d00, 0x4b56_4d01]);

/** The kernel since which KVM has PV EOI. */
export const PV_EOI_SINCE: Since = "3.6";

/** A feature. */
export interface PvFeature {
  /** As QEMU calls it. */
  readonly name: string;
  /** Its bits in EAX. */
  readonly bits: readonly number[];
  /** The first kernel whose KVM has it; absent: all rows. */
  readonly since?: Since;
}

/** The features that the model has. */
export const PV_FEATURES: readonly PvFeature[] = [
  { name: "kvmclock", bits: [0, 3] },
  { name: "kvm_nopiodelay", bits: [1] },
  { name: "kvm_steal_time", bits: [5], since: "3.1" },
  { name: "kvm_pv_eoi", bits: [6], since: PV_EOI_SINCE },
  { name: "kvmclock_stable_bit", bits: [24] },
];

/** Those that KVM has and the model has not, by QEMU's names. */
export const UNMODELLED_PV_FEATURES: ReadonlySet<string> = new Set(
  ("kvm_mmu kvm_asyncpf kvm_pv_unhalt kvm_pv_tlb_flush kvm_asyncpf_vmexit kvm_pv_ipi kvm_poll_control kvm_pv_sched_yield " +
    "kvm_asyncpf_int kvm_msi_ext_dest_id kvm_hint_dedicated").split(" "),
);

/** The features that the KVM of `version` shows at most. */
export function pvFeatures(version: KvmVersion): PvFeature[] {
  return PV_FEATURES.filter(({ since }) => since === undefined || has(version, since));
}
