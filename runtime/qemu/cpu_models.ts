/**
 * CPU models and CPUID feature names that each release knows, for `-cpu`.
 *
 * *Document*: QEMU 1.1, `target-i386/cpu.c` and `sysconfigs/target/cpus-x86_64.conf`; QEMU 7.2, `target/i386/cpu.c` and
 * `docs/system/cpu-models-x86.rst.inc` (names only).
 *
 * @module
 */

import type { QemuEra } from "./era.ts";

const SINCE_2012 =
  "486 pentium pentium2 pentium3 athlon coreduo core2duo n270 phenom qemu32 qemu64 kvm32 kvm64 host Conroe Penryn " +
  "Nehalem Westmere SandyBridge Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4 ";

/** Models of `-cpu`; QEMU 7.2 takes each of those of its second line with a version, `Haswell-v4`, too. */
const MODELS: Readonly<Record<QemuEra, ReadonlySet<string>>> = {
  "2012": new Set(SINCE_2012.trim().split(" ")),
  today: new Set((SINCE_2012 +
    "base max Nehalem-IBRS Westmere-IBRS SandyBridge-IBRS IvyBridge IvyBridge-IBRS Haswell Haswell-noTSX " +
    "Haswell-IBRS Haswell-noTSX-IBRS Broadwell Broadwell-noTSX Broadwell-IBRS Broadwell-noTSX-IBRS Skylake-Client " +
    "Skylake-Client-IBRS Skylake-Client-noTSX-IBRS Skylake-Server Skylake-Server-IBRS Skylake-Server-noTSX-IBRS " +
    "Cascadelake-Server Cascadelake-Server-noTSX Cooperlake Icelake-Server Icelake-Server-noTSX Denverton Snowridge " +
    "KnightsMill Opteron_G5 EPYC EPYC-IBPB EPYC-Rome EPYC-Milan Dhyana").split(" ")),
};

/** Whether a release has a CPU model of that name. */
export function hasCpuModel(name: string, era: QemuEra): boolean {
  return MODELS[era].has(name) || (era === "today" && MODELS.today.has(name.replace(/-v\d$/, "")));
}

/** What `-cpu help` lists. */
export function cpuModels(era: QemuEra): string[] {
  return [...MODELS[era]];
}

/** Names of one CPUID feature that mean the same bit; the first of each line is the one we keep. */
const SYNONYMS: readonly (readonly string[])[] = [
  ["sse3", "pni"],
  ["pclmulqdq", "pclmuldq"],
  ["sse4.1", "sse4_1", "sse4-1"],
  ["sse4.2", "sse4_2", "sse4-2"],
  ["nx", "xd"],
  ["lm", "i64"],
  ["fxsr_opt", "ffxsr", "fxsr-opt"],
];

/** CPUID.01H:ECX, bit 0 first; `-`: no name in QEMU. */
const LEAF_1_ECX =
  ("sse3 pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm - pcid dca sse4.1 sse4.2 " +
    "x2apic movbe popcnt tsc-deadline aes xsave osxsave avx f16c rdrand hypervisor").split(" ");

/** KVM's own features, CPUID.40000001H:EAX: those that QEMU 1.1 has a name for, and those named since. */
const KVM_NAMES = "kvmclock kvm_nopiodelay kvm_mmu kvm_asyncpf kvm_steal_time".split(" ");
const KVM_NAMES_TODAY =
  ("kvm_pv_eoi kvm_pv_unhalt kvm_pv_tlb_flush kvm_pv_ipi kvm_poll_control kvm_pv_sched_yield kvm_asyncpf_int " +
    "kvm_msi_ext_dest_id kvm_hint_dedicated kvmclock_stable_bit").split(" ");

/** Features of `+name` and `-name`. */
const FEATURES: ReadonlySet<string> = new Set([
  // CPUID.01H:EDX
  ...("fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 pn clflush ds acpi mmx fxsr sse sse2 " +
    "ss ht tm ia64 pbe").split(" "),
  ...LEAF_1_ECX.filter((name) => name !== "-"),
  // CPUID.80000001H:EDX and ECX
  ..."syscall mmxext nx fxsr_opt pdpe1gb rdtscp lm 3dnowext 3dnow".split(" "),
  ...("lahf_lm cmp_legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt fma4 " +
    "cvt16 nodeid_msr").split(" "),
  // CPUID.40000001H:EAX and CPUID.8000000AH:EDX
  ...KVM_NAMES,
  ..."npt lbrv svm_lock nrip_save tsc_scale vmcb_clean flushbyasid decodeassists pause_filter pfthreshold"
    .split(" "),
]);

