/**
 * INTx of an assigned device: from the host's line to the guest's, and back from the guest's end of interrupt.
 *
 * *Document*: Linux 3.5 `virt/kvm/assigned-dev.c` (`kvm_assigned_dev_intx()`, `kvm_assigned_dev_thread_intx()`,
 * `kvm_assigned_dev_ack_irq()`, `assigned_device_enable_host_intx()`); Linux 6.18 `drivers/vfio/pci/vfio_pci_intrs.c`
 * (`vfio_intx_handler()`, `vfio_pci_intx_unmask_handler()`), `virt/kvm/eventfd.c` (`irqfd_resampler_ack()`).
 *
 * *Modelled*: both ways to keep the host's line silent while the guest serves it: in the device (PCI 2.3), with which the
 * line may be shared, and at the interrupt controller, with which it may not. A host's MSI behind the guest's line
 * (`prefer_msi`), where nothing has to be kept silent.
 *
 * *Not modelled*: an acknowledgement at the guest's 8259, which Linux leaves masked.
 *
 * *Deviations*: accesses to the device's configuration space cost nothing beside the handler's step.
 *
 *     device --line--> host: masks device or pin --irq/16-kvm:0000, or an irqfd--> kvm_set_irq(high) --> guest's handler
 *            <-------- unmasks, or raises anew <-- lowers the guest's line <-- acknowledgement <-------- guest's EOI
 *
 * The patches leave it so: the line's vector is the host's and goes to a CPU of the host, which injects it (slide 14,
 * "shared ISA IRQs are forwarded by the host"). A protocol that treats lines as messages leads it to the dedicated CPU, by the
 * vector that the guest gives its own line, when the guest unmasks that.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import { EIO, Errno } from "../../linux/errno.ts";
import { IrqThread } from "../../linux/irq/irq_thread.ts";
import type { LineAction } from "../../linux/irq/irq_lines.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { settle } from "../../linux/pci/pci_bus.ts";
import type { PciDevice } from "../../linux/pci/pci_device.ts";
import type { InterruptWay } from "./assigned_device.ts";
import { type AckNotifier, Irqchip, type MaskNotifier } from "../irqchip/irq_routing.ts";
import type { Vm } from "../vm.ts";

/** How a line is assigned. */
export interface LineAssignment {
  /** The guest's line. */
  readonly gsi: number;
  /** Who holds that line high, as `LineSource` counts. */
  readonly source: number;
  readonly way: InterruptWay;
  /** How the host gets the interrupt. */
  readonly host: "INTx" | "MSI";
  /** The line is masked in the device, and so may be shared (`KVM_DEV_ASSIGN_PCI_2_3`). */
  readonly shares: boolean;
  /** As `/proc/interrupts` shows it. */
  readonly name: string;
}

/** A line in use. */
export class AssignedLine {
  readonly #action: LineAction;
  readonly #notifier: AckNotifier;
  readonly #maskNotifier: MaskNotifier;
  #thread: IrqThread | null = null;
  /** `host_irq_disabled`: the device, or its pin, is masked until the guest's end of interrupt. */
  #hostMasked = false;
  /** The guest has forbidden its device to interrupt (`KVM_DEV_ASSIGN_MASK_INTX`). */
  #guestMasked = false;
  /** A message of the host's has woken the thread, which has not run yet. */
  #woken = false;
  /** Interrupts that went through the host. */
  forwarded = 0;

