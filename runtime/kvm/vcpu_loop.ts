/**
 * The loop inside KVM_RUN: `__vcpu_run()` of an online CPU, `vcpu_enter_guest_slave()` of a slave.
 *
 * Modelled after `arch/x86/kvm/{x86,vmx}.c` of Linux 3.5. The loop reads as the talk draws it: serve requests, inject, enter,
 * exit, handle.
 *
 * @module
 */

import { Routine, type Step, VM_ENTRY } from "../../hw/sim/activity.ts";
import type { LogicalCpu } from "../../hw/cpu.ts";
import { Apic } from "../../hw/lapic.ts";
import {
  BLOCKING_BY_NMI,
  decodeInterruptionInfo,
  EVENT_WINDOWS,
  EventType,
  ExitReason,
  interruptionInfo,
  Pin,
  Primary,
} from "../../hw/vmx.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { KvmSteps } from "./costs.ts";
import { setDirectMode } from "./direct.ts";
import { completeExit, exitCost } from "./exits.ts";
import type { LoopResult, Vcpu } from "./vcpu.ts";

/** The vector of an NMI. */
const NMI_VECTOR = 2;

/** What the loop's last step was, and so where it goes on. */
const At = Object.freeze({
  Start: 0,
  Entry: 1,
  Handler: 2,
  Ipi: 3,
  NmiHandler: 4,
  Halt: 5,
  Sleep: 6,
  Unblock: 7,
  Away: 8,
  Switch: 9,
  SlaveEntry: 10,
  Over: 11,
});

/**
 * The loop, for `vcpu` on `cpu`: `yield cpu.registers.call(new VcpuLoop(vcpu, cpu))`. {@linkcode Vcpu.result} then says what
 * only user space, or only an online CPU, can do. It is a routine because every exit of every guest comes by.
 */
export class VcpuLoop extends Routine {
  declare readonly vcpu: Vcpu;
  declare readonly cpu: KernelCpu;
  readonly #physical: LogicalCpu;
  readonly #steps: KvmSteps;
  #at: number = At.Start;
  /** It waits for INIT, or for a start-up message. */
  #waits = false;
  /** Why the guest has been left last. */
  #reason = 0;

  constructor(vcpu: Vcpu, cpu: KernelCpu) {
    super();
    this.vcpu = vcpu;
    this.cpu = cpu;
    const { kvm } = vcpu.vm;
    this.#physical = kvm.physical(cpu);
    this.#steps = kvm.steps;
  }

  override next(result: number): Step | null {
    const { vcpu, cpu } = this;
    switch (this.#at) {
      case At.Entry:
        return this.#exited(result);
      case At.Handler:
        return this.#handled();
      case At.Ipi:
        return this.#leaveOrGoOn();
      case At.Away:
        this.#at = At.Switch;
        return this.#steps.vcpuSwitch;
      case At.Switch:
        vcpu.times.loaded(vcpu.thread!);
        return this.#chosen();
      case At.SlaveEntry:
        return this.#enter();
      case At.NmiHandler: // its IRET unblocks NMIs
        if (vcpu.times.late) this.#stamp();
        this.#physical.nmiBlocked = false;
        cpu.registers.interruptFlag = true;
        return this.#requests();
      case At.Halt:
        return this.#block();
      case At.Sleep:
        if (vcpu.thread!.cpu !== cpu.id) return this.#leave("online"); // woken on another CPU: this one is gone
        return this.#block();
      case At.Unblock:
        if (vcpu.signalPending || this.#waits) return this.#requests();
        vcpu.halted = false;
        return this.#schedule();
      case At.Start:
        vcpu.loadedOn = cpu;
        vcpu.onSlave = cpu.state === "slave";
        if (!vcpu.onSlave) vcpu.times.loaded(vcpu.thread!);
        return this.#requests();
      default:
        return null;
    }
  }

  // ---- the parts of a turn, in the order in which it comes by: each goes on with the next one, until there is a step ----

  #requests(): Step | null {
    const { vcpu } = this;
    if (vcpu.attention) vcpu.serveRequests(this.cpu);
    if (vcpu.signalPending) return this.#leave("KVM_EXIT_INTR");
    this.#waits = !vcpu.events.runnable;
    if (this.#waits || (vcpu.halted && !vcpu.hasInterrupt)) {
      if (vcpu.onSlave) return this.#leave("online");
      if (this.#waits) return this.#block();
      this.#at = At.Halt;
      return this.#steps.haltHandle;
    }
    vcpu.halted = false;
    return this.#schedule();
  }

  #block(): Step | null {
    const { vcpu, cpu } = this;
    while (!vcpu.runnable) {
      const away = cpu.prepareSleep() ? cpu.schedule() : null;
      if (away !== null) {
        this.#at = At.Sleep;
        return away;
      }
      if (vcpu.thread!.cpu !== cpu.id) return this.#leave("online");
    }
    vcpu.haltWakeups++;
    vcpu.times.loaded(vcpu.thread!);
    this.#at = At.Unblock;
    return this.#steps.unblock;
  }

