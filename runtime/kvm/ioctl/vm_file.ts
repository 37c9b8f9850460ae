/**
 * A virtual machine's descriptor.
 *
 * *Document*: Linux `virt/kvm/kvm_main.c`: `kvm_vm_ioctl()`, `kvm_vm_ioctl_create_vcpu()`; `arch/x86/kvm/x86.c`:
 * `kvm_arch_vm_ioctl()`.
 *
 * *Modelled*: memory, vCPUs, clock and capabilities here; interrupts in `vm_interrupt_ioctls.ts`, devices of the host in
 * `vm_assignment_ioctls.ts`. A machine lives until its last descriptor is closed.
 *
 * *Deviations*: that a machine answers EIO to another process than its own is left out, so that a shell can use the
 * descriptors that a process has handed to it.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { RegisterFile } from "../../../hw/register_file.ts";
import { EBUSY, EEXIST, EFAULT, EINVAL, ENOTTY } from "../../linux/errno.ts";
import type { ApicWrite, EoiWord, StealRecord } from "../../linux/board.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import type { Task } from "../../linux/sched/task.ts";
import { checkExtension, DisableExits, QUIRKS2, X2APIC_API_FLAGS } from "./capabilities.ts";
import { KernelFile } from "./descriptors.ts";
import { Eventfds } from "./eventfd_bindings.ts";
import { dispatch, type Handlers, type IoctlCall, type Outcome, unmodelledRequest } from "./ioctl_call.ts";
import { IrqRouting, LineSource } from "../irqchip/irq_routing.ts";
import { MemorySlots } from "./memory_slots.ts";
import { setSlaveCpu } from "../slave_cpu.ts";
import type { SystemFile } from "./system_file.ts";
import type { View } from "../uapi/structure.ts";
import {
  ClockData,
  CoalescedMmioZone,
  EnableCap,
  IdentityMapAddr,
  UserspaceMemoryRegion,
} from "../uapi/structures.ts";
import { nothingToExecute, VcpuFile } from "./vcpu_file.ts";
import { hostTscKhz } from "../vcpu_state.ts";
import type { Vm } from "../vm.ts";
import { AssignedDevices, assignmentHandlers } from "./vm_assignment_ioctls.ts";
import { interruptHandlers } from "./vm_interrupt_ioctls.ts";

/** The three pages of the TSS must end below 4 GiB. */
const HIGHEST_TSS_ADDRESS = 0xffff_ffff - 3 * 4096;
/** KVM_MIN_ALLOC_MMU_PAGES. */
const LEAST_MMU_PAGES = 64;
/** Flags of `struct kvm_clock_data` that a kernel of today takes; one of 2012 takes none. */
const CLOCK_FLAGS = 2 | 4 | 8;
/** Capabilities that `KVM_ENABLE_CAP` switches on. */
const Cap = Object.freeze({
  DisableQuirks: 116,
  SplitIrqchip: 121,
  MaxVcpuId: 128,
  X2apicApi: 129,
  DisableExits: 143,
  ExceptionPayload: 164,
  DisableQuirks2: 213,
  TripleFaultEvent: 218,
});
/** Flags of KVM_CAP_X2APIC_API. The last two not both, and the first of them only with controllers in user space. */
const X2apicApi = Object.freeze({
  Use32BitIds: 1n,
  DisableBroadcastQuirk: 2n,
  EnableSuppression: 4n,
  DisableSuppression: 8n,
});

/** What lies in a machine's RAM, as far as its processors' first instructions go: a guest kernel. */
export interface GuestMemory {
  /** What vCPU `id` executes from its reset on. */
  start(id: number): RegisterFile;
  /** What its first instructions write to the registers of its local APIC; nothing where absent. */
  firstApicWrites?(id: number): readonly ApicWrite[];
  /** The record whose address they write to the steal-time register; null, or nothing: they do not. */
  stealRecord?(id: number): StealRecord | null;
  /** The word whose address they write to the register of PV EOI; null, or nothing: they do not. */
  eoiWord?(id: number): EoiWord | null;
}

/** A processor of a guest's kernel, in memory. */
export interface GuestCpu {
  /** {@linkcode GuestMemory.start}. */
  prepareStart(): RegisterFile;
  /** {@linkcode GuestMemory.firstApicWrites}. */
  firstApicWrites(): readonly ApicWrite[];
  /** {@linkcode GuestMemory.stealRecord}. */
  readonly steal: StealRecord | null;
  /** {@linkcode GuestMemory.eoiWord}. */
  readonly eoiWord: EoiWord | null;
}

