/**
 * What `KVM_CHECK_EXTENSION` answers, and what `KVM_ENABLE_CAP` takes.
 *
 * *Document*: `include/uapi/linux/kvm.h` for the numbers; Linux 3.5 and 6.18 `kvm_dev_ioctl_check_extension()` of
 * `arch/x86/kvm/x86.c`, `kvm_vm_ioctl_check_extension_generic()` of `virt/kvm/kvm_main.c`; patch 08 of the series.
 *
 * A capability that is not in the list is 0: this kernel does not have it, or it is not modelled.
 *
 * @module
 */

import type { Kvm } from "../kvm.ts";
import { has, type Since } from "../versions.ts";

/** A capability. */
export interface Capability {
  readonly number: number;
  readonly since: Since;
  readonly until?: Since;
  /** The answer; absent: 1. */
  value?(kvm: Kvm): number;
}

/** KVM_COALESCED_MMIO_PAGE_OFFSET: which page of a vCPU's shared area the ring is. */
const COALESCED_MMIO_PAGE = 2;

/** Every capability that the model has, by name. */
export const CAPABILITIES = {
  KVM_CAP_IRQCHIP: { number: 0, since: "2.6.24" },
  KVM_CAP_HLT: { number: 1, since: "2.6.24" },
  KVM_CAP_USER_MEMORY: { number: 3, since: "2.6.25" },
  KVM_CAP_SET_TSS_ADDR: { number: 4, since: "2.6.25" },
  KVM_CAP_VAPIC: { number: 6, since: "2.6.25" },
  KVM_CAP_EXT_CPUID: { number: 7, since: "2.6.26" },
  KVM_CAP_CLOCKSOURCE: { number: 8, since: "2.6.26" },
  KVM_CAP_NR_VCPUS: { number: 9, since: "2.6.26", value: recommendedVcpus },
  KVM_CAP_NR_MEMSLOTS: { number: 10, since: "2.6.26", value: ({ version }) => version.memorySlots },
  KVM_CAP_PIT: { number: 11, since: "2.6.26" },
  KVM_CAP_NOP_IO_DELAY: { number: 12, since: "2.6.26" },
  KVM_CAP_MP_STATE: { number: 14, since: "2.6.26" },
  KVM_CAP_COALESCED_MMIO: { number: 15, since: "2.6.27", value: () => COALESCED_MMIO_PAGE },
  KVM_CAP_SYNC_MMU: { number: 16, since: "2.6.28" },
  KVM_CAP_DEVICE_ASSIGNMENT: { number: 17, since: "2.6.28", until: "4.12" },
  KVM_CAP_IOMMU: { number: 18, since: "2.6.28", until: "4.12" },
  KVM_CAP_DEVICE_MSI: { number: 20, since: "2.6.29", until: "4.12" },
  KVM_CAP_DESTROY_MEMORY_REGION_WORKS: { number: 21, since: "2.6.29" },
  KVM_CAP_USER_NMI: { number: 22, since: "2.6.30" },
  KVM_CAP_REINJECT_CONTROL: { number: 24, since: "2.6.30" },
  KVM_CAP_IRQ_ROUTING: { number: 25, since: "2.6.30", value: ({ version }) => version.irqRoutes },
  KVM_CAP_IRQ_INJECT_STATUS: { number: 26, since: "2.6.30" },
  KVM_CAP_DEVICE_MSIX: { number: 28, since: "2.6.31", until: "4.12" },
  KVM_CAP_ASSIGN_DEV_IRQ: { number: 29, since: "2.6.31", until: "4.12" },
  KVM_CAP_JOIN_MEMORY_REGIONS_WORKS: { number: 30, since: "2.6.31" },
  KVM_CAP_MCE: { number: 31, since: "2.6.31", value: () => 32 },
  KVM_CAP_IRQFD: { number: 32, since: "2.6.32" },
  KVM_CAP_IRQFD_RESAMPLE: { number: 82, since: "3.7" },
  KVM_CAP_PIT2: { number: 33, since: "2.6.32" },
  KVM_CAP_SET_BOOT_CPU_ID: { number: 34, since: "2.6.32" },
  KVM_CAP_PIT_STATE2: { number: 35, since: "2.6.33" },
  KVM_CAP_IOEVENTFD: { number: 36, since: "2.6.32" },
  KVM_CAP_SET_IDENTITY_MAP_ADDR: { number: 37, since: "2.6.32" },
  KVM_CAP_ADJUST_CLOCK: { number: 39, since: "2.6.33" },
  KVM_CAP_INTERNAL_ERROR_DATA: { number: 40, since: "2.6.33" },
  KVM_CAP_VCPU_EVENTS: { number: 41, since: "2.6.33" },
  KVM_CAP_DEBUGREGS: { number: 50, since: "2.6.34" },
  KVM_CAP_XSAVE: { number: 55, since: "2.6.36" },
  KVM_CAP_XCRS: { number: 56, since: "2.6.36" },
  KVM_CAP_TSC_CONTROL: { number: 60, since: "2.6.39", value: () => 0 }, // no Ivy Bridge scales its counter
  KVM_CAP_GET_TSC_KHZ: { number: 61, since: "2.6.39" },
  KVM_CAP_MAX_VCPUS: { number: 66, since: "3.2", value: ({ version }) => version.maxVcpus },
  KVM_CAP_TSC_DEADLINE_TIMER: { number: 72, since: "3.3" },
  KVM_CAP_KVMCLOCK_CTRL: { number: 76, since: "3.5" },
  KVM_CAP_SIGNAL_MSI: { number: 77, since: "3.5" },
  KVM_CAP_SLAVE_CPU: {
    number: 81,
    since: "3.5",
    until: "3.7", // when mainline gave the number to read-only memory
    value: ({ capabilities }) => capabilities.slaveCpu ? 1 : 0,
  },
  KVM_CAP_READONLY_MEM: { number: 81, since: "3.7" },
  KVM_CAP_EXT_EMUL_CPUID: { number: 95, since: "3.13" },
  KVM_CAP_ENABLE_CAP_VM: { number: 98, since: "3.14" },
  KVM_CAP_CHECK_EXTENSION_VM: { number: 105, since: "3.17" },
  KVM_CAP_DISABLE_QUIRKS: { number: 116, since: "4.1" },
  KVM_CAP_SPLIT_IRQCHIP: { number: 121, since: "4.5" },
  KVM_CAP_MAX_VCPU_ID: { number: 128, since: "4.7", value: ({ version }) => version.maxVcpuIds },
  KVM_CAP_X2APIC_API: { number: 129, since: "4.8", value: () => X2APIC_API_FLAGS },
  KVM_CAP_IMMEDIATE_EXIT: { number: 136, since: "4.11" },
  KVM_CAP_X86_DISABLE_EXITS: { number: 143, since: "4.17", value: () => DisableExits.Hlt },
  KVM_CAP_GET_MSR_FEATURES: { number: 153, since: "4.17" },
  KVM_CAP_EXCEPTION_PAYLOAD: { number: 164, since: "4.20" },
  KVM_CAP_DISABLE_QUIRKS2: { number: 213, since: "5.18", value: () => QUIRKS2 },
  KVM_CAP_VM_TSC_CONTROL: { number: 214, since: "5.16", value: () => 0 },
} as const satisfies Record<string, Capability>;

