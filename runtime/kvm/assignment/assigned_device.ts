/**
 * Device assignment: a PCI function of the host that belongs to a virtual machine, and the way of its interrupts.
 *
 * *Document*: Linux 3.5 `virt/kvm/assigned-dev.c`; patches 13 and 18 of the series.
 *
 * *Modelled*: which devices can be assigned; MSI-X and MSI, each message with a host interrupt and its thread; INTx
 * (`assigned_line.ts`).
 *
 * *Not modelled*: the machine's pages in its domain, as no device here says which page it reaches.
 *
 * *Deviations*: `KVM_ASSIGN_DEV_IRQ` takes effect at one instant; what it costs is booked by the caller. Patch 18 means to
 * take the vectors of MSI-X from the slaves' tables when it is switched off, as those of MSI are, but stands in the branch
 * that MSI-X does not take; here they go.
 *
 * The stock way of an interrupt: the host's handler wakes the interrupt's thread, which makes a virtual interrupt of it.
 *
 *     device --host vector--> host IRQ handler --wakes--> irq/NN-kvm:0000 --kvm_set_irq--> virtual APIC, kick
 *
 * The patched way, if the machine has a slave CPU when the guest switches its messages on: the device's message gets the
 * guest's vector and the slave as destination, and the slave's own vector table gets that vector too. From there on the
 * processor decides: in guest mode with pin-based bit 0 clear the guest's handler runs; otherwise the host's does, and
 * takes the stock way. A slave that is set later changes nothing until the guest switches them off and on. Nor does a guest
 * that moves its interrupt: QEMU leads the line to the new message, and the device keeps the vector and the slaves of before.
 *
 * @module
 */

import { type Activity, Routine, type Step } from "../../../hw/sim/activity.ts";
import { Nic82599Function } from "../../../hw/nic_82599_function.ts";
import { type PciEffect, routingId } from "../../../hw/pci.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import { EBUSY, EEXIST, EINVAL, ENODEV, EPERM, type Errno } from "../../linux/errno.ts";
import type { IrqDescriptor } from "../../linux/irq/irq.ts";
import { IrqThread } from "../../linux/irq/irq_thread.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { settle } from "../../linux/pci/pci_bus.ts";
import type { MessageKind, PciDevice } from "../../linux/pci/pci_device.ts";
import type { Task } from "../../linux/sched/task.ts";
import { AssignedLine } from "./assigned_line.ts";
import { LineSource } from "../irqchip/irq_routing.ts";
import type { Vm } from "../vm.ts";

/** Base class of bridges. */
const BRIDGE = 0x06;

/** The machine's line that a message raises: `KVM_ASSIGN_SET_MSIX_ENTRY`, `guest_irq` of MSI, or an irqfd. */
export interface MessageLine {
  /** The entry of the device's MSI-X table; 0 of MSI. */
  readonly entry: number;
  /** The line; a route leads it to the message that the guest has written. */
  readonly gsi: number;
}

/** The vector that patch 18 reads where a line leads to no message: -1, as the device's table takes it. */
const NO_VECTOR = 0xff;

/**
 * `KVM_ASSIGN_PCI_DEVICE`: gives the device at `place` to `vm`.
 *
 * @param masksIntx its line is to be masked in the device, where that can be done (`KVM_DEV_ASSIGN_PCI_2_3`)
 * @returns EINVAL (no such device), EPERM (a bridge), EEXIST (the machine has it), EBUSY (a driver, or another machine,
 * holds its memory), ENODEV (a host without devices, or without IOMMU)
 */
export function* assignDevice(
  vm: Vm,
  place: string,
  masksIntx = false,
): Activity<AssignedDevice | Errno> {
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
  const assigned = new AssignedDevice(vm, device, "thread", masksIntx);
  vm.assigned.push(assigned);
  return assigned;
}

/**
 * The stock way from the host's interrupt to the virtual one: by a thread (`KVM_ASSIGN_DEV_IRQ`), or within the handler,
 * by an eventfd of VFIO that is an irqfd of the machine (`kvm_arch_set_irq_inatomic()`).
 */
export type InterruptWay = "thread" | "irqfd";

/** One message in use: its host interrupt, that interrupt's thread if it has one, and its line. */
interface Entry {
  readonly descriptor: IrqDescriptor;
  readonly thread: IrqThread | null;
  readonly line: MessageLine;
  /** The hard handler has run and the thread has not yet. */
  pending: boolean;
  /** What the thread did last: when that is over it serves the next interrupt. */
  work: Forwarding | null;
}

