/**
 * What a process that uses KVM has beside its ioctls: threads that wait for each other, and the files of sysfs that it
 * looks into.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import { ProcessTimer } from "./process_timer.ts";
import { type Activity, type Step, work } from "../../hw/sim/activity.ts";
import { Apic, DeliveryMode, type LocalApic } from "../../hw/lapic.ts";
import { type IoApic, IOAPIC_PINS } from "../../hw/ioapic.ts";
import { timerDivisor } from "../../hw/lapic_timer.ts";
import type { PciFunction } from "../../hw/pci.ts";
import type { VectorSet } from "../../hw/vector_set.ts";
import { type Bdf, bdfOf } from "../../hw/pci.ts";
import type { Board } from "../linux/board.ts";
import { errnoOf } from "../linux/errno.ts";
import { Layers } from "../linux/layers.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { MemoryUser } from "../linux/memory.ts";
import type { MessageKind } from "../linux/pci/pci_device.ts";
import type { CpuMask, Sender, Task } from "../linux/sched/task.ts";
import type { MessageLine } from "./assignment/assigned_device.ts";
import { AssignedFunction, type FunctionOwner } from "./assignment/assigned_function.ts";
import { KvmCalls } from "./ioctl/calls.ts";
import { CAPABILITIES, type CapabilityName } from "./ioctl/capabilities.ts";
import { guestBoard } from "./guest_board.ts";
import { Ioctl } from "./ioctl/ioctls.ts";
import type { CallValue } from "./ioctl/marshal.ts";
import { pvFeatures } from "./pv_features.ts";
import type { RequestName } from "./uapi/requests.ts";
import type { GuestCpu, GuestMemory, VmFile } from "./ioctl/vm_file.ts";
import type { Kvm } from "./kvm.ts";
import { openVfioDevice, VfioDeviceFile, type VfioRefusal } from "./assignment/vfio.ts";

export type {
  Board,
  CpuMask,
  GuestCpu,
  GuestMemory,
  IoApic,
  KernelCpu,
  LocalApic,
  PciFunction,
  Sender,
  Task,
  VectorSet,
};
export { Apic, AssignedFunction, DeliveryMode, IOAPIC_PINS, timerDivisor };
// Chips that user space emulates.
export { Pit8254, PIT_PORTS, pitNs } from "../../hw/i8254.ts";
export { Uart16550, UART_PORTS } from "../../hw/uart_16550.ts";
export { Vga, VGA_WINDOW } from "../../hw/vga.ts";
export { Ram } from "../../hw/ram.ts";
export { Virtio } from "../../hw/virtio.ts";
export { BLOCK_ID_BYTES, blockDevice, BlockRequest, BlockStatus, SECTOR_BYTES } from "../../hw/virtio_blk.ts";
export { VirtioFunction, type VirtioPlace } from "../../hw/virtio_pci.ts";
export { type DeviceQueue, type QueueBuffer, type QueueChain, RingFeature } from "../../hw/virtio_queue.ts";
export type { MsiEffect } from "../../hw/msi.ts";
export type { MsiLayout } from "../../hw/msi_capability.ts";
export type { MessageKind } from "../linux/pci/pci_device.ts";

/** The place with device number `slot` on bus 0. */
export function placeOnBus0(slot: number): Bdf {
  return bdfOf(slot << 3);
}

/** Work of QEMU's own code, made once. */
export function qemuWork(name: string, ns: number): Step {
  return work(name, Layers.Qemu, ns);
}

/** A process with KVM's descriptors. */
export class KvmProcess {
  /** Its system calls on KVM. */
  readonly calls: KvmCalls;
  /** Takes a signal to any of its threads that ends it at once. */
  onKill: (from: KernelCpu) => void = young(() => {});
  /** Takes any other signal; true: it does something else about it than to end at once. */
  onSignal: (signal: number, from: KernelCpu, sender: Sender | null) => boolean = young(() => false);

  readonly #memory: MemoryUser[] = [];
  /** Process id: that of the thread that was started first. */
  #leader = 0;

  /** @param kvm what is behind `/dev/kvm` */
  constructor(readonly kvm: Kvm) {
    this.calls = new KvmCalls(kvm);
  }

  /** The CPU on which `task` runs. */
  cpuOf(task: Task): KernelCpu {
    return this.kvm.host.cpus[task.cpu]!;
  }

  /** `ioctl(fd, request, args…)` by `task`; negative: an errno. */
  ioctl(task: Task, fd: number, request: RequestName, ...args: CallValue[]): Activity<number> {
    return this.calls.call("ioctl", [fd, Ioctl[request], ...args], task, this.cpuOf(task));
  }

  /** `KVM_CHECK_EXTENSION` by its name. */
  extension(task: Task, fd: number, capability: CapabilityName): Activity<number> {
    return this.ioctl(task, fd, "KVM_CHECK_EXTENSION", CAPABILITIES[capability].number);
  }