  #schedule(): Step | null {
    const { vcpu, cpu } = this;
    if (!cpu.needResched || vcpu.onSlave) return this.#inject();
    const away = cpu.schedule();
    if (away === null) return this.#chosen();
    this.#at = At.Away;
    return away;
  }

  /** The thread has the CPU again, or still. Something may have come while others ran. */
  #chosen(): Step | null {
    const { vcpu, cpu } = this;
    vcpu.spinLoop.leave();
    if (vcpu.thread!.cpu !== cpu.id) return this.#leave("online");
    return vcpu.attention || vcpu.signalPending ? this.#requests() : this.#inject();
  }

  #inject(): Step {
    const { vcpu, cpu } = this;
    cpu.registers.interruptFlag = false;
    vcpu.inGuest = true; // before the requests are looked at: whoever comes later sends a kick
    inject(vcpu);
    if (vcpu.pvEoi.enabled && !vcpu.onSlave) vcpu.pvEoi.offer();
    if (this.#physical.currentVmcs !== vcpu.vmcs) vcpu.vm.kvm.loaded[cpu.id]!.load(vcpu);
    // An online CPU's kick waits in its local APIC and exits at once. A slave's is an NMI, which waits for nothing.
    if (!vcpu.onSlave) return this.#enter();
    cpu.kernel.tlb.serveSlave(cpu);
    this.#at = At.SlaveEntry;
    return this.#steps.slaveEntry;
  }

  #enter(): Step {
    const { vcpu, cpu } = this;
    if (cpu.kernel.engine.trace !== null) vcpu.tracepoint("kvm_entry", { vcpu: vcpu.name });
    vcpu.times.enter(cpu, this.#physical.layerNs, vcpu.thread!);
    this.#at = At.Entry;
    return VM_ENTRY;
  }

  /** The guest has been left, for `reason`. */
  #exited(reason: number): Step | null {
    const { vcpu, cpu } = this;
    const { vmcs } = vcpu;
    this.#reason = reason;
    vcpu.inGuest = false;
    vcpu.times.exit(cpu, this.#physical.layerNs, reason, vcpu.onSlave);
    if (vcpu.pvEoi.pending) vcpu.pvEoi.collect(cpu);
    vcpu.exits[reason]!++;
    if (vmcs.idtVectoringInfo !== 0) completeInterrupts(vcpu);
    if (
      reason === ExitReason.ExceptionOrNmi &&
      decodeInterruptionInfo(vmcs.exitInterruptionInfo).type === EventType.Nmi
    ) {
      this.#at = At.NmiHandler;
      return this.#steps.nmiHandle; // the handler, with interrupts off
    }
    cpu.registers.interruptFlag = true; // what has been held back is taken at the next boundary
    switch (reason) {
      case ExitReason.PreemptionTimer: // patch 17: as if an interrupt had come
        vmcs.pinBased &= ~Pin.PreemptionTimer;
        return this.#leave("online");
      case ExitReason.Hlt: // the next turn waits
        vmcs.skipInstruction();
        vcpu.halted = true;
        return this.#requests();
      default:
        this.#at = At.Handler;
        return exitCost(vcpu, this.#steps, reason);
    }
  }

  #handled(): Step | null {
    const { vcpu } = this;
    const write = completeExit(vcpu, this.cpu, this.#reason);
    if (vcpu.times.late) this.#stamp();
    if (write === null) return this.#leaveOrGoOn();
    this.#at = At.Ipi;
    return write;
  }

  #leaveOrGoOn(): Step | null {
    const { vcpu, cpu } = this;
    if ((cpu.rescheduleMask | cpu.nmiMask) !== 0) {
      this.#at = At.Ipi;
      return cpu.nextIpi();
    }
    return vcpu.left === null ? this.#requests() : this.#leave(vcpu.left);
  }

  /** The stamp of an exit that has been left for later. */
  #stamp(): void {
    const { vcpu } = this;
    vcpu.times.handled(this.cpu, this.#physical.layerNs, vcpu.onSlave);
  }

  #leave(result: LoopResult): null {
    const { vcpu } = this;
    this.#at = At.Over;
    vcpu.left = null;
    vcpu.result = result;
    if (result === "KVM_EXIT_INTR") vcpu.signalExits++;
    return null;
  }
}