/** Where a thread's work stands. */
const At = Object.freeze({ Begin: 0, Wake: 1, Send: 2, Over: 3 });

/** Work of thread `irq/NN-kvm:0000`: makes a virtual interrupt of the device's. */
class Forwarding extends Routine {
  declare readonly served: Entry;
  declare readonly thread: IrqThread;
  declare readonly step: Step;
  declare readonly setIrq: (cpu: KernelCpu) => void;
  #at: number = At.Over;

  /** @param step its cost @param setIrq what follows when that has passed */
  constructor(served: Entry, thread: IrqThread, step: Step, setIrq: (cpu: KernelCpu) => void) {
    super();
    this.served = served;
    this.thread = thread;
    this.step = step;
    this.setIrq = setIrq;
  }

  /** Whether it can begin. */
  get over(): boolean {
    return this.#at === At.Over;
  }

  /** An interrupt has come. */
  begin(): this {
    this.#at = At.Begin;
    return this;
  }

  next(): Step | null {
    const { kernel, task } = this.thread;
    const here = kernel.cpus[task.cpu]!;
    switch (this.#at) {
      case At.Begin:
        this.served.pending = false;
        this.#at = At.Wake;
        return this.step;
      case At.Wake:
        this.setIrq(here);
        this.#at = At.Send;
        break;
    }
    const send = here.nextIpi();
    if (send === null) this.#at = At.Over;
    return send;
  }
}

/** What of the host's a message of an assigned device is, and what of the guest's. */
export interface AssignedInterrupt {
  readonly kind: MessageKind;
  readonly entry: number;
  readonly irq: number;
  readonly guestVector: number;
  readonly cpu: number;
  readonly hostVector: number;
}

/** How VFIO's interrupts are called. */
const NAMES: Readonly<Record<MessageKind, string>> = { MSI: "msi", "MSI-X": "msix" };

/** A device of the host that a virtual machine has. */
export class AssignedDevice {
  declare readonly vm: Vm;
  declare readonly device: PciDevice;
  declare readonly way: InterruptWay;
  readonly #entries = new Map<number, Entry>();
  /** What the host has left in the device (`pci_save_state()`): it may assert its line. */
  readonly #savedIntx: boolean;
  /** Its line is masked in the device. */
  readonly #masksIntx: boolean;
  /** INTx; null: not in use. */
  line: AssignedLine | null = null;
  /** Interrupts that went through the host as messages. */
  forwarded = 0;

  /** Made by {@linkcode assignDevice}. */
  constructor(vm: Vm, device: PciDevice, way: InterruptWay = "thread", masksIntx = true) {
    this.vm = vm;
    this.device = device;
    this.way = way;
    this.#savedIntx = device.intx;
    this.#masksIntx = masksIntx && device.masksIntx;
    // Its memory accesses are the machine's from now on.
    vm.kvm.machine.remapping.attach(routingId(device.bdf), vm.domain);
  }

  /** The host's name of a message's interrupt, as `/proc/interrupts` shows it. */
  irqName(kind: MessageKind, entry: number): string {
    const { name } = this.device;
    return this.way === "thread" ? `kvm:${name}` : `vfio-${NAMES[kind]}[${entry}](${name})`;
  }

  /** The host's name of its line. */
  get lineName(): string {
    const { name } = this.device;
    return this.way === "thread" ? `kvm:${name}` : `vfio-intx(${name})`;
  }

  /** Whether its messages are set up. */
  get irqsAssigned(): boolean {
    return this.#entries.size > 0;
  }

  /**
   * `KVM_ASSIGN_DEV_IRQ` with the guest's INTx, or the eventfds of VFIO with their irqfd: the host's line, or its MSI, raises
   * line `gsi` of the guest.
   *
   * @param by the CPU whose software asks
   * @returns EEXIST (its interrupts are assigned already), EINVAL (it has no pin, or no MSI), EIO (others have the host's
   * line)
   */
  assignLine(gsi: number, by: KernelCpu, host: "INTx" | "MSI" = "INTx"): Errno | void {
    const { vm, device, way } = this;
    if (this.line !== null || this.irqsAssigned) return EEXIST;
    if (device.irq === 0) return EINVAL;
    const line = new AssignedLine(vm, device, {
      gsi,
      way,
      host,
      name: this.lineName,
      shares: this.#masksIntx,
      source: way === "irqfd" ? LineSource.Irqfd : freeSource(vm),
    });
    const failed = line.open(by);
    if (failed) return failed;
    this.line = line;
  }

