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
import { setDirectMode } from "./direct.ts";
import { completeExit, exitCost } from "./exits.ts";
import type { LoopResult, Vcpu } from "./vcpu.ts";

/** The vector of an NMI. */
const NMI_VECTOR = 2;

/** Where the loop stands: before the first turn, then what comes next in a turn, in the order in which it comes by. */
const At = {
  Start: 0,
  Requests: 1,
  Block: 2,
  Woken: 3,
  Unblocked: 4,
  Schedule: 5,
  BackAgain: 6,
  Loaded: 7,
  Chosen: 8,
  Inject: 9,
  Enter: 10,
  Exited: 11,
  NmiHandled: 12,
  Handled: 13,
  Ipis: 14,
  Over: 15,
} as const;

/**
 * The loop, for `vcpu` on `cpu`: `yield cpu.registers.call(new VcpuLoop(vcpu, cpu))`. {@linkcode Vcpu.result} then says what
 * only user space, or only an online CPU, can do. It is a routine because every exit of every guest comes by.
 */
export class VcpuLoop extends Routine {
  declare readonly vcpu: Vcpu;
  declare readonly cpu: KernelCpu;
  readonly #physical: LogicalCpu;
  #slave = false;
  #at: number = At.Start;
  /** It waits for INIT, or for a start-up message. */
  #waits = false;
  /** Why the guest has been left last. */
  #reason = 0;

  constructor(vcpu: Vcpu, cpu: KernelCpu) {
    super();
    this.vcpu = vcpu;
    this.cpu = cpu;
    this.#physical = vcpu.vm.kvm.physical(cpu);
  }