/** Features that came after 2012; KVM's and Hyper-V's are written with `-` or `_` since. */
const FEATURES_TODAY: ReadonlySet<string> = new Set(
  ("fsgsbase tsc_adjust bmi1 hle avx2 smep bmi2 erms invpcid rtm mpx rdseed adx smap clflushopt clwb umip pku ospke " +
    "la57 rdpid md-clear spec-ctrl stibp arch-capabilities ssbd ibpb virt-ssbd amd-ssbd amd-no-ssb invtsc xsaveopt " +
    "xsavec xgetbv1 xsaves arat topoext tbm perfctr_core perfctr_nb lwp tce clzero xsaveerptr wbnoinvd gfni vaes " +
    `avx512f avx512dq avx512bw avx512vl avx512cd ${KVM_NAMES_TODAY.join(" ")} ` +
    "hv_relaxed hv_vapic hv_time hv_vpindex hv_runtime hv_synic hv_stimer hv_frequencies hv_tlbflush hv_ipi")
    .split(" "),
);

/** The canonical name of a CPUID feature, or undefined if that release has none of that name. */
export function cpuFeature(name: string, era: QemuEra): string | undefined {
  const canonical = SYNONYMS.find((names) => names.includes(name))?.[0] ?? name;
  if (FEATURES.has(canonical)) return canonical;
  if (era !== "today") return undefined;
  if (FEATURES_TODAY.has(canonical)) return canonical;
  const underscored = canonical.replaceAll("-", "_");
  return FEATURES.has(underscored) || FEATURES_TODAY.has(underscored) ? underscored : undefined;
}

/**
 * Features of a model that the model of its guest asks for: KVM adds x2APIC to every model since QEMU 1.4
 * (`kvm_default_props`); before, it is part of the models that have it.
 */
export function impliedFeatures(model: string, era: QemuEra, kvm: boolean): readonly string[] {
  const has = era === "today" ? kvm : model === "host" || model === "SandyBridge";
  return has ? ["x2apic"] : [];
}

/** Whether a feature is KVM's own. */
export function isKvmFeature(name: string): boolean {
  return KVM_NAMES.includes(name) || KVM_NAMES_TODAY.includes(name);
}

/**
 * KVM's features that a guest is to have where nobody says: QEMU 1.1 asks for all, and takes away what KVM has not
 * (`plus_kvm_features`); 7.2 has a list (`kvm_default_props`), but for the models that are to have all.
 */
export function defaultKvmFeatures(model: string, era: QemuEra): readonly string[] {
  const all = [...KVM_NAMES, ...KVM_NAMES_TODAY];
  if (era === "2012" || model === "host" || model === "max") return all;
  return "kvmclock kvm_nopiodelay kvm_asyncpf kvm_steal_time kvm_pv_eoi kvmclock_stable_bit".split(" ");
}

/** Properties of `-cpu MODEL,name=value` that are no features: only the CPUID text and numbers depend on them. */
export const CPU_PROPERTIES: Readonly<Record<QemuEra, ReadonlySet<string>>> = {
  "2012": new Set(["family", "model", "stepping", "level", "xlevel", "vendor", "model_id", "tsc_freq"]),
  today: new Set(
    ("family model stepping level min-level xlevel min-xlevel xlevel2 vendor model-id tsc-frequency pmu check enforce " +
      "host-phys-bits host-phys-bits-limit phys-bits migratable l3-cache legacy-cache host-cache-info kvm " +
      "full-cpuid-auto-level fill-mtrr-mask cpuid-0xb lmce hv-spinlocks hv-vendor-id x-intel-pt-auto-level")
      .split(" "),
  ),
};

/** Bits of CPUID.01H:ECX that QEMU 7.2's translator has. */
const TRANSLATED: ReadonlySet<string> = new Set(
  "sse3 pclmulqdq monitor ssse3 fma cx16 sse4.1 sse4.2 movbe popcnt aes xsave osxsave avx f16c rdrand hypervisor"
    .split(" "),
);

/** How a warning names a feature that emulation does not have, `CPUID.01H:ECX.x2apic [bit 21]`; undefined: it has it. */
export function missingInEmulation(feature: string): string | undefined {
  const bit = LEAF_1_ECX.indexOf(feature);
  return bit < 0 || TRANSLATED.has(feature) ? undefined : `CPUID.01H:ECX.${feature} [bit ${bit}]`;
}