const HANDLERS: Handlers<VmFile> = {
  ...interruptHandlers,
  ...assignmentHandlers,

  KVM_CREATE_VCPU: (file, call) => file.createVcpu(call),
  KVM_CHECK_EXTENSION: ({ vm }, { argument }) => checkExtension(vm.kvm, argument),

  KVM_SET_USER_MEMORY_REGION(file, call) {
    const region = call.copyIn(UserspaceMemoryRegion);
    return region === null ? EFAULT : file.slots.set(region);
  },

  KVM_REGISTER_COALESCED_MMIO({ vm }, call) {
    const zone = call.copyIn(CoalescedMmioZone);
    return zone === null ? EFAULT : vm.coalesced.register(zone);
  },

  KVM_UNREGISTER_COALESCED_MMIO({ vm }, call) {
    const zone = call.copyIn(CoalescedMmioZone);
    return zone === null ? EFAULT : vm.coalesced.unregister(zone);
  },

  KVM_SET_TSS_ADDR: (_file, { unsigned }) => unsigned > HIGHEST_TSS_ADDRESS ? EINVAL : 0,

  KVM_SET_IDENTITY_MAP_ADDR({ vm }, call) {
    if (call.copyIn(IdentityMapAddr) === null) return EFAULT;
    return vm.kvm.version.identityMapFirst && vm.vcpus.length > 0 ? EINVAL : 0;
  },

  // The number of shadow pages bounds a cache that the model does not have: EPT needs none.
  KVM_SET_NR_MMU_PAGES: (_file, { argument }) => argument >>> 0 < LEAST_MMU_PAGES ? EINVAL : 0,
  KVM_GET_NR_MMU_PAGES: () => 0,

  KVM_SET_BOOT_CPU_ID(file, { argument }) {
    if (file.vm.vcpus.length > 0) return EBUSY;
    file.vm.bootCpuId = argument >>> 0;
    return 0;
  },

  KVM_SET_CLOCK(file, call) {
    const clock = call.copyIn(ClockData);
    if (clock === null) return EFAULT;
    const allowed = file.vm.kvm.version.checksState ? CLOCK_FLAGS : 0;
    if ((clock.get("flags") & ~allowed) !== 0) return EINVAL;
    file.clockOffset = clock.big("clock") - BigInt(file.vm.kvm.host.nowNs);
    return 0;
  },

  KVM_GET_CLOCK(file, call) {
    const now = BigInt(file.vm.kvm.host.nowNs) + file.clockOffset;
    return call.copyOut(ClockData.make().set("clock", now));
  },

  KVM_SET_TSC_KHZ({ vm }, { argument }) {
    if (vm.vcpus.length > 0) return EINVAL; // since 6.17; the call is one of a machine's since 5.16
    vm.tscKhz = argument >>> 0 || hostTscKhz(vm.kvm.tscRatio);
    return 0;
  },
  KVM_GET_TSC_KHZ: ({ vm }) => vm.tscKhz,

  KVM_ENABLE_CAP(file, call) {
    const given = call.copyIn(EnableCap);
    return given === null ? EFAULT : file.enable(given);
  },
};

/** A virtual machine's descriptor. */
export class VmFile extends KernelFile {
  /** Its memory. */
  readonly slots: MemorySlots;
  /** Devices of the host that it has. */
  readonly devices: AssignedDevices;
  /** Eventfds that raise its lines, or are signalled by its accesses. */
  readonly eventfds: Eventfds;
  /** Descriptors of the machine and of its vCPUs that are open: the last one takes the machine with it. */
  users = 1;
  /** The guest's clock minus the host's, ns. */
  clockOffset = 0n;
  /** Local APICs are in the kernel, the other controllers in user space (KVM_CAP_SPLIT_IRQCHIP). */
  splitIrqchip = false;
  /** Where its lines lead if they lead to messages only. */
  #messagesOnly: IrqRouting | null = null;
  /** vCPU ids must be below this (KVM_CAP_MAX_VCPU_ID); 0: nobody has said. */
  maxVcpuIds = 0;
  /** Pending exceptions have a payload of their own, triple faults are events (KVM_CAP_EXCEPTION_PAYLOAD and so on). */
  exceptionPayload = false;
  /** See {@linkcode exceptionPayload}. */
  tripleFaultEvent = false;

  /** @param system the descriptor it was made with */
  constructor(readonly vm: Vm, readonly system: SystemFile) {
    super();
    this.slots = new MemorySlots(vm.kvm.version);
    this.devices = new AssignedDevices(vm);
    this.eventfds = new Eventfds(
      vm.kvm.version,
      (gsi, high, from) => this.setLine(gsi, high, LineSource.Irqfd, from),
      () => vm.chips?.routing.ackNotifiers,
    );
    vm.ioeventfds = this.eventfds;
  }

  /** The requests that it takes. */
  static readonly handlers: Handlers<VmFile> = HANDLERS;

  /** The guest that lies in its memory; `null`: none. */
  get guest(): GuestMemory | null {
    for (const { userAddress } of this.slots.values()) {
      const guest = this.system.owner.guests.get(Number(userAddress));
      if (guest !== undefined) return guest;
    }
    return null;
  }

  /** Whether its vCPUs have local APICs that the kernel emulates. */
  get hasLapics(): boolean {
    return this.vm.irqchip || this.splitIrqchip;
  }

  /** Where its lines lead; `null`: there are none. */
  get routing(): IrqRouting | null {
    return this.vm.chips?.routing ?? this.#messagesOnly;
  }

