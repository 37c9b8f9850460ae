/**
 * `/dev/kvm`: the descriptors of the module, of a virtual machine and of a vCPU, and their ioctls.
 *
 * *Document*: Linux 3.5 `virt/kvm/kvm_main.c`, `arch/x86/kvm/x86.c`, `Documentation/virtual/kvm/api.txt`; patch 08 of
 * the series.
 *
 * *Modelled*: the requests of {@linkcode Ioctl}; that a vCPU serves one caller at a time and others wait; that a
 * machine lives until its last descriptor is closed.
 *
 * *Not modelled*: registers, MSRs and events of a vCPU, irqfd, GSI routing, signal masks. A request that is not there
 * is answered as by a kernel that does not know it: EINVAL on `/dev/kvm` and on a vCPU, ENOTTY on a machine.
 *
 * *Deviations*: a structure is given by its fields in their order; `KVM_SET_CPUID2` takes the names of the features
 * that are to be shown; that a machine answers EIO to another process than its own is left out, so that a shell can
 * use the descriptors that a process has handed to it.
 *
 * @module
 */

import type { Activity, Step } from "../../hw/sim/activity.ts";
import { Context, type InterruptTable, RegisterFile } from "../../hw/register_file.ts";
import { parseBdf } from "../../hw/pci.ts";
import {
  EBADF,
  EEXIST,
  EFAULT,
  EINTR,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOTTY,
  ENXIO,
  Errno,
  errnoOf,
} from "../linux/errno.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { settle } from "../linux/pci_bus.ts";
import type { Task } from "../linux/task.ts";
import { assignDevice, type AssignedDevice } from "./assigned_device.ts";
import { type CallValue, Descriptors, EventFile, failure, KernelFile } from "./descriptors.ts";
import { API_VERSION, Capability, Ioctl, ioctlName, KVM_CONSTANTS, type RunExitName } from "./ioctls.ts";
import type { Kvm } from "./kvm.ts";
import { Pit } from "./pit.ts";
import { kvmRun, setSlaveCpu } from "./slave_cpu.ts";
import type { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";

/** Bytes of a vCPU's shared area: `struct kvm_run`, PIO page, coalesced MMIO page. */
const VCPU_MMAP_SIZE = 3 * 4096;
/** The three pages of the TSS must end below 4 GiB. */
const HIGHEST_TSS_ADDRESS = 0xffff_ffff - 3 * 4096;

/** What lies in a machine's RAM, as far as its processors' first instructions go: a guest kernel. */
export interface GuestMemory {
  /** What vCPU `id` executes from its reset on. */
  start(id: number): RegisterFile;
}

/** The calls that a process makes on KVM: `open`, `close`, `ioctl`, `eventfd`. One for each process. */
export class KvmCalls {
  /** The process's descriptors. */
  readonly descriptors = new Descriptors();
  readonly #memory = new Map<number, GuestMemory>();

  /** @param kvm the module behind `/dev/kvm` */
  constructor(readonly kvm: Kvm) {}

  /** The calls it takes. */
  static readonly names: readonly string[] = ["open", "close", "ioctl", "eventfd"];
  /** What a C call may name. */
  static readonly constants: ReadonlyMap<string, number> = KVM_CONSTANTS;

  /**
   * Makes a call. The result is negative for an errno, as the kernel returns it.
   *
   * @param caller the task that makes it @param cpu the CPU on which it runs
   */
  *call(name: string, args: readonly CallValue[], caller: Task, cpu: KernelCpu): Activity<number> {
    const { descriptors, kvm } = this;
    let result: number;
    switch (name) {
      case "open":
        yield kvm.steps.ioctl;
        result = this.#open(args[0]);
        break;
      case "close":
        yield kvm.steps.ioctl;
        result = yield* descriptors.close(args[0], caller);
        break;
      case "eventfd":
        yield kvm.steps.ioctl;
        result = descriptors.install(new EventFile(Number(args[0] ?? 0)));
        break;
      case "ioctl":
        result = yield* this.#ioctl(args, caller);
        break;
      default:
        result = failure(EINVAL);
    }
    this.#trace(name, args, result, cpu);
    return result;
  }

  /**
   * Makes a call that the model gives no time: what follows from a guest's access to a register that QEMU emulates.
   * Only for requests that neither wait nor reach another CPU.
   */
  callAtOnce(name: string, args: readonly CallValue[], caller: Task): number {
    return settle(this.call(name, args, caller, this.kvm.host.cpus[caller.cpu]!));
  }

  /** `mmap`: an address under which `memory` can be given to a machine. */
  map(memory: GuestMemory): number {
    const address = 0x7f00_0000_0000 + this.#memory.size * 2 ** 32;
    this.#memory.set(address, memory);
    return address;
  }

  #open(path: CallValue | undefined): number {
    if (path === "/dev/kvm") {
      return this.descriptors.install(new SystemFile(this.kvm, this.descriptors, this.#memory));
    }
    return failure(typeof path === "string" ? ENOENT : EFAULT);
  }

  *#ioctl([fd, request, ...args]: readonly CallValue[], caller: Task): Activity<number> {
    const file = this.descriptors.get(fd);
    if (file === undefined) return failure(EBADF);
    if (typeof request !== "number") return failure(EINVAL);
    yield this.kvm.steps.ioctl;
    return yield* file.ioctl(request, args, caller);
  }

  #trace(name: string, args: readonly CallValue[], result: number, cpu: KernelCpu): void {
    const { engine } = this.kvm.host;
    if (engine.trace === null) return;
    const shown = name === "ioctl" && typeof args[1] === "number"
      ? [args[0], ioctlName(args[1]), ...args.slice(2)]
      : args;
    engine.trace.record({
      event: engine.event,
      cause: engine.event,
      timeNs: engine.nowNs,
      where: `cpu${cpu.id}`,
      kind: "syscall",
      name,
      fields: {
        args: shown.join(", "),
        result: result < 0 ? `-${errnoOf(-result)?.name ?? -result}` : result,
      },
    });
  }
}

