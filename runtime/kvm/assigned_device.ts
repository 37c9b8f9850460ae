/**
 * Device assignment: a PCI function of the host that belongs to a virtual machine, and the way of its interrupts.
 *
 * *Document*: Linux 3.5 `virt/kvm/assigned-dev.c`; patches 13 and 18 of the series.
 *
 * *Modelled*: which devices can be assigned; MSI-X, each entry with a host interrupt and its thread.
 *
 * *Not modelled*: MSI and INTx of an assigned device; the machine's pages in its domain, as no device here says which
 * page it reaches.
 *
 * *Deviations*: `KVM_ASSIGN_DEV_IRQ` takes effect at one instant; what it costs is booked by the caller.
 *
 * The stock way of an interrupt: the host's handler wakes the interrupt's thread, which makes a virtual interrupt of it.
 *
 *     device --host vector--> host IRQ handler --wakes--> irq/NN-kvm:0000 --kvm_set_irq--> virtual APIC, kick
 *
 * The patched way, if the machine has a slave CPU when the guest switches MSI-X on: the device's message gets the
 * guest's vector and the slave as destination, and the slave's own vector table gets that vector too. From there on the
 * processor decides: in guest mode with pin-based bit 0 clear the guest's handler runs; otherwise the host's does, and
 * takes the stock way. A slave that is set later changes nothing until the guest switches MSI-X off and on.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { Nic82599Function } from "../../hw/nic_82599_function.ts";
import { type PciEffect, routingId } from "../../hw/pci.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import { EBUSY, EEXIST, EINVAL, ENODEV, EPERM, type Errno } from "../linux/errno.ts";
import type { IrqDescriptor } from "../linux/irq.ts";
import { IrqThread } from "../linux/irq_thread.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { settle } from "../linux/pci_bus.ts";
import type { PciDevice } from "../linux/pci_device.ts";
import type { Task } from "../linux/task.ts";
import type { Vm } from "./vm.ts";

/** Base class of bridges. */
const BRIDGE = 0x06;

/** Where the guest wants an MSI-X entry's interrupt: `KVM_ASSIGN_SET_MSIX_ENTRY` and its GSI route in one. */
export interface MsiXRoute {
  /** The entry of the device's table. */
  readonly entry: number;
  /** APIC id of the vCPU. */
  readonly destination: number;
  /** The guest's vector. */
  readonly vector: number;
}

/**
 * `KVM_ASSIGN_PCI_DEVICE`: gives the device at `place` to `vm`.
 *
 * @returns EINVAL (no such device), EPERM (a bridge), EEXIST (the machine has it), EBUSY (a driver, or another machine,
 * holds its memory), ENODEV (a host without devices, or without IOMMU)
 */
export function* assignDevice(vm: Vm, place: string): Activity<AssignedDevice | Errno> {
  const { kvm } = vm;
  if (kvm.devices === null) return ENODEV;
  const device = kvm.devices.pci.find(place);
  if (device === undefined) return EINVAL;
  if (vm.assigned.some((assigned) => assigned.device === device)) return EEXIST;
  if (device.classCode >>> 16 === BRIDGE) return EPERM;
  yield kvm.steps.createVm;
  // pci_request_regions(): pci-stub, which drives nothing, leaves them free.
  if (device.assigned || (device.driver !== undefined && device.driver !== "pci-stub")) return EBUSY;
  if (!kvm.devices.pci.hasIommu) return ENODEV; // kvm_iommu_map_guest(): "iommu not found"
  device.enable();
  device.reset();
  device.assigned = true;
  const assigned = new AssignedDevice(vm, device);
  vm.assigned.push(assigned);
  return assigned;
}

/**
 * The stock way from the host's interrupt to the virtual one: by a thread (`KVM_ASSIGN_DEV_IRQ`), or within the handler,
 * by an eventfd of VFIO that is an irqfd of the machine (`kvm_arch_set_irq_inatomic()`).
 */
export type InterruptWay = "thread" | "irqfd";

