/**
 * A virtual machine: its vCPUs and the routing of its interrupt lines.
 *
 * @module
 */

import type { RegisterFile } from "../../hw/register_file.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { Vector } from "../linux/vectors.ts";
import type { Kvm } from "./kvm.ts";
import { Vcpu } from "./vcpu.ts";

/** A virtual machine. */
export class Vm {
  /** Its virtual CPUs, by number. */
  readonly vcpus: Vcpu[] = [];
  /** Times an emulated interrupt line was raised. */
  linesRaised = 0;

  /** Not for direct use: `Kvm.createVm`. */
  constructor(readonly kvm: Kvm, readonly name: string) {}

  /** KVM_CREATE_VCPU; the vCPU executes with `registers` in guest mode. */
  createVcpu(registers: RegisterFile): Vcpu {
    const vcpu = new Vcpu(this, this.vcpus.length, registers);
    this.vcpus.push(vcpu);
    return vcpu;
  }

  /**
   * KVM_IRQ_LINE: raises interrupt line `gsi` of the emulated chips. The guest has routed the ISA lines to vectors
   * 0x30 + gsi of its first CPU, edge-triggered, as Linux does.
   */
  raiseLine(gsi: number, from: KernelCpu): void {
    this.linesRaised++;
    this.vcpus[0]!.interrupt(Vector.Isa + gsi, from);
  }
}
