/**
 * The requests of `ioctl` that KVM knows on x86: their numbers, on which descriptors, since when, and the structure that
 * the argument points to.
 *
 * *Document*: `include/uapi/linux/kvm.h`, `include/uapi/asm-generic/ioctl.h`; `Documentation/virt/kvm/api.rst` and the
 * kernel's history for the versions; patch 08 of the series for slave CPUs.
 *
 * A request's number holds its direction in bits 31:30, the size of its structure in 29:16, the type 0xAE in 15:8 and
 * its number in 7:0. The kernel compares all of it, so a wrong size is an unknown request.
 *
 * @module
 */

import { has, type KvmVersion, type Since } from "../versions.ts";
import type { Structure } from "./structure.ts";
import * as s from "./structures.ts";

/** What a descriptor is of: the module, a machine, a vCPU. */
export type Level = "system" | "vm" | "vcpu";

/** A request. */
export interface Request {
  /** Its number. */
  readonly number: number;
  /** The descriptors that take it, with the version since which they do. */
  readonly levels: Readonly<Partial<Record<Level, Since>>>;
  /** The version that has it no more. */
  readonly until?: Since;
  /** What its argument points to; absent: the argument is a number. */
  readonly structure?: Structure;
  /** The argument is a pointer, and the structure behind it is not modelled. */
  readonly opaque?: boolean;
  /** Only a kernel with the series' patches has it. */
  readonly patched?: boolean;
}

type Place = Readonly<Partial<Record<Level, Since>>>;

function request<Name extends string>(number: number, levels: Place, structure?: Structure<Name>): Request {
  return {
    number,
    levels,
    ...(structure === undefined ? {} : { structure: structure as unknown as Structure }),
  };
}

/** A request that is known by name and not modelled. */
function unmodelled(number: number, levels: Place): Request {
  return { number, levels, opaque: true };
}

const first: Since = "2.6.20";
const system = (since: Since = first): Place => ({ system: since });
const vm = (since: Since = first): Place => ({ vm: since });
const vcpu = (since: Since = first): Place => ({ vcpu: since });

