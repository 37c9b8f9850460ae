/**
 * A virtual machine: its vCPUs, the routing of its interrupt lines, the devices assigned to it.
 *
 * @module
 */

import type { RegisterFile } from "../../hw/register_file.ts";
import { Ept } from "../../hw/vmx.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { Vector } from "../linux/vectors.ts";
import type { AssignedDevice } from "./assigned_device.ts";
import type { Kvm } from "./kvm.ts";
import type { Pit } from "./pit.ts";
import { Vcpu } from "./vcpu.ts";

/** A virtual machine. */
export class Vm {
  /** Its virtual CPUs, in order of creation. */
  readonly vcpus: Vcpu[] = [];
  /** The kernel emulates its interrupt controllers (`KVM_CREATE_IRQCHIP`). */
  irqchip = false;
  /** The PIT that the kernel emulates (`KVM_CREATE_PIT2`); `null`: none. */
  pit: Pit | null = null;
  /** Its page tables. */
  readonly ept = new Ept();
  /** Devices of the host that belong to it. */
  readonly assigned: AssignedDevice[] = [];
  /** Times an emulated interrupt line was raised. */
  linesRaised = 0;
  /** Lines that are high now, a bit each. */
  #high = 0;

  /** Not for direct use: `Kvm.createVm`. */
  constructor(readonly kvm: Kvm, readonly name: string) {
    kvm.host.engine.register(`vm ${name}`, this);
  }

  /** KVM_CREATE_VCPU; the vCPU executes with `registers` in guest mode. */
  createVcpu(registers: RegisterFile, id = this.vcpus.length): Vcpu {
    const vcpu = new Vcpu(this, id, registers);
    this.vcpus.push(vcpu);
    return vcpu;
  }

  /** Slave CPUs of its vCPUs, in order of the vCPUs (`kvm_get_slave_cpu_mask()`). */
  slaves(): number[] {
    return this.vcpus.filter((vcpu) => vcpu.slaveCpu >= 0).map((vcpu) => vcpu.slaveCpu);
  }

  /** kvm_set_irq(): sets the level of line `gsi`; a rising edge is an interrupt. */
  setIrq(gsi: number, high: boolean, from: KernelCpu): number {
    const bit = 1 << (gsi & 31);
    if (high && (this.#high & bit) === 0) this.raiseLine(gsi, from);
    this.#high = high ? this.#high | bit : this.#high & ~bit;
    return 0;
  }

  /** KVM_SIGNAL_MSI. */
  signalMessage(low: number, _high: number, data: number, from: KernelCpu): number {
    if (this.vcpus.length === 0) return -1;
    this.signalMsi((low >>> 12) & 0xff, data & 0xff, from);
    return 0;
  }

  /**
   * Raises interrupt line `gsi` of the emulated chips, as a pulse. The guest has routed the ISA lines to vectors
   * 0x30 + gsi of its first CPU, edge-triggered, as Linux does.
   */
  raiseLine(gsi: number, from: KernelCpu): void {
    this.linesRaised++;
    this.vcpus[0]?.interrupt(Vector.Isa + gsi, from);
  }

  /** A message-signalled interrupt of the guest's: `vector` for the vCPU whose APIC id is `destination`. */
  signalMsi(destination: number, vector: number, from: KernelCpu): void {
    this.vcpus.find(({ apic }) => apic.id === destination)?.interrupt(vector, from);
  }

  /** kvm_mmu_notifier_invalidate_page(): the host takes a page back. @param from the CPU whose software does */
  unmapPage(from: KernelCpu): void {
    this.ept.mapped = false;
    for (const vcpu of this.vcpus) vcpu.flushTlb(from);
  }

  /** Adds lines, PIT and assigned devices to `hash`; the vCPUs add themselves. */
  hashInto(hash: StateHash): void {
    hash.flag(this.irqchip).number(this.linesRaised).word(this.#high).number(this.pit?.ticks ?? -1);
    for (const device of this.assigned) device.hashInto(hash);
  }
}