  /** Not in use before {@linkcode open}. */
  constructor(readonly vm: Vm, readonly device: PciDevice, readonly to: LineAssignment) {
    const { host, steps } = vm.kvm;
    const byThread = to.way === "thread";
    this.#action = {
      name: to.name,
      shared: to.shares,
      oneshot: byThread && !to.shares,
      step: byThread ? host.steps.wakeUp : steps.assignedInterrupt,
      act: (cpu) => this.#handle(cpu),
    };
    this.#notifier = { gsi: to.gsi, acked: (from) => this.#acked(from) };
    this.#maskNotifier = { gsi: to.gsi, masked: (masked) => masked ? undefined : this.#leadToSlaves() };
  }

  /** The host's number of the line, or of the message. */
  get irq(): number {
    return this.device.irq;
  }

  /** The vector by which it goes to the guest itself; -1: it is forwarded. */
  directVector = -1;

  /** The host's CPU that gets it. */
  get cpu(): number {
    return this.#irqs.get(this.irq)!.cpu;
  }

  get #irqs() {
    return this.vm.kvm.devices!.irqs;
  }

  /** Requests the host's line. @param by the CPU whose software asks @returns EIO: another handler does not share it */
  open(by: KernelCpu): Errno | void {
    const { vm, device, to } = this;
    if (to.host === "MSI") {
      const failed = settle(device.enableMsi(to.name));
      if (failed) return failed;
      this.#irqs.get(this.irq)!.topHalf = {
        step: vm.kvm.host.steps.wakeUp,
        act: (cpu) => this.#messageCame(cpu),
      };
    } else if (this.#irqs.requestLine(this.irq, this.#action) instanceof Errno) return EIO;
    if (to.way === "thread") {
      this.#thread = new IrqThread(vm.kvm.host, this.irq, to.name);
      this.#thread.task.cpu = by.id;
    }
    const { ackNotifiers, maskNotifiers } = vm.chips!.routing;
    ackNotifiers.add(this.#notifier);
    const { capabilities, protocol } = vm.kvm;
    const line = to.host === "INTx";
    if (line && capabilities.delivery && protocol.lines === "direct") maskNotifiers.add(this.#maskNotifier);
    if (line && to.shares) device.setIntx(true);
  }

  /** Gives it back, silent. */
  close(by: KernelCpu): void {
    const { vm, device, to } = this;
    if (to.host === "MSI") device.disableMsi();
    else {
      if (to.shares) device.setIntx(false);
      this.#irqs.revertSlaveVectors(this.irq);
      this.#irqs.freeLine(this.irq, this.#action);
    }
    if (this.#thread !== null) vm.kvm.host.kill(this.#thread.task, 0, by);
    const { ackNotifiers, maskNotifiers } = vm.chips!.routing;
    ackNotifiers.delete(this.#notifier);
    maskNotifiers.delete(this.#maskNotifier);
    this.#setLine(false, by);
  }

  /** `KVM_ASSIGN_SET_INTX_MASK`: the guest has written Interrupt Disable. Whoever shares unmasks the device itself. */
  setGuestMask(masked: boolean, from: KernelCpu): void {
    this.#guestMasked = masked;
    if (masked) this.#setLine(false, from);
    else if (!this.to.shares && this.#hostMasked) {
      this.#hostMasked = false;
      this.#irqs.line(this.irq)?.enable();
    }
  }

  /** The guest's vector of the line, on the machine's slave CPUs. */
  #leadToSlaves(): void {
    const { vm, irq } = this;
    const slaves = vm.slaves();
    const route = vm.chips!.routing.routesOf(this.to.gsi).find((each) =>
      each.type === "irqchip" && each.chip === Irqchip.Ioapic
    );
    if (slaves.length === 0 || route?.type !== "irqchip") return;
    const { vector } = vm.chips!.ioapic.core.message(route.pin);
    const { host, protocol } = vm.kvm;
    for (const cpu of slaves) {
      this.#irqs.remapSlaveVector(irq, vector, host.cpus[cpu]!, protocol.registersGuestVectors);
    }
    const failed = this.#irqs.setAffinity(irq, slaves.reduce((mask, cpu) => mask | (1 << cpu), 0));
    if (!failed) this.directVector = vector;
  }

  /** The handler of the host's line. */
  #handle(cpu: KernelCpu): boolean {
    if (this.to.shares) {
      if (!this.device.checkAndMaskIntx()) return false;
      this.#hostMasked = true;
    }
    if (this.#thread !== null) this.#thread.wake(this.#work(this.#thread), cpu);
    else this.#signal(cpu);
    return true;
  }

  /** `kvm_assigned_dev_msi()`: wakes the thread, unless that has not begun yet what it was woken for. */
  #messageCame(cpu: KernelCpu): void {
    if (this.#woken) return;
    this.#woken = true;
    this.#thread!.wake(this.#work(this.#thread!), cpu);
  }

  /** Work of thread `irq/NN-kvm:0000`. */
  *#work(thread: IrqThread): Activity {
    const { host, steps } = this.vm.kvm;
    this.#woken = false;
    yield steps.assignedInterrupt;
    const here = host.cpus[thread.task.cpu]!;
    this.#signal(here);
    if (this.to.host === "INTx" && !this.to.shares) this.#irqs.line(this.irq)?.threadEnded();
    if ((here.rescheduleMask | here.nmiMask) !== 0) yield* here.sendPendingIpis();
  }

  #signal(cpu: KernelCpu): void {
    if (this.to.host === "INTx" && !this.to.shares) {
      this.#irqs.line(this.irq)?.disable();
      this.#hostMasked = true;
    }
    if (this.#guestMasked) return;
    this.forwarded++;
    this.#setLine(true, cpu);
  }

  /** The guest has ended its line's interrupt: this device's, or that of another one on it. */
  #acked(from: KernelCpu): void {
    this.#setLine(false, from);
    if (this.#guestMasked || !this.#hostMasked) return;
    if (!this.to.shares) {
      this.#hostMasked = false;
      this.#irqs.line(this.irq)?.enable();
    } else if (this.device.checkAndUnmaskIntx()) this.#hostMasked = false;
    else this.#setLine(true, from); // it interrupts still, or again
  }

  #setLine(high: boolean, from: KernelCpu): void {
    this.vm.chips?.routing.setLine(this.to.gsi, high, this.to.source, false, from);
  }

  /** Adds lines and masks to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.to.gsi).word(this.to.source).flag(this.#hostMasked).flag(this.#guestMasked);
    if (this.to.host === "MSI") hash.flag(this.#woken);
    hash.number(this.forwarded);
  }
}
