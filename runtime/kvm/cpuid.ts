/**
 * What KVM lets CPUID show in a guest.
 *
 * *Document*: Intel SDM vol. 2A "CPUID"; Linux 3.5 `arch/x86/kvm/cpuid.c`: `do_cpuid_ent()`;
 * `arch/x86/include/asm/kvm_para.h`.
 *
 * *Modelled*: the features that the host's processor has and this KVM passes on, x2APIC and the TSC deadline that it
 * emulates, its own leaves with what `pv_features.ts` lists.
 *
 * *Not modelled*: leaves of caches and topology (2, 4, 0xb), of the XSAVE area (0xd) beyond their being there.
 *
 * @module
 */

import { CORE_I7_3770, type CpuIdentity } from "../linux/cpu_identity.ts";
import { PV_FEATURES, PV_FEATURES_LEAF, pvFeatures } from "./pv_features.ts";
import type { View } from "./uapi/structure.ts";
import { Cpuid2, CpuidEntry2 } from "./uapi/structures.ts";
import type { KvmVersion } from "./versions.ts";

/** A CPUID entry. */
export type CpuidView = View<keyof typeof ENTRY_FIELDS>;
const ENTRY_FIELDS = Object.freeze({
  function: 0,
  index: 0,
  flags: 0,
  eax: 0,
  ebx: 0,
  ecx: 0,
  edx: 0,
  padding: 0,
});

type Register = "eax" | "ebx" | "ecx" | "edx";

/** Features in a register of a leaf, from bit 0 on; `-` is none that KVM passes on. */
const FEATURES: readonly (readonly [leaf: number, register: Register, names: string])[] = [
  [
    1,
    "edx",
    "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 - clflush - - - mmx fxsr sse sse2",
  ],
  [
    1,
    "ecx",
    "pni pclmulqdq - - - - - - - ssse3 - - fma cx16 - - - - - sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes " +
    "xsave - avx f16c rdrand hypervisor",
  ],
  [7, "ebx", "fsgsbase tsc_adjust - bmi1 - avx2 - smep bmi2 erms"],
  [0x8000_0001, "edx", `${"- ".repeat(11)}syscall ${"- ".repeat(8)}nx - - - - - - rdtscp - lm`],
  [0x8000_0001, "ecx", "lahf_lm"],
  [PV_FEATURES_LEAF, "eax", pvNames()],
];

/** Names of KVM's own features, as in {@linkcode FEATURES}. */
function pvNames(): string {
  const names = new Array<string>(32).fill("-");
  for (const { name, bits } of PV_FEATURES) for (const bit of bits) names[bit] = name;
  return names.join(" ");
}

/** What KVM emulates, whatever the processor has. */
const EMULATED = ["x2apic", "tsc_deadline_timer", "hypervisor"];
/** QEMU's names of features that Linux calls otherwise. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["tsc-deadline", "tsc_deadline_timer"],
  ["sse3", "pni"],
  ["sse4.1", "sse4_1"],
  ["sse4.2", "sse4_2"],
  ["sse4-1", "sse4_1"],
  ["sse4-2", "sse4_2"],
]);

/** "KVMKVMKVM\0\0\0" in EBX, ECX, EDX. */
const KVM_SIGNATURE = [0x4b4d_564b, 0x564b_4d56, 0x4d] as const;
/** The leaf that says whose leaves follow, and which is the last of them. */
function signature(): CpuidView {
  return entryOf(0x4000_0000, PV_FEATURES_LEAF, ...KVM_SIGNATURE);
}

/** KVM_CPUID_FLAG_SIGNIFCANT_INDEX: the entry is of one index only. */
const SIGNIFICANT_INDEX = 1;

/** Entries for features by name; a name that is in no leaf shows nothing. */
export function cpuidOf(features: readonly string[]): View {
  const entries = cpuidEntries(features);
  const view = Cpuid2.make(entries.length).set("nent", entries.length);
  entries.forEach(({ bytes }, i) => view.bytes.set(bytes, Cpuid2.size + i * CpuidEntry2.size));
  return view as unknown as View;
}

function entriesOf(names: ReadonlySet<string>): CpuidView[] {
  const leaves = new Map<number, CpuidView>();
  for (const [leaf, register, text] of FEATURES) {
    let entry = leaves.get(leaf);
    if (entry === undefined) leaves.set(leaf, entry = entryOf(leaf));
    if (leaf === 7) entry.set("flags", SIGNIFICANT_INDEX);
    entry.set(
      register,
      text.split(/ +/).reduce((bits, name, i) => names.has(name) ? bits | (1 << i) : bits, 0),
    );
  }
  const pv = leaves.get(PV_FEATURES_LEAF)!;
  leaves.delete(PV_FEATURES_LEAF);
  return pv.get("eax") === 0 ? [...leaves.values()] : [...leaves.values(), signature(), pv];
}

function entryOf(leaf: number, eax = 0, ebx = 0, ecx = 0, edx = 0): CpuidView {
  return CpuidEntry2.make().set("function", leaf).set("eax", eax).set("ebx", ebx).set("ecx", ecx).set(
    "edx",
    edx,
  );
}

/** `KVM_GET_SUPPORTED_CPUID`: what a guest may be shown at most by the KVM of `version`. */
export function supportedCpuid(version: KvmVersion, identity: CpuIdentity = CORE_I7_3770): CpuidView[] {
  const { cpuidLevel, family, model, stepping, vendor, physicalBits, virtualBits, flags } = identity;
  const names = [...flags.split(" "), ...EMULATED, ...pvFeatures(version).map(({ name }) => name)];
  const [one, seven, extended, ...own] = entriesOf(new Set(names)) as [
    CpuidView,
    CpuidView,
    CpuidView,
    ...CpuidView[],
  ];
  one.set("eax", ((model >> 4) << 16) | (family << 8) | ((model & 15) << 4) | stepping);
  const word = (at: number) =>
    vendor.slice(at, at + 4).split("").reduceRight((sum, letter) => sum * 256 + letter.charCodeAt(0), 0);
  return [
    entryOf(0, cpuidLevel, word(0), word(8), word(4)),
    one,
    seven,
    entryOf(0x8000_0000, 0x8000_0008),
    extended,
    entryOf(0x8000_0008, physicalBits | (virtualBits << 8)),
    ...own,
  ];
}

/** `KVM_GET_EMULATED_CPUID`: instructions that KVM can emulate where the processor lacks them: MOVBE, RDPID. */
export function emulatedCpuid(): CpuidView[] {
  return [
    entryOf(0, 7),
    entryOf(1, 0, 0, 1 << 22),
    entryOf(7, 0, 0, 1 << 22).set("flags", SIGNIFICANT_INDEX),
  ];
}

/** Whether entries show a feature. @param name as Linux calls it */
export function shows(entries: readonly CpuidView[], name: string): boolean {
  for (const [leaf, register, text] of FEATURES) {
    const bit = text.split(/ +/).indexOf(name);
    if (bit < 0) continue;
    return entries.some((entry) => entry.get("function") === leaf && (entry.get(register) >>> bit & 1) !== 0);
  }
  return false;
}

/** Bits of a physical address: 36 where no entry says it (`cpuid_query_maxphyaddr()`). */
export function physicalAddressBits(entries: readonly CpuidView[]): number {
  const entry = entries.find((each) => each.get("function") === 0x8000_0008);
  return entry === undefined ? 36 : entry.get("eax") & 0xff;
}

/** Entries for features by name, for a vCPU of the same program. */
export function cpuidEntries(features: readonly string[]): CpuidView[] {
  return entriesOf(new Set(features.map((name) => ALIASES.get(name) ?? name)));
}
