/**
 * What differs between the KVMs of kernel versions, as data: one row for each version.
 *
 * *Document*: Linux 3.5 and 3.6 `include/linux/kvm_host.h`, `virt/kvm/{kvm_main,eventfd,irq_comm}.c`,
 * `arch/x86/include/asm/kvm_host.h`, `arch/x86/kvm/x86.c`; the same files of Linux 6.18.
 *
 * Code asks the row, never the name of a version: `if (version.checksMpState)`. Which requests and capabilities a
 * version has stands beside each of them (`since`, `until` in `ioctl_table.ts` and `capabilities.ts`); {@linkcode has}
 * compares.
 *
 * @module
 */

import { APIC_3_5, APIC_6_18, type ApicVersion } from "./irqchip/lapic_rules.ts";

/** A kernel version, as `since` and `until` write it: `"2.6.30"`, `"3.5"`. */
export type Since = `${number}.${number}` | `${number}.${number}.${number}`;

/** A row: limits, and checks that came with time. */
export interface KvmVersion {
  /** The kernel's version. */
  readonly kernel: Since;
  /** KVM_MAX_VCPUS. */
  readonly maxVcpus: number;
  /** KVM_MAX_VCPU_IDS; `Infinity`: `kvm_vm_ioctl_create_vcpu()` does not look at the id (CVE-2013-4587, until 3.13). */
  readonly maxVcpuIds: number;
  /** KVM_SOFT_MAX_VCPUS; `"online"`: the number of online CPUs. */
  readonly recommendedVcpus: number | "online";
  /** Memory slots of a machine that user space may use. */
  readonly memorySlots: number;
  /** Flags that `KVM_SET_USER_MEMORY_REGION` takes; `null`: it does not look at the others. */
  readonly memoryFlags: number | null;
  /** A memory slot that is not there cannot be deleted, and one that is there can be given to other pages by no call. */
  readonly strictSlots: boolean;
  /** KVM_MAX_IRQ_ROUTES: numbers of interrupt lines. */
  readonly irqRoutes: number;
  /** `KVM_SET_GSI_ROUTING` takes that many entries as well, not only fewer, and wants an interrupt controller. */
  readonly strictRouting: boolean;
  /** KVM_MAX_CPUID_ENTRIES. */
  readonly cpuidEntries: number;
  /** `KVM_IRQFD` refuses flags that it does not know (3.6: "KVM: Sanitize KVM_IRQFD flags"). */
  readonly checksIrqfdFlags: boolean;
  /** KVM_IRQFD_FLAG_RESAMPLE (3.7). */
  readonly irqfdResamples: boolean;
  /** `KVM_SET_MP_STATE` looks at the state (3.11, and at the controller). */
  readonly checksMpState: boolean;
  /** `KVM_SET_SREGS` looks at the control registers (4.16), and `KVM_SET_VCPU_EVENTS` at the exception. */
  readonly checksState: boolean;
  /** The identity-mapped page table is placed before the first vCPU (4.13). */
  readonly identityMapFirst: boolean;
  /** An in-kernel PIT needs the in-kernel interrupt controllers (4.7). */
  readonly pitNeedsIrqchip: boolean;
  /** Lowest-priority interrupts go by a hash of their vector (module parameter `vector_hashing`, 4.5). */
  readonly vectorHashing: boolean;
  /** The emulated local APIC and I/O APIC. */
  readonly apic: ApicVersion;
}

const LINUX_3_5: KvmVersion = {
  kernel: "3.5",
  maxVcpus: 254,
  maxVcpuIds: Infinity,
  recommendedVcpus: 160,
  memorySlots: 32,
  memoryFlags: null,
  strictSlots: false,
  irqRoutes: 1024,
  strictRouting: false,
  cpuidEntries: 80,
  checksIrqfdFlags: false,
  irqfdResamples: false,
  checksMpState: false,
  checksState: false,
  identityMapFirst: false,
  pitNeedsIrqchip: false,
  vectorHashing: false,
  apic: APIC_3_5,
};

/** The versions that have a row. */
export const KVM_VERSIONS = {
  "3.5": LINUX_3_5,
  "3.6": { ...LINUX_3_5, kernel: "3.6", checksIrqfdFlags: true },
  "6.18": {
    kernel: "6.18",
    maxVcpus: 1024,
    maxVcpuIds: 4096,
    recommendedVcpus: "online",
    memorySlots: 32_764,
    memoryFlags: 3,
    strictSlots: true,
    irqRoutes: 4096,
    strictRouting: true,
    cpuidEntries: 256,
    checksIrqfdFlags: true,
    irqfdResamples: true,
    checksMpState: true,
    checksState: true,
    identityMapFirst: true,
    pitNeedsIrqchip: true,
    vectorHashing: true,
    apic: APIC_6_18,
  },
} as const satisfies Record<string, KvmVersion>;

/** Whether `version` has what came with `since` and went with `until`. */
export function has({ kernel }: KvmVersion, since: Since, until?: Since): boolean {
  return order(kernel, since) >= 0 && (until === undefined || order(kernel, until) < 0);
}

function order(a: Since, b: Since): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (left![i] ?? 0) - (right![i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
