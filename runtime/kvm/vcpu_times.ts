/**
 * Where the time of a vCPU went, as the kernel on it can tell: the source of a guest's `/proc/stat`.
 *
 * *Document*: Linux 3.5 `kernel/sched/core.c` (`account_process_tick()`), `arch/x86/kernel/kvm.c` (`kvm_steal_clock()`).
 *
 * A guest's kernel knows the time of its own software. Of the time in which its processor was away for an exit it knows what
 * KVM tells it as steal; the rest looks like its own slowness, and counts as system time. Away while halted is idle.
 *
 * @module
 */

import type { LogicalCpu } from "../../hw/cpu.ts";
import { Layers } from "../linux/layers.ts";
import type { StealTime } from "./steal_time.ts";
import type { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";

/** Times of one vCPU, ns. */
export class VcpuTimes {
  declare readonly steal: StealTime;
  /** Programs of the guest. */
  userNs = NaN;
  /** The guest's kernel. */
  kernelNs = NaN;
  /**
   * All else that is no idleness: the processor's own work in guest mode and, while the guest had something to do, the time
   * out of it, without what the guest has been told as steal.
   */
  otherNs = NaN;
  #leftNs = NaN;
  #stealNs = NaN;
  /** It has left guest mode, and was not halted then. */
  #away = false;

  /** @param steal what the guest is told */
  constructor(steal: StealTime) {
    this.steal = steal;
    // See `Engine`: room for fractions and large numbers from the start, and declared fields.
    this.#leftNs = this.#stealNs = 0;
    this.reset();
  }

  /** An exit. @param hardwareNs the processor's own work since the entry */
  left(nowNs: number, hardwareNs: number): void {
    this.otherNs += hardwareNs;
    this.#leftNs = nowNs;
    this.#stealNs = this.steal.toldNs;
    this.#away = true;
  }

  /** The exit was a HLT: until the next entry the guest idles. */
  halted(): void {
    this.#away = false;
  }

  /** An entry. */
  entered(nowNs: number): void {
    if (this.#away) this.otherNs += nowNs - this.#leftNs - (this.steal.toldNs - this.#stealNs);
    this.#away = false;
  }

  /** Another kernel begins. */
  reset(): void {
    this.userNs = this.kernelNs = this.otherNs = 0;
    this.#away = false;
  }
}

/** Whose software the guest's layers of one processor are. */
export class LoadedVcpu {
  #vcpu: Vcpu | null = null;
  #userNs = 0;
  #kernelNs = 0;

  /** For the processor `physical`. */
  constructor(readonly physical: LogicalCpu) {}

  /** VMPTRLD: from now on it is `vcpu` that this processor enters. */
  load(vcpu: Vcpu): void {
    this.settle();
    this.#vcpu = vcpu;
    this.physical.currentVmcs = vcpu.vmcs;
  }

  /** The machine is gone. */
  forget(vm: Vm): void {
    if (this.#vcpu?.vm === vm) this.#vcpu = null;
  }

  /** Gives the vCPU what the processor has executed of it up to now. */
  settle(): void {
    const { physical } = this;
    physical.settleTime();
    const userNs = physical.layerNs[Layers.GuestTask]!, kernelNs = physical.layerNs[Layers.GuestKernel]!;
    if (this.#vcpu !== null) {
      const { times } = this.#vcpu;
      times.userNs += userNs - this.#userNs;
      times.kernelNs += kernelNs - this.#kernelNs;
    }
    this.#userNs = userNs;
    this.#kernelNs = kernelNs;
  }
}