  override next(result: number): Step | null {
    const { vcpu, cpu } = this;
    const { kvm } = vcpu.vm;
    const { steps } = kvm;
    for (;;) {
      switch (this.#at) {
        case At.Start:
          this.#slave = cpu.state === "slave";
          vcpu.loadedOn = cpu;
          if (!this.#slave) vcpu.steal.update(vcpu.thread!);
          this.#at = At.Requests;
          break;
        case At.Requests:
          if (vcpu.attention) vcpu.serveRequests(cpu);
          if (vcpu.signalPending) return this.#leave("KVM_EXIT_INTR");
          this.#waits = vcpu.events.state !== "runnable";
          if (this.#waits || (vcpu.halted && !vcpu.hasInterrupt)) {
            if (this.#slave) return this.#leave("online");
            this.#at = At.Block;
            if (this.#waits) break;
            return steps.haltHandle;
          }
          vcpu.halted = false;
          this.#at = At.Schedule;
          break;
        case At.Block: {
          if (vcpu.runnable) {
            vcpu.haltWakeups++;
            vcpu.steal.update(vcpu.thread!);
            this.#at = At.Unblocked;
            return steps.unblock;
          }
          this.#at = At.Woken;
          const away = cpu.prepareSleep() ? cpu.schedule() : null;
          if (away !== null) return away;
          break;
        }
        case At.Woken:
          if (vcpu.thread!.cpu !== cpu.id) return this.#leave("online"); // woken on another CPU: this one is gone
          this.#at = At.Block;
          break;
        case At.Unblocked:
          if (vcpu.signalPending || this.#waits) this.#at = At.Requests;
          else {
            vcpu.halted = false;
            this.#at = At.Schedule;
          }
          break;
        case At.Schedule: {
          if (!cpu.needResched || this.#slave) {
            this.#at = At.Inject;
            break;
          }
          const away = cpu.schedule();
          this.#at = away === null ? At.Chosen : At.BackAgain;
          if (away !== null) return away;
          break;
        }
        case At.BackAgain:
          this.#at = At.Loaded;
          return steps.vcpuSwitch;
        case At.Loaded:
          vcpu.steal.update(vcpu.thread!);
          this.#at = At.Chosen;
          break;
        case At.Chosen:
          vcpu.spinLoop.leave();
          if (vcpu.thread!.cpu !== cpu.id) return this.#leave("online");
          // Something may have come while others ran.
          this.#at = vcpu.attention || vcpu.signalPending ? At.Requests : At.Inject;
          break;
        case At.Inject:
          cpu.registers.interruptFlag = false;
          vcpu.mode = "in guest"; // before the requests are looked at: whoever comes later sends a kick
          inject(vcpu, this.#slave);
          if (vcpu.pvEoi.enabled && !this.#slave) vcpu.pvEoi.offer();
          if (this.#physical.currentVmcs !== vcpu.vmcs) kvm.loaded[cpu.id]!.load(vcpu);
          this.#at = At.Enter;
          // An online CPU's kick waits in its local APIC and exits at once. A slave's is an NMI, which waits for nothing.
          if (!this.#slave) break;
          cpu.kernel.tlb.serveSlave(cpu);
          return steps.slaveEntry;
        case At.Enter:
          if (cpu.kernel.engine.trace !== null) vcpu.tracepoint("kvm_entry", { vcpu: vcpu.name });
          vcpu.times.enter(cpu, this.#physical.layerNs, vcpu.thread!);
          this.#at = At.Exited;
          return VM_ENTRY;
        case At.Exited: {
          const cost = this.#exited(result);
          if (cost !== null) return cost;
          break;
        }
        case At.NmiHandled: // its IRET unblocks NMIs
          this.#stamp();
          this.#physical.nmiBlocked = false;
          cpu.registers.interruptFlag = true;
          this.#at = At.Requests;
          break;
        case At.Handled: {
          const write = completeExit(vcpu, cpu, this.#reason);
          this.#stamp();
          this.#at = At.Ipis;
          if (write !== null) return write;
          break;
        }
        case At.Ipis:
          if ((cpu.rescheduleMask | cpu.nmiMask) !== 0) return cpu.nextIpi();
          if (vcpu.left !== null) return this.#leave(vcpu.left);
          this.#at = At.Requests;
          break;
        default:
          return null;
      }
    }
  }

  /** The guest has been left, for `reason`. @returns what handling that costs; null: nothing */
  #exited(reason: number): Step | null {
    const { vcpu, cpu } = this;
    const { vmcs } = vcpu;
    const { steps } = vcpu.vm.kvm;
    this.#reason = reason;
    vcpu.mode = "outside";
    vcpu.times.exit(cpu, this.#physical.layerNs, reason);
    if (vcpu.pvEoi.pending) vcpu.pvEoi.collect(cpu);
    vcpu.exits[reason]!++;
    if (vmcs.idtVectoringInfo !== 0) completeInterrupts(vcpu);
    if (
      reason === ExitReason.ExceptionOrNmi &&
      decodeInterruptionInfo(vmcs.exitInterruptionInfo).type === EventType.Nmi
    ) {
      this.#at = At.NmiHandled;
      return steps.nmiHandle; // the handler, with interrupts off
    }
    cpu.registers.interruptFlag = true; // what has been held back is taken at the next boundary
    switch (reason) {
      case ExitReason.PreemptionTimer: // patch 17: as if an interrupt had come
        vmcs.pinBased &= ~Pin.PreemptionTimer;
        return this.#leave("online");
      case ExitReason.Hlt: // the next turn waits
        vmcs.skipInstruction();
        vcpu.halted = true;
        this.#at = At.Requests;
        return null;
      default:
        this.#at = At.Handled;
        return exitCost(vcpu, reason);
    }
  }

  /** The stamp of an exit that has been left for later. */
  #stamp(): void {
    const { times } = this.vcpu;
    if (times.late) times.handled(this.cpu, this.#physical.layerNs);
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
function inject(vcpu: Vcpu, slave: boolean): void {
  const { vmcs, apic, events } = vcpu;
  vmcs.primary &= ~EVENT_WINDOWS;
  vmcs.tprThreshold = apic.register(Apic.TPR) === 0 ? 0 : tprThreshold(vcpu);
  if (events.nmiPending > 0) injectNmi(vcpu);
  const { hasInterrupt } = vcpu;
  // An exception goes first.
  const occupied = vmcs.entryInterruptionInfo !== 0 && vcpu.vm.kvm.protocol.guardsEntryField;
  if (!hasInterrupt && vmcs.entryInterruptionInfo === 0) return;
  const { capabilities, protocol } = vcpu.vm.kvm;
  if (slave && (hasInterrupt || capabilities.disableAt === "any")) {
    setDirectMode(vcpu, false, protocol.closesEoiAtInjection);
  }
  if (!hasInterrupt) return;
  if (occupied || !vcpu.registers.interruptFlag) {
    vmcs.primary |= Primary.InterruptWindowExiting;
    return;
  }
  const vector = vcpu.acknowledgeInterrupt();
  vmcs.entryInterruptionInfo = interruptionInfo(EventType.ExternalInterrupt, vector);
  vmcs.entryPathFactor = apic.inheritedFactor[vector]!;
  vcpu.registers.halted = false; // patch 11: an injected event ends activity state HLT
  vcpu.injections++;
  if (vcpu.vm.kvm.host.engine.trace !== null) vcpu.tracepoint("kvm_inj_virq", { irq: vector });
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
