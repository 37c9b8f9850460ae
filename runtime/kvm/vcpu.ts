/**
 * A virtual CPU: its VMCS, its virtual local APIC, its timer. (`run_loop.ts` has the loop inside KVM_RUN.)
 *
 * Modelled after `arch/x86/kvm/{x86,vmx,lapic}.c` of Linux 3.5.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import { LocalApic } from "../../hw/lapic.ts";
import { EventType, interruptionInfo, Primary, Vmcs } from "../../hw/vmx.ts";
import { HrTimer } from "../linux/hrtimer.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { Task } from "../linux/task.ts";
import type { RegisterFile } from "../../hw/register_file.ts";
import { setDirectMode } from "./direct.ts";
import type { Vm } from "./vm.ts";

/** Where the vCPU is, as other CPUs see it (`vcpu->mode`). */
export type VcpuMode = "outside" | "in guest";

/** Why KVM_RUN returns. */
export type RunExit =
  /** Serve `vmcs.exitQualification` (port or address) in user space, then run again. */
  | "KVM_EXIT_IO"
  | "KVM_EXIT_MMIO"
  /** A signal is pending for the thread. */
  | "KVM_EXIT_INTR"
  /** The guest cannot go on. */
  | "KVM_EXIT_FAIL_ENTRY";

/** What a turn of the loop left for its caller to do (`LOOP_*` of patch 06). */
export type LoopResult = RunExit | "online";

/** A virtual CPU. */
export class Vcpu {
  /** The virtual local APIC: the same device as the physical one; this KVM carries out its effects. */
  readonly apic: LocalApic;
  /** Its control structure. */
  readonly vmcs: Vmcs;
  /** The thread that called KVM_RUN. */
  thread: Task | null = null;
  /** The CPU on which it is loaded. */
  loadedOn: KernelCpu | null = null;
  /** See {@linkcode VcpuMode}. */
  mode: VcpuMode = "outside";
  /** It executed HLT and waits (`KVM_MP_STATE_HALTED`). */
  halted = false;
  /** A signal is pending for the thread. */
  signalPending = false;
  /** The slave CPU it is bound to; -1: none. */
  slaveCpu = -1;
  /** The expiry of its emulated timer. */
  readonly timer: HrTimer;
  /** The CPU on which that was last started. */
  timerHome: KernelCpu | null = null;
  /** What an exit handler wants done outside of the loop; `null`: enter again. */
  left: LoopResult | null = null;
  /** Why the loop was left. */
  result: LoopResult = "online";
  /** Exits by basic reason. */
  readonly exits = new Float64Array(64);
  /** Interrupts injected at entry. */
  injections = 0;
  /** How often direct mode was switched. */
  directSwitches = 0;

  /** vCPU `id` of `vm`, executing with `registers` when in guest mode. */
  constructor(readonly vm: Vm, readonly id: number, readonly registers: RegisterFile) {
    // APIC_BUS_CYCLE_NS is 1 in KVM's emulation: a bus clock of 1 GHz.
    this.apic = new LocalApic(id, { ticks: 1, ns: 1 }, vm.kvm.tscRatio);
    this.vmcs = new Vmcs(registers, vm.kvm.normalBitmap);
    this.timer = new HrTimer(
      `kvm timer ${vm.name}.${id}`,
      vm.kvm.steps.timerFunction,
      () => this.#timerExpired(),
    );
    vm.kvm.host.engine.register(`${vm.name} vcpu${id}`, this);
  }

  /** Exits of all reasons. */
  get totalExits(): number {
    let sum = 0;
    for (const count of this.exits) sum += count;
    return sum;
  }

  /** Whether a virtual interrupt or a wake-up waits for it. */
  get runnable(): boolean {
    return !this.halted || this.apic.pendingVector() >= 0 || this.signalPending;
  }

  /** Makes the vCPU look at what has changed for it: wakes it, or interrupts the CPU that runs it. */
  kick(from: KernelCpu): void {
    const thread = this.thread;
    if (this.slaveCpu >= 0 && this.loadedOn?.state === "slave") {
      this.vm.kvm.kickSlave(this, from);
      return;
    }
    if (thread === null) return;
    this.vm.kvm.host.wake(thread, from);
    const cpu = this.loadedOn;
    if (this.mode === "in guest" && cpu !== null && cpu !== from) from.rescheduleMask |= 1 << cpu.id;
  }

  /** A virtual interrupt for it: into the virtual APIC, and a kick. */
  interrupt(vector: number, from: KernelCpu): void {
    if (!this.apic.accept(vector)) return;
    this.apic.inheritedFactor[vector] = this.vm.kvm.physical(from).pathFactor; // caches as the cause has found them
    this.kick(from);
  }

  /** Writes the highest pending virtual interrupt into the entry field, or asks for a window. */
  inject(slave: boolean): void {
    const { vmcs, apic } = this;
    const vector = apic.pendingVector();
    vmcs.primary &= ~Primary.InterruptWindowExiting;
    const occupied = vmcs.entryInterruptionInfo !== 0; // an exception goes first
    if (vector < 0 && !occupied) return;
    if (slave) setDirectMode(this, false); // patch 14: off on any injection
    if (vector < 0) return;
    if (occupied || !this.registers.interruptFlag) {
      vmcs.primary |= Primary.InterruptWindowExiting;
      return;
    }
    apic.acknowledge(vector);
    vmcs.entryInterruptionInfo = interruptionInfo(EventType.ExternalInterrupt, vector);
    vmcs.entryPathFactor = apic.inheritedFactor[vector]!;
    this.registers.halted = false; // patch 11: an injected event ends activity state HLT
    this.injections++;
    this.tracepoint("kvm_inj_virq", { irq: vector });
    if (apic.pendingVector() >= 0) vmcs.primary |= Primary.InterruptWindowExiting;
  }

  #timerExpired(): void {
    const { apic } = this;
    apic.timer.expired();
    const cpu = this.timerHome!;
    if (apic.timer.expiresNs !== Infinity) cpu.hrtimers.start(this.timer, apic.timer.expiresNs);
    if (apic.timerVector >= 0) this.interrupt(apic.timerVector, cpu);
  }

  /** Writes a tracepoint of KVM, with the kernel's names. */
  tracepoint(name: string, fields: Record<string, number | string | boolean>): void {
    const { engine } = this.vm.kvm.host;
    if (engine.trace === null) return;
    engine.trace.record({
      event: engine.event,
      cause: engine.cause,
      timeNs: engine.nowNs,
      where: this.loadedOn === null ? this.vm.name : `cpu${this.loadedOn.id}`,
      kind: "tracepoint",
      name,
      fields,
    });
  }

  /** Adds the vCPU's state to `hash`. */
  hashInto(hash: StateHash): void {
    this.apic.hashInto(hash);
    this.vmcs.hashInto(hash);
    hash.text(this.mode).flag(this.halted).flag(this.signalPending).word(this.slaveCpu);
    hash.flag(this.registers.interruptFlag).flag(this.registers.halted);
    this.registers.context.hashInto(hash);
    for (const count of this.exits) hash.number(count);
  }
}