/** An open `/dev/kvm`. */
export class SystemFile extends KernelFile {
  /** @param descriptors where new machines get their numbers @param memory what the process has mapped */
  constructor(
    readonly kvm: Kvm,
    readonly descriptors: Descriptors,
    readonly memory: ReadonlyMap<number, GuestMemory>,
  ) {
    super();
  }

  override *ioctl(request: number, [argument = 0]: readonly CallValue[]): Activity<number> {
    const { kvm } = this;
    switch (request) {
      case Ioctl.KVM_GET_API_VERSION:
        return argument === 0 ? API_VERSION : failure(EINVAL);
      case Ioctl.KVM_CHECK_EXTENSION:
        return extension(kvm, Number(argument));
      case Ioctl.KVM_GET_VCPU_MMAP_SIZE:
        return argument === 0 ? VCPU_MMAP_SIZE : failure(EINVAL);
      case Ioctl.KVM_CREATE_VM: {
        if (argument !== 0) return failure(EINVAL); // x86 has one type of machine
        yield kvm.steps.createVm;
        return this.descriptors.install(new VmFile(kvm.createVm(), this));
      }
      default:
        return failure(EINVAL);
    }
  }

  override *release(): Activity {}
}

/** How many vCPUs a machine should have at most. */
function recommendedVcpus({ version, host }: Kvm): number {
  const { recommendedVcpus: number, maxVcpus } = version;
  if (number !== "online") return number;
  return Math.min(host.cpus.filter(({ state }) => state === "online").length, maxVcpus);
}

/** `KVM_CHECK_EXTENSION`: 0 for what this kernel does not have or does not know. */
function extension(kvm: Kvm, capability: number): number {
  switch (capability) {
    case Capability.KVM_CAP_NR_VCPUS:
      return recommendedVcpus(kvm);
    case Capability.KVM_CAP_MAX_VCPUS:
      return kvm.version.maxVcpus;
    case Capability.KVM_CAP_NR_MEMSLOTS:
      return kvm.version.memorySlots;
    case Capability.KVM_CAP_SLAVE_CPU:
      return kvm.capabilities.slaveCpu ? 1 : 0;
    default:
      return (Object.values(Capability) as number[]).includes(capability) ? 1 : 0;
  }
}

/** A virtual machine's descriptor. */
export class VmFile extends KernelFile {
  /** What lies in its RAM; `null`: it has none. */
  memory: GuestMemory | null = null;
  /** Descriptors of the machine and of its vCPUs that are open: the last one takes the machine with it. */
  users = 1;
  readonly #msiXNumbers = new Map<AssignedDevice, number>();

  /** @param system the descriptor it was made with */
  constructor(readonly vm: Vm, readonly system: SystemFile) {
    super();
  }

