/**
 * The constants that a C call may name: requests, capabilities, exit reasons, flags.
 *
 * *Document*: `include/uapi/linux/kvm.h`; `include/uapi/asm-generic/{fcntl,mman-common}.h`.
 *
 * @module
 */

import { CAPABILITIES } from "./capabilities.ts";
import { EventfdFlag } from "./eventfd.ts";
import { type RequestName, requestNamed, REQUESTS } from "../uapi/requests.ts";

/** Requests of `ioctl` on `/dev/kvm`, on a virtual machine and on a vCPU. */
export const Ioctl: Readonly<Record<RequestName, number>> = Object.fromEntries(
  Object.entries(REQUESTS).map(([name, { number }]) => [name, number]),
) as Record<RequestName, number>;

/** Why `KVM_RUN` returned (`exit_reason` of `struct kvm_run`). */
export const RunExitReason = Object.freeze({
  KVM_EXIT_UNKNOWN: 0,
  KVM_EXIT_IO: 2,
  KVM_EXIT_MMIO: 6,
  KVM_EXIT_FAIL_ENTRY: 9,
  KVM_EXIT_INTR: 10,
  KVM_EXIT_SET_TPR: 11,
  KVM_EXIT_INTERNAL_ERROR: 17,
});

/** Name of a {@linkcode RunExitReason}. */
export type RunExitName = keyof typeof RunExitReason;

/** Flags of `open`. */
const OpenFlag = Object.freeze({
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
});

/** Flags of `mmap`, and what may be done with the memory. */
export const MapFlag = Object.freeze({
  PROT_NONE: 0,
  PROT_READ: 1,
  PROT_WRITE: 2,
  PROT_EXEC: 4,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_ANONYMOUS: 0x20,
});

/** Values of fields. */
const FieldValue = Object.freeze({
  KVM_MP_STATE_RUNNABLE: 0,
  KVM_MP_STATE_UNINITIALIZED: 1,
  KVM_MP_STATE_INIT_RECEIVED: 2,
  KVM_MP_STATE_HALTED: 3,
  KVM_MP_STATE_SIPI_RECEIVED: 4,
  KVM_IRQCHIP_PIC_MASTER: 0,
  KVM_IRQCHIP_PIC_SLAVE: 1,
  KVM_IRQCHIP_IOAPIC: 2,
  KVM_IRQ_ROUTING_IRQCHIP: 1,
  KVM_IRQ_ROUTING_MSI: 2,
  KVM_IRQFD_FLAG_DEASSIGN: 1,
  KVM_IRQFD_FLAG_RESAMPLE: 2,
  KVM_IOEVENTFD_FLAG_DATAMATCH: 1,
  KVM_IOEVENTFD_FLAG_PIO: 2,
  KVM_IOEVENTFD_FLAG_DEASSIGN: 4,
  KVM_MEM_LOG_DIRTY_PAGES: 1,
  KVM_MEM_READONLY: 2,
  KVM_PIT_SPEAKER_DUMMY: 1,
  KVM_VCPUEVENT_VALID_NMI_PENDING: 1,
  KVM_VCPUEVENT_VALID_SIPI_VECTOR: 2,
  KVM_VCPUEVENT_VALID_SHADOW: 4,
  KVM_DEV_ASSIGN_ENABLE_IOMMU: 1,
  KVM_DEV_ASSIGN_PCI_2_3: 2,
  KVM_DEV_ASSIGN_MASK_INTX: 4,
  KVM_DEV_IRQ_HOST_INTX: 0x0001,
  KVM_DEV_IRQ_HOST_MSI: 0x0002,
  KVM_DEV_IRQ_HOST_MSIX: 0x0004,
  KVM_DEV_IRQ_GUEST_INTX: 0x0100,
  KVM_DEV_IRQ_GUEST_MSI: 0x0200,
  KVM_DEV_IRQ_GUEST_MSIX: 0x0400,
});

/** `KVM_API_VERSION`. */
export const API_VERSION = 12;

/** Every constant that a C call may name. */
export const KVM_CONSTANTS: ReadonlyMap<string, number> = new Map<string, number>([
  ...Object.entries(Ioctl),
  ...Object.entries(CAPABILITIES).map(([name, { number }]): [string, number] => [name, number]),
  ...Object.entries(RunExitReason),
  ...Object.entries(OpenFlag),
  ...Object.entries(EventfdFlag),
  ...Object.entries(MapFlag),
  ...Object.entries(FieldValue),
  ["KVM_API_VERSION", API_VERSION],
]);

/** The name of a request, or its number in hexadecimal. */
export function ioctlName(request: number): string {
  return requestNamed(request) ?? `0x${(request >>> 0).toString(16)}`;
}