/** One MSI-X entry in use: its host interrupt, that interrupt's thread if it has one, and the guest's route. */
interface Entry {
  readonly descriptor: IrqDescriptor;
  readonly thread: IrqThread | null;
  route: MsiXRoute;
  /** The hard handler has run and the thread has not yet. */
  pending: boolean;
}

/** A device of the host that a virtual machine has. */
export class AssignedDevice {
  readonly #routes = new Map<number, MsiXRoute>();
  readonly #entries = new Map<number, Entry>();
  /** Interrupts that went through the host. */
  forwarded = 0;

  /** Made by {@linkcode assignDevice}. */
  constructor(readonly vm: Vm, readonly device: PciDevice, readonly way: InterruptWay = "thread") {
    // Its memory accesses are the machine's from now on.
    vm.kvm.machine.remapping.attach(routingId(device.bdf), vm.domain);
  }

  /** The host's name of an entry's interrupt, as `/proc/interrupts` shows it. */
  irqName(entry: number): string {
    const { name } = this.device;
    return this.way === "thread" ? `kvm:${name}` : `vfio-msix[${entry}](${name})`;
  }

  /** Whether its interrupts are set up. */
  get irqsAssigned(): boolean {
    return this.#entries.size > 0;
  }

  /** Host interrupt, guest vector and present destination of each MSI-X entry in use, in order of the entries. */
  interrupts(): { entry: number; irq: number; guestVector: number; cpu: number; hostVector: number }[] {
    return [...this.#entries].map(([entry, { descriptor, route }]) => ({
      entry,
      irq: descriptor.irq,
      guestVector: route.vector,
      cpu: descriptor.cpu,
      hostVector: descriptor.vector,
    }));
  }

  /** Queue `queue` of the device receives something. @returns whether the device has queues */
  raise(queue: number): boolean {
    const { fn, ports } = this.device;
    if (!(fn instanceof Nic82599Function)) return false;
    const effects: readonly PciEffect[] = fn.raiseQueue(queue, "rx", ports.nowNs());
    ports.apply(effects);
    return true;
  }

  /** Enters where the guest wants the interrupt of one entry. Takes effect with {@linkcode assignIrqs}. */
  route(route: MsiXRoute): void {
    this.#routes.set(route.entry, route);
  }

  /**
   * `KVM_ASSIGN_DEV_IRQ` with host and guest MSI-X: a host interrupt with a thread for each entry that has a route; then
   * those of a machine with slave CPUs are led to them (`assign_slave_msix()`).
   *
   * @param by the CPU whose software asks
   * @returns EINVAL (no route, no MSI-X, on already), or what the interrupt subsystem says
   */
  assignIrqs(by: KernelCpu): Errno | void {
    const { device, vm } = this;
    const { irqs } = vm.kvm.devices!;
    if (this.irqsAssigned || this.#routes.size === 0) return EINVAL;
    const routes = [...this.#routes.values()].sort((a, b) => a.entry - b.entry);
    if (routes.some(({ entry }, index) => entry !== index)) return EINVAL;
    const failed = settle(device.enableMsiX(routes.map(({ entry }) => this.irqName(entry))));
    if (failed) return failed;
    for (const route of routes) {
      const descriptor = irqs.get(device.msiXIrqs.get(route.entry)!)!;
      const thread = this.way === "thread"
        ? new IrqThread(vm.kvm.host, descriptor.irq, this.irqName(route.entry))
        : null;
      if (thread !== null) thread.task.cpu = by.id;
      const entry: Entry = { descriptor, route, pending: false, thread };
      this.#entries.set(route.entry, entry);
      descriptor.topHalf = thread === null
        ? { step: vm.kvm.steps.assignedInterrupt, act: (cpu) => this.#signalAtOnce(entry, cpu) }
        : { step: vm.kvm.host.steps.wakeUp, act: (cpu) => this.#hardHandler(entry, thread, cpu) };
    }
    this.#leadToSlaves();
  }

  /**
   * `KVM_DEASSIGN_DEV_IRQ`: frees the host interrupts.
   *
   * @param by the CPU whose software asks
   * @returns whether there were any
   */
  deassignIrqs(by: KernelCpu): boolean {
    this.#routes.clear();
    if (!this.irqsAssigned) return false;
    const { irqs } = this.vm.kvm.devices!;
    for (const { descriptor, thread } of this.#entries.values()) {
      irqs.revertSlaveVectors(descriptor.irq);
      if (thread !== null) this.vm.kvm.host.kill(thread.task, 0, by);
    }
    this.#entries.clear();
    this.device.disableMsiX();
    return true;
  }

  /** Adds routes, destinations and what is pending to `hash`. */
  hashInto(hash: StateHash): void {
    hash.text(this.device.name).number(this.forwarded);
    for (const { descriptor, route, pending } of this.#entries.values()) {
      hash.word(descriptor.irq).word(route.entry).word(route.destination).word(route.vector).flag(pending);
    }
  }

  /** `KVM_DEASSIGN_PCI_DEVICE`: the host has its device back, reset. */
  *deassign(caller: Task): Activity {
    const { kvm, assigned } = this.vm;
    this.deassignIrqs(kvm.host.cpus[caller.cpu]!);
    yield kvm.steps.createVm;
    yield* kvm.host.cpus[caller.cpu]!.sendPendingIpis();
    kvm.machine.remapping.detach(routingId(this.device.bdf));
    this.device.reset();
    this.device.assigned = false;
    this.device.disable();
    assigned.splice(assigned.indexOf(this), 1);
  }

  /** Patches 13 and 18: the guest's vectors, on the machine's slave CPUs. */
  #leadToSlaves(): void {
    const { host, devices, capabilities, protocol } = this.vm.kvm;
    if (!capabilities.delivery) return;
    for (const { descriptor: { irq }, route } of this.#entries.values()) {
      const slaves = this.#slavesFor(route);
      if (slaves.length === 0) continue; // the host's CPUs take it, and kick the slave
      const mask = slaves.reduce((bits, cpu) => bits | (1 << cpu), 0);
      if (protocol.deviceVector === "guest") {
        for (const cpu of slaves) {
          devices!.irqs.remapSlaveVector(irq, route.vector, host.cpus[cpu]!, protocol.registersGuestVectors);
        }
      }
      const failed = devices!.irqs.setAffinity(irq, mask);
      host.log(
        failed
          ? `assigned_device slave msi-x: irq:${irq}: ${failed.message}`
          : `assigned_device slave msi-x: irq:${irq} vec:${route.vector} mask:${mask.toString(16)}`,
      );
    }
  }

  /** The slave CPUs to which the interrupt of `route` may go. */
  #slavesFor({ destination }: MsiXRoute): number[] {
    const { vm } = this;
    if (vm.kvm.capabilities.leadsTo === "any") return vm.slaves();
    const chosen = vm.vcpus.find(({ apic }) => apic.id === destination);
    return chosen === undefined || chosen.slaveCpu < 0 ? [] : [chosen.slaveCpu];
  }

  /** The handler of the host interrupt: it only wakes the thread (`IRQ_WAKE_THREAD`). */
  #hardHandler(entry: Entry, thread: IrqThread, cpu: KernelCpu): void {
    if (entry.pending) return;
    entry.pending = true;
    thread.wake(this.#forward(entry, thread), cpu);
  }

  /** `vfio_msihandler()`: the eventfd is an irqfd, and that is served where it is signalled. */
  #signalAtOnce({ route }: Entry, cpu: KernelCpu): void {
    this.forwarded++;
    this.vm.signalMsi(route.destination, route.vector, cpu);
  }

  /** Work of thread `irq/NN-kvm:0000`: makes a virtual interrupt of the device's. */
  *#forward(entry: Entry, thread: IrqThread): Activity {
    const { host, steps } = this.vm.kvm;
    entry.pending = false;
    yield steps.assignedInterrupt;
    this.forwarded++;
    const here = host.cpus[thread.task.cpu]!;
    this.vm.signalMsi(entry.route.destination, entry.route.vector, here);
    yield* here.sendPendingIpis();
  }
}