/** Every request, by name. */
export const REQUESTS = {
  KVM_GET_API_VERSION: request(0xae00, system()),
  KVM_CREATE_VM: request(0xae01, system()),
  KVM_GET_MSR_INDEX_LIST: request(0xc004_ae02, system(), s.MsrList),
  KVM_CHECK_EXTENSION: request(0xae03, { system: first, vm: "3.17" }),
  KVM_GET_VCPU_MMAP_SIZE: request(0xae04, system()),
  KVM_GET_SUPPORTED_CPUID: request(0xc008_ae05, system("2.6.26"), s.Cpuid2),
  KVM_GET_EMULATED_CPUID: request(0xc008_ae09, system("3.13"), s.Cpuid2),
  KVM_GET_MSR_FEATURE_INDEX_LIST: request(0xc004_ae0a, system("4.17"), s.MsrList),

  KVM_CREATE_VCPU: request(0xae41, vm()),
  KVM_GET_DIRTY_LOG: unmodelled(0x4010_ae42, vm()),
  KVM_SET_MEMORY_REGION: { ...unmodelled(0x4018_ae40, vm()), until: "3.9" },
  KVM_SET_MEMORY_ALIAS: { ...unmodelled(0x4020_ae43, vm("2.6.22")), until: "2.6.36" },
  KVM_SET_NR_MMU_PAGES: request(0xae44, vm("2.6.25")),
  KVM_GET_NR_MMU_PAGES: { ...request(0xae45, vm("2.6.25")), until: "6.5" },
  KVM_SET_USER_MEMORY_REGION: request(0x4020_ae46, vm("2.6.25"), s.UserspaceMemoryRegion),
  KVM_SET_TSS_ADDR: request(0xae47, vm("2.6.25")),
  KVM_SET_IDENTITY_MAP_ADDR: request(0x4008_ae48, vm("2.6.32"), s.IdentityMapAddr),
  KVM_SET_USER_MEMORY_REGION2: unmodelled(0x40a0_ae49, vm("6.8")),
  KVM_CREATE_IRQCHIP: request(0xae60, vm("2.6.24")),
  KVM_IRQ_LINE: request(0x4008_ae61, vm("2.6.24"), s.IrqLevel),
  KVM_GET_IRQCHIP: request(0xc208_ae62, vm("2.6.24"), s.Irqchip),
  KVM_SET_IRQCHIP: request(0x8208_ae63, vm("2.6.24"), s.Irqchip),
  KVM_CREATE_PIT: request(0xae64, vm("2.6.26")),
  KVM_GET_PIT: request(0xc048_ae65, vm("2.6.26"), s.PitState),
  KVM_SET_PIT: request(0x8048_ae66, vm("2.6.26"), s.PitState),
  KVM_IRQ_LINE_STATUS: request(0xc008_ae67, vm("2.6.30"), s.IrqLevel),
  KVM_REGISTER_COALESCED_MMIO: request(0x4010_ae67, vm("2.6.27"), s.CoalescedMmioZone),
  KVM_UNREGISTER_COALESCED_MMIO: request(0x4010_ae68, vm("2.6.27"), s.CoalescedMmioZone),
  KVM_ASSIGN_PCI_DEVICE: { ...request(0x8040_ae69, vm("2.6.28"), s.AssignedPciDev), until: "4.12" },
  KVM_SET_GSI_ROUTING: request(0x4008_ae6a, vm("2.6.30"), s.Routing),
  KVM_ASSIGN_DEV_IRQ: { ...request(0x4040_ae70, vm("2.6.30"), s.AssignedIrq), until: "4.12" },
  KVM_REINJECT_CONTROL: request(0xae71, vm("2.6.30"), s.ReinjectControl),
  KVM_DEASSIGN_PCI_DEVICE: { ...request(0x4040_ae72, vm("2.6.30"), s.AssignedPciDev), until: "4.12" },
  KVM_ASSIGN_SET_MSIX_NR: { ...request(0x4008_ae73, vm("2.6.30"), s.AssignedMsixNr), until: "4.12" },
  KVM_ASSIGN_SET_MSIX_ENTRY: { ...request(0x4010_ae74, vm("2.6.30"), s.AssignedMsixEntry), until: "4.12" },
  KVM_DEASSIGN_DEV_IRQ: { ...request(0x4040_ae75, vm("2.6.30"), s.AssignedIrq), until: "4.12" },
  KVM_IRQFD: request(0x4020_ae76, vm("2.6.32"), s.Irqfd),
  KVM_CREATE_PIT2: request(0x4040_ae77, vm("2.6.31"), s.PitConfig),
  KVM_SET_BOOT_CPU_ID: request(0xae78, vm("2.6.32")),
  KVM_IOEVENTFD: request(0x4040_ae79, vm("2.6.32"), s.Ioeventfd),
  KVM_SET_CLOCK: request(0x4030_ae7b, vm("2.6.33"), s.ClockData),
  KVM_GET_CLOCK: request(0x8030_ae7c, vm("2.6.33"), s.ClockData),
  KVM_GET_PIT2: request(0x8070_ae9f, vm("2.6.33"), s.PitState2),
  KVM_SET_PIT2: request(0x4070_aea0, vm("2.6.33"), s.PitState2),
  KVM_ASSIGN_SET_INTX_MASK: { ...request(0x4040_aea4, vm("3.4"), s.AssignedPciDev), until: "4.12" },
  KVM_SIGNAL_MSI: request(0x4020_aea5, vm("3.5"), s.Msi),
  KVM_MEMORY_ENCRYPT_OP: unmodelled(0xc008_aeba, vm("4.16")),
  KVM_MEMORY_ENCRYPT_REG_REGION: unmodelled(0x8010_aebb, vm("4.16")),
  KVM_MEMORY_ENCRYPT_UNREG_REGION: unmodelled(0x8010_aebc, vm("4.16")),
  KVM_SET_PMU_EVENT_FILTER: unmodelled(0x4020_aeb2, vm("5.3")),
  KVM_CLEAR_DIRTY_LOG: unmodelled(0xc018_aec0, vm("5.0")),
  KVM_X86_SET_MSR_FILTER: unmodelled(0x4188_aec6, vm("5.10")),
  KVM_RESET_DIRTY_RINGS: unmodelled(0xaec7, vm("5.11")),
  KVM_CREATE_GUEST_MEMFD: unmodelled(0xc040_aed4, vm("6.8")),
  KVM_CREATE_DEVICE: unmodelled(0xc00c_aee0, vm("3.10")),

  KVM_RUN: request(0xae80, vcpu()),
  KVM_GET_REGS: request(0x8090_ae81, vcpu(), s.Regs),
  KVM_SET_REGS: request(0x4090_ae82, vcpu(), s.Regs),
  KVM_GET_SREGS: request(0x8138_ae83, vcpu(), s.Sregs),
  KVM_SET_SREGS: request(0x4138_ae84, vcpu(), s.Sregs),
  KVM_TRANSLATE: unmodelled(0xc018_ae85, vcpu()),
  KVM_INTERRUPT: request(0x4004_ae86, vcpu(), s.Interrupt),
  KVM_GET_MSRS: request(0xc008_ae88, { vcpu: first, system: "4.17" }, s.Msrs),
  KVM_SET_MSRS: request(0x4008_ae89, vcpu(), s.Msrs),
  KVM_SET_CPUID: request(0x4008_ae8a, vcpu(), s.Cpuid),
  KVM_SET_SIGNAL_MASK: request(0x4004_ae8b, vcpu(), s.SignalMask),
  KVM_GET_FPU: request(0x81a0_ae8c, vcpu(), s.Fpu),
  KVM_SET_FPU: request(0x41a0_ae8d, vcpu(), s.Fpu),
  KVM_GET_LAPIC: request(0x8400_ae8e, vcpu("2.6.24"), s.LapicState),
  KVM_SET_LAPIC: request(0x4400_ae8f, vcpu("2.6.24"), s.LapicState),
  KVM_SET_CPUID2: request(0x4008_ae90, vcpu("2.6.26"), s.Cpuid2),
  KVM_GET_CPUID2: request(0xc008_ae91, vcpu("2.6.26"), s.Cpuid2),
  KVM_TPR_ACCESS_REPORTING: request(0xc028_ae92, vcpu("2.6.25"), s.TprAccessCtl),
  KVM_SET_VAPIC_ADDR: request(0x4008_ae93, vcpu("2.6.25"), s.VapicAddr),
  KVM_GET_MP_STATE: request(0x8004_ae98, vcpu("2.6.26"), s.MpState),
  KVM_SET_MP_STATE: request(0x4004_ae99, vcpu("2.6.26"), s.MpState),
  KVM_NMI: request(0xae9a, vcpu("2.6.27")),
  KVM_SET_GUEST_DEBUG: unmodelled(0x4048_ae9b, vcpu("2.6.30")),
  KVM_X86_SETUP_MCE: request(0x4008_ae9c, vcpu("2.6.31"), s.MceCapabilities),
  KVM_X86_GET_MCE_CAP_SUPPORTED: request(0x8008_ae9d, system("2.6.31"), s.MceCapabilities),
  KVM_X86_SET_MCE: request(0x4040_ae9e, vcpu("2.6.31"), s.X86Mce),
  KVM_GET_VCPU_EVENTS: request(0x8040_ae9f, vcpu("2.6.33"), s.VcpuEvents),
  KVM_SET_VCPU_EVENTS: request(0x4040_aea0, vcpu("2.6.33"), s.VcpuEvents),
  KVM_GET_DEBUGREGS: request(0x8080_aea1, vcpu("2.6.34"), s.Debugregs),
  KVM_SET_DEBUGREGS: request(0x4080_aea2, vcpu("2.6.34"), s.Debugregs),
  KVM_SET_TSC_KHZ: request(0xaea2, { vcpu: "2.6.39", vm: "5.16" }),
  KVM_GET_TSC_KHZ: request(0xaea3, { vcpu: "2.6.39", vm: "5.16" }),
  KVM_ENABLE_CAP: request(0x4068_aea3, { vm: "4.5", vcpu: "4.5" }, s.EnableCap),
  KVM_GET_XSAVE: request(0x9000_aea4, vcpu("2.6.36"), s.Xsave),
  KVM_SET_XSAVE: request(0x5000_aea5, vcpu("2.6.36"), s.Xsave),
  KVM_GET_XCRS: request(0x8188_aea6, vcpu("2.6.36"), s.Xcrs),
  KVM_SET_XCRS: request(0x4188_aea7, vcpu("2.6.36"), s.Xcrs),
  KVM_GET_ONE_REG: unmodelled(0x4010_aeab, vcpu("6.18")),
  KVM_SET_ONE_REG: unmodelled(0x4010_aeac, vcpu("6.18")),
  KVM_KVMCLOCK_CTRL: request(0xaead, vcpu("3.5")),
  KVM_GET_REG_LIST: unmodelled(0xc008_aeb0, vcpu("6.18")),
  KVM_SMI: unmodelled(0xaeb7, vcpu("4.2")),
  KVM_GET_NESTED_STATE: unmodelled(0xc080_aebe, vcpu("4.20")),
  KVM_SET_NESTED_STATE: unmodelled(0x4080_aebf, vcpu("4.20")),
  KVM_GET_SREGS2: unmodelled(0x8140_aecc, vcpu("5.14")),
  KVM_SET_SREGS2: unmodelled(0x4140_aecd, vcpu("5.14")),
  KVM_GET_STATS_FD: unmodelled(0xaece, { vm: "5.14", vcpu: "5.14" }),
  KVM_GET_XSAVE2: unmodelled(0x9000_aecf, vcpu("5.17")),
  KVM_SET_DEVICE_ATTR: unmodelled(0x4018_aee1, vcpu("5.16")),
  KVM_GET_DEVICE_ATTR: unmodelled(0x4018_aee2, { vcpu: "5.16", system: "5.17" }),
  KVM_HAS_DEVICE_ATTR: unmodelled(0x4018_aee3, { vcpu: "5.16", system: "5.17" }),

  KVM_GET_SLAVE_CPU: { ...request(0xaeae, vcpu("3.5")), patched: true },
  KVM_SET_SLAVE_CPU: { ...request(0xaeaf, vcpu("3.5")), patched: true },
} satisfies Record<string, Request>;

/** Name of a request. */
export type RequestName = keyof typeof REQUESTS;

const BY_NUMBER: ReadonlyMap<number, RequestName> = new Map(
  Object.entries<Request>(REQUESTS).map(([name, { number }]) => [number, name as RequestName]),
);

/** The request with a number; only its low 32 bits count. */
export function requestNamed(number: number): RequestName | undefined {
  return BY_NUMBER.get(number >>> 0);
}

/** Whether a descriptor of `level` takes a request in the KVM of `version`. */
export function known(name: RequestName, level: Level, version: KvmVersion, patched: boolean): boolean {
  const { levels, until, patched: needsPatch = false }: Request = REQUESTS[name];
  const since = levels[level];
  return since !== undefined && has(version, since, until) && (patched || !needsPatch);
}
