/**
 * CPU models and CPUID feature names that QEMU 1.1 knows, for `-cpu`.
 *
 * *Document*: QEMU 1.1, `target-i386/cpu.c` and `sysconfigs/target/cpus-x86_64.conf` (names only).
 *
 * @module
 */

/** Models of `-cpu`. */
export const CPU_MODELS: ReadonlySet<string> = new Set(
  ("486 pentium pentium2 pentium3 athlon coreduo core2duo n270 phenom qemu32 qemu64 kvm32 kvm64 host Conroe Penryn " +
    "Nehalem Westmere SandyBridge Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4").split(" "),
);

/** Names of one CPUID feature that mean the same bit; the first of each line is the one we keep. */
const SYNONYMS: readonly (readonly string[])[] = [
  ["sse3", "pni"],
  ["pclmulqdq", "pclmuldq"],
  ["sse4.1", "sse4_1"],
  ["sse4.2", "sse4_2"],
  ["nx", "xd"],
  ["lm", "i64"],
  ["fxsr_opt", "ffxsr"],
];

/** Features of `+name` and `-name`. */
const CPU_FEATURES: ReadonlySet<string> = new Set([
  // CPUID.01H:EDX
  ...("fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 pn clflush ds acpi mmx fxsr sse sse2 " +
    "ss ht tm ia64 pbe").split(" "),
  // CPUID.01H:ECX
  ...("sse3 pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid fma cx16 xtpr pdcm pcid dca sse4.1 sse4.2 " +
    "x2apic movbe popcnt tsc-deadline aes xsave osxsave avx f16c rdrand hypervisor").split(" "),
  // CPUID.80000001H:EDX and ECX
  ..."syscall mmxext nx fxsr_opt pdpe1gb rdtscp lm 3dnowext 3dnow".split(" "),
  ...("lahf_lm cmp_legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt fma4 " +
    "cvt16 nodeid_msr").split(" "),
  // CPUID.40000001H:EAX and CPUID.8000000AH:EDX
  ..."kvmclock kvm_nopiodelay kvm_mmu kvm_asyncpf kvm_steal_time".split(" "),
  ..."npt lbrv svm_lock nrip_save tsc_scale vmcb_clean flushbyasid decodeassists pause_filter pfthreshold"
    .split(" "),
]);

/** The canonical name of a CPUID feature, or undefined if there is none of that name. */
export function cpuFeature(name: string): string | undefined {
  const canonical = SYNONYMS.find((names) => names.includes(name))?.[0] ?? name;
  return CPU_FEATURES.has(canonical) ? canonical : undefined;
}

/** Properties of `-cpu MODEL,name=value` that are no features: only the CPUID text and numbers depend on them. */
export const CPU_PROPERTIES: ReadonlySet<string> = new Set(
  ["family", "model", "stepping", "level", "xlevel", "vendor", "model_id", "tsc_freq"],
);