  /** Frees the host's line. @returns whether there was one */
  deassignLine(by: KernelCpu): boolean {
    this.line?.close(by);
    const had = this.line !== null;
    this.line = null;
    return had;
  }

  /** Host interrupt, guest vector and present destination of each message in use, in order of the entries. */
  interrupts(): AssignedInterrupt[] {
    return [...this.#entries].map(([entry, { descriptor, line }]) => ({
      kind: this.device.messageKind!,
      entry,
      irq: descriptor.irq,
      guestVector: this.#guestVector(line),
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

  #guestVector({ gsi }: MessageLine): number {
    const route = this.vm.chips?.routing.routesOf(gsi)[0];
    return route?.type === "msi" ? route.data & 0xff : NO_VECTOR;
  }

  /**
   * `KVM_ASSIGN_DEV_IRQ` with messages of one kind on both sides: a host interrupt with a thread for each that has a line;
   * then those of a machine with slave CPUs are led to them (`assign_slave_msi()`, `assign_slave_msix()`).
   *
   * @param lines those of the messages in use: of MSI one @param by the CPU whose software asks
   * @returns EEXIST (interrupts are assigned already), EINVAL (no line, no such capability), or what the interrupt
   * subsystem says
   */
  assignIrqs(kind: MessageKind, lines: Iterable<MessageLine>, by: KernelCpu): Errno | void {
    const { device, vm } = this;
    const { irqs } = vm.kvm.devices!;
    if (this.line !== null || this.irqsAssigned) return EEXIST;
    const ordered = [...lines].sort((a, b) => a.entry - b.entry);
    if (ordered.length === 0 || ordered.some(({ entry }, index) => entry !== index)) return EINVAL;
    const names = ordered.map(({ entry }) => this.irqName(kind, entry));
    const failed = settle(kind === "MSI" ? device.enableMsi(names[0]!) : device.enableMsiX(names));
    if (failed) return failed;
    for (const line of ordered) {
      const descriptor = irqs.get(device.messageIrqs.get(line.entry)!)!;
      const thread = this.way === "thread"
        ? new IrqThread(vm.kvm.host, descriptor.irq, names[line.entry]!)
        : null;
      if (thread !== null) thread.task.cpu = by.id;
      const entry: Entry = { descriptor, line, pending: false, thread, work: null };
      this.#entries.set(line.entry, entry);
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
    if (!this.irqsAssigned) return false;
    const { devices, capabilities, host } = this.vm.kvm;
    const { irqs } = devices!;
    const msi = this.device.messageKind === "MSI";
    for (const { descriptor, thread } of this.#entries.values()) {
      if (msi && capabilities.delivery) {
        host.log(`deassigned_device slave msi: host:${descriptor.irq} mask:${this.#slaveMask}`);
      }
      irqs.revertSlaveVectors(descriptor.irq);
      if (thread !== null) this.vm.kvm.host.kill(thread.task, 0, by);
    }
    this.#entries.clear();
    this.device.disableMsiX();
    this.device.disableMsi();
    return true;
  }

  /** Adds lines, host interrupts and what is pending to `hash`. */
  hashInto(hash: StateHash): void {
    hash.text(this.device.name).number(this.forwarded);
    this.line?.hashInto(hash);
    for (const { descriptor, line, pending } of this.#entries.values()) {
      hash.word(descriptor.irq).word(line.entry).word(line.gsi).word(this.#guestVector(line)).flag(pending);
    }
  }

  /** `KVM_DEASSIGN_PCI_DEVICE`: the host has its device back, reset. */
  *deassign(caller: Task): Activity {
    const { kvm, assigned } = this.vm;
    this.deassignIrqs(kvm.host.cpus[caller.cpu]!);
    this.deassignLine(kvm.host.cpus[caller.cpu]!);
    yield kvm.steps.createVm;
    yield* kvm.host.cpus[caller.cpu]!.sendPendingIpis();
    kvm.machine.remapping.detach(routingId(this.device.bdf));
    this.device.reset();
    this.device.setIntx(this.#savedIntx);
    this.device.assigned = false;
    this.device.disable();
    assigned.splice(assigned.indexOf(this), 1);
  }

  /** Patches 13 and 18: the guest's vectors, on the machine's slave CPUs. */
  #leadToSlaves(): void {
    const { host, devices, capabilities, protocol } = this.vm.kvm;
    if (!capabilities.delivery) return;
    const kind = this.device.messageKind === "MSI" ? "msi" : "msi-x";
    for (const { descriptor: { irq }, line } of this.#entries.values()) {
      const slaves = this.#slavesFor(line);
      const vector = this.#guestVector(line);
      this.#logLead(kind, line.gsi, irq, vector);
      if (slaves.length === 0) continue; // the host's CPUs take it, and kick the slave
      const mask = slaves.reduce((bits, cpu) => bits | (1 << cpu), 0);
      if (protocol.deviceVector === "guest") {
        for (const cpu of slaves) {
          devices!.irqs.remapSlaveVector(irq, vector, host.cpus[cpu]!, protocol.registersGuestVectors);
        }
      }
      const failed = devices!.irqs.setAffinity(irq, mask); // the patch does not look at the result
      if (failed) host.log(`assigned_device slave ${kind}: irq:${irq}: ${failed.message}`);
    }
  }

  /** The lines of `assign_slave_msix()` and `assign_slave_msi()`: no vector is -1, the mask is that of all slave CPUs. */
  #logLead(kind: "msi" | "msi-x", gsi: number, irq: number, guestVector: number): void {
    const { host } = this.vm.kvm;
    const vector = guestVector === NO_VECTOR ? -1 : guestVector;
    if (kind === "msi-x") host.log(`assign_slave_msix: ${gsi} ${irq} ${(vector >>> 0).toString(16)}`);
    host.log(`assigned_device slave ${kind}: irq:${gsi} host:${irq} vec:${vector} mask:${this.#slaveMask}`);
  }

  /** `cpu_slave_mask`, as `bitmap_scnprintf()` writes it. */
  get #slaveMask(): string {
    const { cpus } = this.vm.kvm.host;
    const mask = cpus.reduce((bits, { id, state }) => state === "slave" ? bits | 1 << id : bits, 0);
    return mask.toString(16).padStart(8, "0");
  }

  /** The slave CPUs to which the interrupt of a line may go. */
  #slavesFor({ gsi }: MessageLine): number[] {
    const { vm } = this;
    if (vm.kvm.capabilities.leadsTo === "any") return vm.slaves();
    const chosen = vm.chips?.routing.targets(gsi) ?? [];
    return chosen.filter(({ slaveCpu }) => slaveCpu >= 0).map(({ slaveCpu }) => slaveCpu);
  }

