/**
 * What a processor says of itself, as far as Linux shows it: the text of `/proc/cpuinfo` and of the topology files.
 *
 * @module
 */

/** A processor model and how its logical processors are grouped. */
export interface CpuIdentity {
  /** `GenuineIntel`. */
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly modelName: string;
  readonly stepping: number;
  /** Revision of the microcode; 0: none is shown. */
  readonly microcode: number;
  /** Frequency, kHz; the time-stamp counter's too. */
  readonly khz: number;
  /** Largest cache, KB. */
  readonly cacheKb: number;
  /** Cores of a package. */
  readonly cores: number;
  /** Threads of a core. */
  readonly threads: number;
  /** Highest CPUID leaf. */
  readonly cpuidLevel: number;
  /** Linux's names of the features, in its order. */
  readonly flags: string;
  /** Known bugs; absent before Linux 4.1. */
  readonly bugs?: string;
  /** Bytes of a cache line. */
  readonly cacheLine: number;
  /** Bits of an address. */
  readonly physicalBits: number;
  readonly virtualBits: number;
}

/** The talk's machine (slide 24): four cores, without HyperThreading. Flags as Linux 3.5 prints them for this model. */
export const CORE_I7_3770: CpuIdentity = {
  vendor: "GenuineIntel",
  family: 6,
  model: 58,
  modelName: "Intel(R) Core(TM) i7-3770 CPU @ 3.40GHz",
  stepping: 9,
  microcode: 0x12,
  khz: 3_400_000,
  cacheKb: 8192,
  cores: 4,
  threads: 1,
  cpuidLevel: 13,
  flags:
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush dts acpi mmx fxsr sse sse2 ss tm " +
    "pbe syscall nx rdtscp lm constant_tsc arch_perfmon pebs bts rep_good nopl xtopology nonstop_tsc aperfmperf pni " +
    "pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cx16 xtpr pdcm pcid sse4_1 sse4_2 x2apic popcnt " +
    "tsc_deadline_timer aes xsave avx f16c rdrand lahf_lm ida arat epb xsaveopt pln pts dtherm tpr_shadow vnmi " +
    "flexpriority ept vpid fsgsbase smep erms",
  cacheLine: 64,
  physicalBits: 36,
  virtualBits: 48,
};

/** Where a logical processor sits. */
export interface CpuPlace {
  readonly package: number;
  readonly core: number;
}

/** Logical processors are numbered through the cores of all packages first, then through the second threads. */
export function placeOf({ cores, threads }: CpuIdentity, id: number, cpus: number): CpuPlace {
  const packages = Math.ceil(cpus / (cores * threads));
  const core = id % (cores * packages);
  return { package: Math.floor(core / cores), core: core % cores };
}