/** Name of a capability. */
export type CapabilityName = keyof typeof CAPABILITIES;

/** Flags of KVM_CAP_X86_DISABLE_EXITS that the model has: of MWAIT, PAUSE and C-states it has nothing to exit for. */
export const DisableExits = Object.freeze({ Hlt: 2 });
/** Flags of KVM_CAP_X2APIC_API: 32-bit ids, no broadcast quirk, and the two that switch EOI-broadcast suppression. */
export const X2APIC_API_FLAGS = 0xf;
/** Bits of KVM_X86_VALID_QUIRKS. */
export const QUIRKS2 = 0x3ff;

/** How many vCPUs a machine should have at most. */
function recommendedVcpus({ version, host }: Kvm): number {
  const { recommendedVcpus: number, maxVcpus } = version;
  if (number !== "online") return number;
  return Math.min(host.cpus.filter(({ state }) => state === "online").length, maxVcpus);
}

/** `KVM_CHECK_EXTENSION`: 0 for what this kernel does not have or does not know. */
export function checkExtension(kvm: Kvm, number: number): number {
  const found = Object.values<Capability>(CAPABILITIES).find((capability) =>
    capability.number === number && has(kvm.version, capability.since, capability.until)
  );
  return found === undefined ? 0 : found.value?.(kvm) ?? 1;
}
