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
import { ExitReason } from "../../hw/vmx.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { Layers } from "../linux/layers.ts";
import type { Task } from "../linux/sched/task.ts";
import type { Protocol } from "./protocol.ts";
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
  /** Its exit's handler is under way, and the stamp of the exit is taken behind it: mutant M14. */
  late = false;
  readonly #stampsAtExit: boolean;
  #leftNs = NaN;
  /** What the guest has been told as steal since the last exit, ns. */
  #toldNs = NaN;
  /** It has left guest mode, and was not halted then. */
  #away = false;

  /** @param steal what the guest is told */
  constructor(steal: StealTime, { stampsAtExit }: Protocol) {
    this.steal = steal;
    this.#stampsAtExit = stampsAtExit;
    // See `Engine`: room for fractions and large numbers from the start, and declared fields.
    this.#leftNs = this.#toldNs = 0;
    this.reset();
  }

  /** `thread` has got a CPU again: the guest is told how long it has waited for it. */
  loaded(thread: Task): void {
    const told = this.steal.update(thread);
    if (told !== 0) this.#toldNs += told;
  }

  /** An entry on `cpu`: the stamp from which on time is the guest's (`kvm_guest_enter()`). @param layerNs of its processor */
  enter({ kernel, guestTime }: KernelCpu, layerNs: Float64Array, thread: Task): void {
    const { nowNs } = kernel.engine;
    if (this.#away) this.otherNs += nowNs - this.#leftNs - this.#toldNs;
    guestTime.enter(thread, nowNs, layerNs);
  }

  /** An exit: the stamp from which on it is the host's again (`kvm_guest_exit()`). @param onSlave its thread waits elsewhere */
  exit(cpu: KernelCpu, layerNs: Float64Array, reason: number, onSlave: boolean): void {
    this.#away = reason !== ExitReason.Hlt; // until the next entry a guest that has halted idles
    // A HLT and a preemption timer have no handler that could come before the stamp.
    if (!this.#stampsAtExit && this.#away && reason !== ExitReason.PreemptionTimer) this.late = true;
    else this.handled(cpu, layerNs, onSlave);
  }

  /** The same where the stamp has been left for later. */
  handled({ kernel, guestTime }: KernelCpu, layerNs: Float64Array, onSlave: boolean): void {
    const { nowNs } = kernel.engine;
    this.late = false;
    this.otherNs += guestTime.exit(nowNs, layerNs, !onSlave);
    this.#leftNs = nowNs;
    this.#toldNs = 0;
  }

  /** Another kernel begins. */
  reset(): void {
    this.userNs = this.kernelNs = this.otherNs = 0;
    this.#away = this.late = false;
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