  override *ioctl(request: number, args: readonly CallValue[], caller: Task): Activity<number> {
    const { vm } = this;
    const { kvm } = vm;
    const [first = 0, second = 0] = args;
    const here = kvm.host.cpus[caller.cpu]!;
    switch (request) {
      case Ioctl.KVM_CREATE_VCPU:
        return yield* this.#createVcpu(Number(first), caller);
      case Ioctl.KVM_CHECK_EXTENSION:
        return extension(kvm, Number(first));
      case Ioctl.KVM_SET_USER_MEMORY_REGION: {
        const [, , , size = 0, address = 0] = args;
        const memory = this.system.memory.get(Number(address));
        if (memory === undefined || Number(size) % 4096 !== 0) return failure(EINVAL);
        this.memory = memory;
        return 0;
      }
      case Ioctl.KVM_SET_TSS_ADDR:
        return Number(first) < 0 || Number(first) > HIGHEST_TSS_ADDRESS ? failure(EINVAL) : 0;
      case Ioctl.KVM_SET_IDENTITY_MAP_ADDR:
        return 0;
      case Ioctl.KVM_CREATE_IRQCHIP:
        if (vm.irqchip) return failure(EEXIST);
        if (vm.vcpus.length > 0) return failure(EINVAL);
        yield kvm.steps.createVm;
        vm.createIrqchip();
        return 0;
      case Ioctl.KVM_CREATE_PIT2: {
        if (vm.pit !== null) return failure(EEXIST);
        vm.pit = new Pit(vm, here);
        const program = vm.irqchip ? vm.pit.start() : null; // without the chip there is no line to raise
        if (program !== null) yield program;
        return 0;
      }
      case Ioctl.KVM_IRQ_LINE:
        if (!vm.irqchip) return failure(ENXIO);
        vm.setLine(Number(first), Number(second) !== 0, here);
        yield* here.sendPendingIpis();
        return 0;
      default:
        return yield* this.#assignment(request, args, caller);
    }
  }

  /** `kvm_vm_ioctl_assigned_device`. A device is named by its place, as `-device pci-assign,host=` does. */
  *#assignment(request: number, args: readonly CallValue[], caller: Task): Activity<number> {
    const { vm } = this;
    const place = String(args[0] ?? "");
    switch (request) {
      case Ioctl.KVM_ASSIGN_PCI_DEVICE: {
        if (parseBdf(place) === undefined) return failure(EINVAL);
        const assigned = yield* assignDevice(vm, place);
        return assigned instanceof Errno ? failure(assigned) : 0;
      }
      case Ioctl.KVM_DEASSIGN_PCI_DEVICE:
      case Ioctl.KVM_ASSIGN_DEV_IRQ:
      case Ioctl.KVM_DEASSIGN_DEV_IRQ:
      case Ioctl.KVM_ASSIGN_SET_MSIX_NR:
      case Ioctl.KVM_ASSIGN_SET_MSIX_ENTRY:
        break;
      default:
        return failure(ENOTTY);
    }
    const device = vm.assigned.find((candidate) => candidate.device.name === place);
    if (device === undefined) return failure(request === Ioctl.KVM_DEASSIGN_PCI_DEVICE ? EINVAL : ENODEV);
    switch (request) {
      case Ioctl.KVM_DEASSIGN_PCI_DEVICE:
        yield* device.deassign(caller);
        return 0;
      case Ioctl.KVM_ASSIGN_SET_MSIX_NR: {
        const number = Number(args[1] ?? 0);
        if (number <= 0 || number > device.device.msiXVectorCount) return failure(EINVAL);
        if (this.#msiXNumbers.has(device)) return failure(EINVAL); // "already set"
        this.#msiXNumbers.set(device, number);
        return 0;
      }
      case Ioctl.KVM_ASSIGN_SET_MSIX_ENTRY: {
        const [, entry = 0, destination = 0, vector = 0] = args.map(Number);
        if (!this.#msiXNumbers.has(device)) return failure(EINVAL);
        device.route({ entry, destination, vector });
        return 0;
      }
      case Ioctl.KVM_ASSIGN_DEV_IRQ: {
        const failed = device.assignIrqs(this.vm.kvm.host.cpus[caller.cpu]!);
        yield this.vm.kvm.steps.createVm;
        return failed instanceof Errno ? failure(failed) : 0;
      }
      default:
        this.#msiXNumbers.delete(device);
        return device.deassignIrqs(this.vm.kvm.host.cpus[caller.cpu]!) ? 0 : failure(ENXIO);
    }
  }

  *#createVcpu(id: number, caller: Task): Activity<number> {
    const { vm } = this;
    if (!(id >= 0 && id < vm.kvm.version.maxVcpuIds)) return failure(EINVAL);
    if (vm.vcpus.length >= vm.kvm.version.maxVcpus) return failure(EINVAL);
    if (vm.vcpus.some((vcpu) => vcpu.id === id)) return failure(EEXIST);
    yield vm.kvm.steps.createVcpu;
    const vcpu = vm.createVcpu(this.memory?.start(id) ?? nothingToExecute(), id);
    vcpu.thread = caller; // `vcpu->arch.task`: KVM_RUN corrects it
    this.users++;
    return this.system.descriptors.install(new VcpuFile(vcpu, this));
  }

  override *release(caller: Task): Activity {
    yield* this.put(caller);
  }