  /**
   * A line changes, as `kvm_set_irq()` does it.
   *
   * @param source one of `LineSource` @returns what `KVM_IRQ_LINE_STATUS` answers
   */
  setLine(gsi: number, high: boolean, source: number, from: KernelCpu): number {
    return this.routing?.setLine(gsi, high, source, true, from) ?? -1;
  }

  override unmodelled(request: number): string | undefined {
    return unmodelledRequest("vm", HANDLERS, this.vm.kvm, request);
  }

  override *ioctl(call: IoctlCall): Activity<number> {
    return yield* dispatch("vm", HANDLERS, this.vm.kvm, ENOTTY, this, call);
  }

  /** `KVM_CREATE_VCPU`. */
  *createVcpu(call: IoctlCall): Activity<Outcome> {
    const { vm } = this;
    const { version, steps } = vm.kvm;
    const id = version.maxVcpuIds === Infinity ? call.argument >>> 0 : call.unsigned;
    if (id >= Math.min(version.maxVcpuIds, this.maxVcpuIds || Infinity)) return EINVAL;
    if (vm.vcpus.length >= version.maxVcpus) return EINVAL;
    if (vm.vcpus.some((vcpu) => vcpu.id === id)) return EEXIST;
    yield steps.createVcpu;
    const vcpu = vm.createVcpu(this.guest?.start(id) ?? nothingToExecute(), id);
    vcpu.setCpuid([]); // nothing until KVM_SET_CPUID2 says what
    if (!this.hasLapics) vcpu.events.setMpState(0);
    vcpu.thread = call.caller; // `vcpu->arch.task`: KVM_RUN corrects it
    this.maxVcpuIds ||= version.maxVcpuIds === Infinity ? 0 : version.maxVcpuIds;
    this.users++;
    return call.process.descriptors.install(new VcpuFile(vcpu, this));
  }

  /** `KVM_ENABLE_CAP`. */
  enable(given: View<"cap" | "flags" | "args">): Outcome {
    const { vm } = this;
    const argument = given.big("args");
    if (given.get("flags") !== 0) return EINVAL;
    switch (given.get("cap")) {
      case Cap.DisableQuirks: // behaviour that is wrong and old; the model has none of it
        return 0;
      case Cap.DisableQuirks2:
        return (argument & ~BigInt(QUIRKS2)) !== 0n ? EINVAL : 0;
      case Cap.SplitIrqchip:
        if (argument > BigInt(vm.kvm.version.irqRoutes)) return EINVAL;
        if (this.hasLapics || vm.vcpus.length > 0) return EEXIST;
        this.splitIrqchip = true;
        this.#messagesOnly = new IrqRouting(vm);
        this.#messagesOnly.replace([]);
        return 0;
      case Cap.MaxVcpuId:
        if (argument > BigInt(vm.kvm.version.maxVcpuIds) || BigInt(vm.bootCpuId) > argument) return EINVAL;
        if (this.maxVcpuIds !== 0 && this.maxVcpuIds !== Number(argument)) return EINVAL;
        this.maxVcpuIds = Number(argument);
        return 0;
      case Cap.X2apicApi:
        if ((argument & ~BigInt(X2APIC_API_FLAGS)) !== 0n) return EINVAL;
        if ((argument & X2apicApi.EnableSuppression) !== 0n) {
          if ((argument & X2apicApi.DisableSuppression) !== 0n || !this.splitIrqchip) return EINVAL;
        }
        if ((argument & X2apicApi.Use32BitIds) !== 0n) vm.x2apicFormat = true;
        if ((argument & X2apicApi.DisableBroadcastQuirk) !== 0n) vm.broadcastQuirkDisabled = true;
        return 0; // the I/O APIC that suppressing EOI broadcasts is about is user space's
      case Cap.DisableExits:
        if ((argument & ~BigInt(DisableExits.Hlt)) !== 0n || vm.vcpus.length > 0) return EINVAL;
        vm.haltsInGuestMode = argument !== 0n;
        return 0;
      case Cap.ExceptionPayload:
        this.exceptionPayload = argument !== 0n;
        return 0;
      case Cap.TripleFaultEvent:
        this.tripleFaultEvent = argument !== 0n;
        return 0;
      default:
        return EINVAL;
    }
  }

  override *release(caller: Task): Activity {
    yield* this.put(caller);
  }

  /** A descriptor of the machine or of a vCPU is gone; with the last one everything goes. */
  *put(caller: Task): Activity {
    if (--this.users > 0) return;
    const { vm } = this;
    vm.pit?.stop();
    this.eventfds.release();
    for (const device of [...vm.assigned]) yield* device.deassign(caller);
    for (const vcpu of vm.vcpus) {
      vcpu.lapic.timer.cancel();
      if (vcpu.slaveCpu >= 0) yield* setSlaveCpu(vcpu, -1, vm.kvm.host.cpus[caller.cpu]!, false);
    }
    vm.kvm.forget(vm);
  }
}
