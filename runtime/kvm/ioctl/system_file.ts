/**
 * An open `/dev/kvm`.
 *
 * *Document*: Linux `virt/kvm/kvm_main.c`: `kvm_dev_ioctl()`; `arch/x86/kvm/x86.c`: `kvm_arch_dev_ioctl()`.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { E2BIG, EFAULT, EINVAL } from "../../linux/errno.ts";
import { checkExtension } from "./capabilities.ts";
import { emulatedCpuid, supportedCpuid } from "../cpuid.ts";
import type { Descriptors } from "./descriptors.ts";
import { KernelFile } from "./descriptors.ts";
import {
  dispatch,
  type Handlers,
  type IoctlCall,
  type Outcome,
  packed,
  unmodelledRequest,
} from "./ioctl_call.ts";
import { API_VERSION } from "./ioctls.ts";
import type { Kvm } from "../kvm.ts";
import { FEATURE_MSRS, featureMsr, msrIndexList } from "./user_msrs.ts";
import type { Structure } from "../uapi/structure.ts";
import { Cpuid2, MceCapabilities, MsrList } from "../uapi/structures.ts";
import type { CpuidView } from "../cpuid.ts";
import { copyOutCpuid, eachMsr } from "./vcpu_register_ioctls.ts";
import { type GuestMemory, VmFile } from "./vm_file.ts";

/** Bytes of a vCPU's shared area: `struct kvm_run`, PIO page, coalesced MMIO page. */
const VCPU_MMAP_SIZE = 3 * 4096;
/** What a guest's machine-check architecture may have: MCG_CTL_P, MCG_SER_P. */
const MCE_CAPABILITIES = (1n << 8n) | (1n << 24n);

/** The process that has it open. */
export interface SystemFileOwner {
  /** Where new machines get their numbers. */
  readonly descriptors: Descriptors;
  /** Guests that lie in its mappings, by address. */
  readonly guests: ReadonlyMap<number, GuestMemory>;
}

const HANDLERS: Handlers<SystemFile> = {
  KVM_GET_API_VERSION: (_file, { argument }) => argument === 0 ? API_VERSION : EINVAL,
  KVM_CHECK_EXTENSION: ({ kvm }, { argument }) => checkExtension(kvm, argument),
  KVM_GET_VCPU_MMAP_SIZE: (_file, { argument }) => argument === 0 ? VCPU_MMAP_SIZE : EINVAL,

  *KVM_CREATE_VM(file, { argument }) {
    if (argument !== 0) return EINVAL; // x86 has one type of machine
    yield file.kvm.steps.createVm;
    return file.owner.descriptors.install(new VmFile(file.kvm.createVm(), file));
  },

  KVM_GET_SUPPORTED_CPUID: ({ kvm }, call) => cpuidList(call, supportedCpuid(kvm.version)),
  KVM_GET_EMULATED_CPUID: (_file, call) => cpuidList(call, emulatedCpuid()),
  KVM_GET_MSR_INDEX_LIST: ({ kvm }, call) => msrList(call, msrIndexList(kvm.version)),
  KVM_GET_MSR_FEATURE_INDEX_LIST: (_file, call) => msrList(call, FEATURE_MSRS),

  KVM_GET_MSRS(_file, call) {
    return eachMsr(call, true, (entry) => {
      const value = featureMsr(entry.get("index"));
      if (value !== undefined) entry.set("data", value);
      return value === undefined ? undefined : null;
    });
  },

  KVM_X86_GET_MCE_CAP_SUPPORTED: (_file, call) =>
    call.copyOut(MceCapabilities.make().set("value", MCE_CAPABILITIES)),
};

/** An open `/dev/kvm`. */
export class SystemFile extends KernelFile {
  /** @param owner the process that has opened it */
  constructor(readonly kvm: Kvm, readonly owner: SystemFileOwner) {
    super();
  }

  /** The requests that it takes. */
  static readonly handlers: Handlers<SystemFile> = HANDLERS;

  override unmodelled(request: number): string | undefined {
    return unmodelledRequest("system", HANDLERS, this.kvm, request);
  }

  override *ioctl(call: IoctlCall): Activity<number> {
    return yield* dispatch("system", HANDLERS, this.kvm, EINVAL, this, call);
  }

  override *release(): Activity {}
}

/**
 * `kvm_dev_ioctl_get_cpuid()`. The kernel looks for room before each function it asks about, those that give no entry
 * included: the next one after the last entry must have room too.
 */
function cpuidList(call: IoctlCall, entries: readonly CpuidView[]): Outcome {
  const header = call.copyIn(Cpuid2);
  if (header === null) return EFAULT;
  const room = header.get("nent");
  return room <= entries.length ? E2BIG : copyOutCpuid(call, room, entries);
}

/** The list's length is written even where there is no room for the list: that is how it is asked for. */
function msrList(call: IoctlCall, indices: readonly number[]): Outcome {
  const header = call.copyIn(MsrList);
  if (header === null) return EFAULT;
  const room = header.get("nmsrs");
  if (call.copyOut(header.set("nmsrs", indices.length)) !== 0) return EFAULT;
  return room < indices.length ? E2BIG : call.copyOutTail(MsrList as Structure, packed("u32", indices));
}