  /** A descriptor of the machine or of a vCPU is gone; with the last one everything goes. */
  *put(caller: Task): Activity {
    if (--this.users > 0) return;
    const { vm } = this;
    vm.pit?.stop();
    for (const device of [...vm.assigned]) yield* device.deassign(caller);
    for (const vcpu of vm.vcpus) {
      vcpu.lapic.timer.base?.cancel(vcpu.lapic.timer);
      if (vcpu.slaveCpu >= 0) yield* setSlaveCpu(vcpu, -1, vm.kvm.host.cpus[caller.cpu]!, false);
    }
    vm.kvm.forget(vm);
  }
}

/** A vCPU's descriptor. */
export class VcpuFile extends KernelFile {
  /** Why its last `KVM_RUN` returned (`exit_reason` in its shared area). */
  exitReason: RunExitName = "KVM_EXIT_UNKNOWN";
  /** Who is in an ioctl on it (`vcpu->mutex`). */
  #owner: Task | null = null;
  readonly #waiting: Task[] = [];

  /** @param machine its machine's descriptor */
  constructor(readonly vcpu: Vcpu, readonly machine: VmFile) {
    super();
  }

  override *ioctl(request: number, args: readonly CallValue[], caller: Task): Activity<number> {
    const { kvm } = this.vcpu.vm;
    while (this.#owner !== null) {
      if (!this.#waiting.includes(caller)) this.#waiting.push(caller);
      yield* kvm.host.cpus[caller.cpu]!.sleep();
    }
    this.#owner = caller;
    const result = yield* this.#locked(request, args, caller);
    this.#owner = null;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      const here = kvm.host.cpus[caller.cpu]!;
      kvm.host.wake(next, here);
      yield* here.sendPendingIpis();
    }
    return result;
  }

  *#locked(request: number, [argument = 0]: readonly CallValue[], caller: Task): Activity<number> {
    const { vcpu } = this;
    const { kvm } = vcpu.vm;
    switch (request) {
      case Ioctl.KVM_RUN:
        return argument === 0 ? yield* this.#run(caller) : failure(EINVAL);
      case Ioctl.KVM_SET_CPUID2:
        // The guest's kernel puts its APIC into x2APIC form, first thing, where CPUID shows the feature.
        vcpu.setCpuid(String(argument).split(","));
        return 0;
      case Ioctl.KVM_SET_SLAVE_CPU: {
        if (!kvm.capabilities.slaveCpu) return failure(EINVAL);
        const result = yield* setSlaveCpu(vcpu, Number(argument) | 0, kvm.host.cpus[caller.cpu]!);
        return result instanceof Errno ? failure(result) : result;
      }
      case Ioctl.KVM_GET_SLAVE_CPU:
        // Unset is -1: the C library takes that for errno 1.
        return kvm.capabilities.slaveCpu ? vcpu.slaveCpu : failure(EINVAL);
      default:
        return failure(EINVAL);
    }
  }

  override get lastExit(): RunExitName {
    return this.exitReason;
  }

  override get busy(): boolean {
    return this.#owner !== null;
  }

  /** A signal for the thread that is in `KVM_RUN`, or will be next: it returns with EINTR. @param from who sends it */
  signal(from: KernelCpu): void {
    this.vcpu.signalPending = true;
    this.vcpu.kick(from);
  }

  /**
   * `kvm_arch_put_registers()` at a reset, `KVM_SET_REGS` to `KVM_SET_MP_STATE` in one: the vCPU begins anew with what
   * lies in memory now. It must not run meanwhile.
   */
  *reset(): Activity {
    yield this.vcpu.vm.kvm.steps.ioctl;
    this.vcpu.restart(this.machine.memory?.start(this.vcpu.id) ?? nothingToExecute());
  }

  /** Leaves the answer to an access in the shared area: the next `KVM_RUN` completes the instruction with it. */
  answer(value: number): void {
    this.vcpu.vmcs.skipInstruction(value);
  }

  *#run(caller: Task): Activity<number> {
    const { vcpu, machine } = this;
    vcpu.thread = caller;
    if (machine.memory === null) {
      yield vcpu.vm.kvm.steps.userExit; // the first fetch finds no memory, and that cannot be emulated
      this.exitReason = "KVM_EXIT_INTERNAL_ERROR";
      return 0;
    }
    this.exitReason = yield* kvmRun(vcpu);
    vcpu.signalPending = false;
    return this.exitReason === "KVM_EXIT_INTR" ? failure(EINTR) : 0;
  }

  override *release(caller: Task): Activity {
    yield* this.machine.put(caller);
  }
}

/** The registers of a vCPU without memory: it never gets as far as an instruction. */
function nothingToExecute(): RegisterFile {
  const never = function* (): Generator<Step, void, number> {};
  const table: InterruptTable = { interrupt: never, nmi: never, exception: never };
  return new RegisterFile(table, new Context("no memory", never()));
}
