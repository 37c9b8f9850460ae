/**
 * Names and numbers of KVM's interface: requests, capabilities, exit reasons.
 *
 * *Document*: Linux 3.5 `include/linux/kvm.h`, `Documentation/virtual/kvm/api.txt`; patch 08 of the series for the two
 * requests and the capability of slave CPUs; `include/asm-generic/fcntl.h` for the flags of `open`.
 *
 * @module
 */

/** Requests of `ioctl` on `/dev/kvm`, on a virtual machine and on a vCPU. */
export const Ioctl = {
  KVM_GET_API_VERSION: 0xae00,
  KVM_CREATE_VM: 0xae01,
  KVM_CHECK_EXTENSION: 0xae03,
  KVM_GET_VCPU_MMAP_SIZE: 0xae04,
  KVM_CREATE_VCPU: 0xae41,
  KVM_SET_USER_MEMORY_REGION: 0x4020_ae46,
  KVM_SET_TSS_ADDR: 0xae47,
  KVM_SET_IDENTITY_MAP_ADDR: 0x4008_ae48,
  KVM_CREATE_IRQCHIP: 0xae60,
  KVM_IRQ_LINE: 0x4008_ae61,
  KVM_ASSIGN_PCI_DEVICE: 0x8040_ae69,
  KVM_ASSIGN_DEV_IRQ: 0x4040_ae70,
  KVM_DEASSIGN_PCI_DEVICE: 0x4040_ae72,
  KVM_ASSIGN_SET_MSIX_NR: 0x4008_ae73,
  KVM_ASSIGN_SET_MSIX_ENTRY: 0x4010_ae74,
  KVM_DEASSIGN_DEV_IRQ: 0x4040_ae75,
  KVM_CREATE_PIT2: 0x4040_ae77,
  KVM_RUN: 0xae80,
  KVM_SET_CPUID2: 0x4008_ae90,
  KVM_GET_SLAVE_CPU: 0xaeae,
  KVM_SET_SLAVE_CPU: 0xaeaf,
} as const;

/** Numbers that `KVM_CHECK_EXTENSION` takes. */
export const Capability = {
  KVM_CAP_IRQCHIP: 0,
  KVM_CAP_HLT: 1,
  KVM_CAP_USER_MEMORY: 3,
  KVM_CAP_SET_TSS_ADDR: 4,
  KVM_CAP_EXT_CPUID: 7,
  KVM_CAP_NR_VCPUS: 9,
  KVM_CAP_NR_MEMSLOTS: 10,
  KVM_CAP_PIT: 11,
  KVM_CAP_DEVICE_ASSIGNMENT: 17,
  KVM_CAP_IOMMU: 18,
  KVM_CAP_DEVICE_MSI: 20,
  KVM_CAP_IRQ_ROUTING: 25,
  KVM_CAP_DEVICE_MSIX: 28,
  KVM_CAP_ASSIGN_DEV_IRQ: 29,
  KVM_CAP_PIT2: 33,
  KVM_CAP_SET_IDENTITY_MAP_ADDR: 37,
  KVM_CAP_MAX_VCPUS: 66,
  KVM_CAP_SLAVE_CPU: 81,
} as const;

/** Why `KVM_RUN` returned (`exit_reason` of `struct kvm_run`). */
export const RunExitReason = {
  KVM_EXIT_UNKNOWN: 0,
  KVM_EXIT_IO: 2,
  KVM_EXIT_MMIO: 6,
  KVM_EXIT_FAIL_ENTRY: 9,
  KVM_EXIT_INTR: 10,
  KVM_EXIT_INTERNAL_ERROR: 17,
} as const;

/** Name of a {@linkcode RunExitReason}. */
export type RunExitName = keyof typeof RunExitReason;

/** Flags of `open` and `eventfd`. */
const OpenFlag = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  EFD_SEMAPHORE: 1,
  EFD_NONBLOCK: 0o4000,
  EFD_CLOEXEC: 0o2000000,
} as const;

/** `KVM_API_VERSION`. */
export const API_VERSION = 12;

/** Every constant that a C call may name. */
export const KVM_CONSTANTS: ReadonlyMap<string, number> = new Map<string, number>([
  ...Object.entries(Ioctl),
  ...Object.entries(Capability),
  ...Object.entries(RunExitReason),
  ...Object.entries(OpenFlag),
  ["KVM_API_VERSION", API_VERSION],
]);

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Ioctl).map(([name, request]) => [request, name]),
);

/** The name of a request, or its number in hexadecimal. */
export function ioctlName(request: number): string {
  return NAMES.get(request) ?? `0x${request.toString(16)}`;
}