  /** KVM's own features, as `KVM_GET_SUPPORTED_CPUID` shows them: QEMU asks before it makes its machine. */
  pvFeatures(): string[] {
    return pvFeatures(this.kvm.version).map(({ name }) => name);
  }

  /** A timer that threads of the process can be woken by. @param expired called in the host's interrupt */
  timer(name: string, expired: (cpu: KernelCpu) => void): ProcessTimer {
    return new ProcessTimer(this.kvm.host, name, expired);
  }

  /**
   * `pthread_create`: starts a thread of the process.
   *
   * @param by the thread that does it @param affinity where it may run; as its creator where absent
   */
  *startThread(
    by: Task,
    name: string,
    affinity: CpuMask | undefined,
    body: (thread: Task) => Activity<number>,
    done?: (status: number) => void,
  ): Activity<Task> {
    const { host } = this.kvm;
    const thread = host.createTask(name, affinity ?? by.allowed, body, done, by);
    thread.tgid = this.#leader ||= thread.pid;
    this.adopt(thread);
    const here = this.cpuOf(by);
    yield host.steps.wakeUp;
    host.wake(thread, here);
    yield* here.sendPendingIpis();
    return thread;
  }

  /** Signals to `thread` are for the process. */
  adopt(thread: Task): void {
    thread.onKill = young((from) => this.onKill(from));
    thread.onSignal = young((signal, from, _toGroup, sender) => this.onSignal(signal, from, sender));
  }

  /** Memory that the process has from now on. */
  useMemory(user: MemoryUser): void {
    this.#memory.push(user);
    this.kvm.host.memory.add(user);
  }

  /** Gives it back. */
  freeMemory(): void {
    for (const user of this.#memory.splice(0)) this.kvm.host.memory.remove(user);
  }

  /** Sleeps, as thread `task`, until `ready` says so; whoever changes that calls {@linkcode wake}. */
  *waitUntil(task: Task, ready: () => boolean): Activity {
    while (!ready()) yield* this.cpuOf(task).sleep();
  }

  /** Wakes threads that wait. @param by the thread that does it */
  *wake(threads: readonly Task[], by: Task): Activity {
    const here = this.cpuOf(by);
    for (const thread of threads) this.kvm.host.wake(thread, here);
    yield* here.sendPendingIpis();
  }

  /** `/sys/devices/system/cpu/offline`: ascending. */
  offlineCpus(): number[] {
    return this.kvm.host.cpus.filter(({ state }) => state === "offline").map(({ id }) => id);
  }

  /** `strerror`. */
  strerror(number: number): string {
    return errnoOf(number)?.message ?? `Unknown error ${number}`;
  }

  /** Driver, vendor and device of a PCI device, as its directory in sysfs tells them. */
  pciDevice(place: string): { driver: string | undefined; vendor: number; device: number } | undefined {
    const device = this.kvm.devices?.pci.find(place);
    return device && { driver: device.driver, vendor: device.vendor, device: device.device };
  }

  /**
   * Opens a device by VFIO, through the group that it is in.
   *
   * @param vm the machine's descriptor @returns the device's descriptor, why there is none, or undefined: it has no group
   */
  *openVfioDevice(vm: number, place: string): Activity<number | VfioRefusal | undefined> {
    const device = this.kvm.devices?.pci.find(place);
    const machine = (this.calls.descriptors.get(vm) as VmFile).vm;
    if (device === undefined || this.kvm.devices?.pci.iommu?.of(device) === undefined) return undefined;
    const opened = yield* openVfioDevice(machine, device);
    return opened instanceof VfioDeviceFile ? this.calls.descriptors.install(opened) : opened;
  }

  /** `VFIO_DEVICE_SET_IRQS` on a device's descriptor; undefined, or strerror of the error. */
  setVfioIrqs(fd: number, kind: MessageKind, lines: readonly MessageLine[], by: Task): string | undefined {
    return (this.calls.descriptors.get(fd) as VfioDeviceFile).setIrqs(kind, lines, by)?.message;
  }

  /** The same for its line: raised by an irqfd that is lowered, and asked again, at the guest's EOI; -1: not any more. */
  setVfioLine(fd: number, gsi: number, by: Task): string | undefined {
    return (this.calls.descriptors.get(fd) as VfioDeviceFile).setLine(gsi, by)?.message;
  }

  /** The board of a machine, as its kernel's first instructions reach it. @param by in whose name that is served */
  guestBoard(vm: number, by: () => Task): Board {
    return guestBoard((this.calls.descriptors.get(vm) as VmFile).vm, () => this.cpuOf(by()));
  }

  /**
   * The function that shows a guest an assigned device, at device number `slot` of the guest's bus 0.
   *
   * @param memoryBase guest-physical address of its memory @param line the guest's line that its INTA# leads to
   */
  guestFunction(
    place: string,
    slot: number,
    memoryBase: number,
    line: number,
    owner: FunctionOwner,
  ): AssignedFunction | undefined {
    const device = this.kvm.devices?.pci.find(place);
    return device && new AssignedFunction(device, placeOnBus0(slot), memoryBase, line, owner);
  }
}