  /** The handler of the host interrupt: it only wakes the thread (`IRQ_WAKE_THREAD`). */
  #hardHandler(entry: Entry, thread: IrqThread, cpu: KernelCpu): void {
    if (entry.pending) return;
    entry.pending = true;
    if (entry.work === null || !entry.work.over) entry.work = this.#forwarding(entry, thread);
    thread.wake(entry.work.begin(), cpu);
  }

  /** A function of its own: where a closure is made, each call of it costs memory. */
  #forwarding(entry: Entry, thread: IrqThread): Forwarding {
    const setIrq = (here: KernelCpu) => this.#setIrq(entry.line, LineSource.Assigned, here);
    return new Forwarding(entry, thread, this.vm.kvm.steps.assignedInterrupt, setIrq);
  }

  /** `vfio_msihandler()`: the eventfd is an irqfd, and that is served where it is signalled. */
  #signalAtOnce({ line }: Entry, cpu: KernelCpu): void {
    this.#setIrq(line, LineSource.Irqfd, cpu);
  }

  /** `kvm_set_irq()`: the route of the line decides who gets it. */
  #setIrq({ gsi }: MessageLine, source: number, cpu: KernelCpu): void {
    this.forwarded++;
    this.vm.chips?.routing.setLine(gsi, true, source, false, cpu);
  }
}

/** `kvm_request_irq_source_id()`: the first that no other line of the machine has. */
function freeSource({ assigned }: Vm): number {
  const taken = new Set(assigned.map(({ line }) => line?.to.source));
  let source: number = LineSource.Assigned;
  while (taken.has(source)) source++;
  return source;
}