/** Writes the highest pending virtual interrupt into the entry field, or asks for a window. */
function inject(vcpu: Vcpu): void {
  const { vmcs, apic } = vcpu;
  vmcs.primary &= ~EVENT_WINDOWS;
  vmcs.tprThreshold = apic.register(Apic.TPR) === 0 ? 0 : tprThreshold(vcpu);
  if (vcpu.events.nmiPending > 0) injectNmi(vcpu);
  const requested = apic.pendingVector();
  const hasInterrupt = requested >= 0 || vcpu.hasExtInt;
  if (!hasInterrupt && vmcs.entryInterruptionInfo === 0) return;
  const { kvm } = vcpu.vm;
  const { capabilities, protocol } = kvm;
  // An exception goes first.
  const occupied = vmcs.entryInterruptionInfo !== 0 && protocol.guardsEntryField;
  if (vcpu.onSlave && (hasInterrupt || capabilities.disableAt === "any")) {
    setDirectMode(vcpu, false, protocol.closesEoiAtInjection);
  }
  if (!hasInterrupt) return;
  if (occupied || !vcpu.registers.interruptFlag) {
    vmcs.primary |= Primary.InterruptWindowExiting;
    return;
  }
  const vector = vcpu.acknowledgeInterrupt(requested);
  vmcs.entryInterruptionInfo = interruptionInfo(EventType.ExternalInterrupt, vector);
  vmcs.entryPathFactor = apic.inheritedFactor[vector]!;
  vcpu.registers.halted = false; // patch 11: an injected event ends activity state HLT
  vcpu.injections++;
  if (kvm.host.engine.trace !== null) vcpu.tracepoint("kvm_inj_virq", { irq: vector });
  if (vcpu.hasInterrupt) vmcs.primary |= Primary.InterruptWindowExiting;
}

/** `update_cr8_intercept()`: an interrupt that task priority holds back wants to know when that falls. */
function tprThreshold({ apic, lapic }: Vcpu): number {
  const wanted = apic.irr.highest() >>> 4, priority = lapic.cr8;
  return apic.irr.highest() < 0 || priority < wanted ? 0 : wanted;
}

/** An NMI into the entry field; those that cannot go there ask for a window (`enable_nmi_window()`). */
function injectNmi(vcpu: Vcpu): void {
  const { vmcs, events } = vcpu;
  if (vmcs.entryInterruptionInfo === 0 && !events.nmiMasked) {
    events.nmiPending--;
    vcpu.nmiInjections++;
    vmcs.entryInterruptionInfo = interruptionInfo(EventType.Nmi, NMI_VECTOR);
    vcpu.registers.halted = false;
  }
  if (events.nmiPending > 0) vmcs.primary |= Primary.NmiWindowExiting;
}

/** `vmx_complete_interrupts()`: the delivery of an event has exited; the next entry injects it again. */
function completeInterrupts({ vmcs, events }: Vcpu): void {
  vmcs.entryInterruptionInfo = vmcs.idtVectoringInfo;
  // SDM, "Resuming Guest Software after Handling an Exception": blocking by NMI is cleared before.
  if (events.nmiInjected) vmcs.interruptibility &= ~BLOCKING_BY_NMI;
}
