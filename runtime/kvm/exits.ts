/**
 * Exit handlers: what KVM does for each reason, after `arch/x86/kvm/{vmx,x86,lapic}.c` of Linux 3.5.
 *
 * @module
 */

import { accessBytes, Op, type Step } from "../../hw/sim/activity.ts";
import { Apic, apicRegisterName, EOI_MSR, x2apicMsr, x2apicOffset } from "../../hw/lapic.ts";
import { EventType, ExitReason, interruptionInfo } from "../../hw/vmx.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { Vector } from "../linux/irq/vectors.ts";
import { traceAccess, traceAnswer, traceCpuid, traceMissingPage, tracePageFault } from "./access_trace.ts";
import type { KvmSteps } from "./costs.ts";
import { ownsTimer, setDirectMode } from "./direct.ts";
import { readMemory, writeMemory } from "./device_memory.ts";
import { readMsr, writeMsr } from "./msrs.ts";
import { controlAccess } from "./paging.ts";
import { onSpin } from "./pause_loop.ts";
import type { Vcpu } from "./vcpu.ts";

/** Beside the EOI what a guest writes with every timer. */
const TMICT_MSR = x2apicMsr(Apic.TMICT);
/** The qualification of a MOV to CR3. */
const MOV_TO_CR3 = 3;
/** #GP. */
const GENERAL_PROTECTION = 13;

/**
 * What handling an exit of `vcpu` costs. A handler is a cost and, when that has passed, an effect:
 * {@linkcode completeExit}. (HLT and NMIs are the run loop's own.)
 */
export function exitCost(vcpu: Vcpu, steps: KvmSteps, reason: number): Step {
  switch (reason) {
    case ExitReason.MsrWrite: {
      const msr = vcpu.registers.address;
      return msr === EOI_MSR ? steps.eoiHandle : msr === TMICT_MSR ? steps.timerWriteHandle : steps.msrHandle;
    }
    case ExitReason.MsrRead:
      return steps.msrHandle;
    case ExitReason.CrAccess: // a load of CR3 finds, or makes, the shadow of the page table
      return vcpu.vmcs.exitQualification === MOV_TO_CR3 ? steps.pageFaultHandle : steps.msrHandle;
    case ExitReason.Pause:
      return steps.pauseHandle;
    case ExitReason.ExternalInterrupt:
      return steps.externalInterruptHandle;
    case ExitReason.ApicAccess:
    case ExitReason.EptMisconfig:
      return steps.mmioHandle;
    case ExitReason.Cpuid:
      return steps.cpuidHandle;
    case ExitReason.EptViolation:
    case ExitReason.Invlpg:
      return steps.pageFaultHandle;
    case ExitReason.ExceptionOrNmi: // without EPT: a page fault
      return vcpu.vmcs.ept.mapped ? steps.mmioHandle : steps.pageFaultHandle;
    case ExitReason.InterruptWindow:
    case ExitReason.NmiWindow:
    case ExitReason.TprBelowThreshold:
      return steps.interruptWindowHandle;
    default:
      return steps.userExit;
  }
}

/**
 * Does what the exit asks for. Afterwards the loop enters again, unless `vcpu.left` says what is to be done outside.
 *
 * @returns a register write of the host's own that remains to be executed, or null
 */
export function completeExit(vcpu: Vcpu, cpu: KernelCpu, reason: number): Step | null {
  const { vmcs } = vcpu;
  switch (reason) {
    case ExitReason.MsrWrite: {
      const { address: msr, value } = vcpu.registers;
      if (vcpu.lapic.hasMsr(msr)) return writeApic(vcpu, cpu, x2apicOffset(msr), value);
      const low = value >>> 0;
      const rest = writeMsr(vcpu, msr, { low, high: (value - low) / 0x1_0000_0000 }, false, cpu);
      vcpu.tracepoint("kvm_msr", { rw: "write", index: msr, data: value, fault: rest === undefined });
      if (rest !== undefined) {
        vmcs.skipInstruction();
        return rest;
      }
      injectFault(vcpu);
      return null;
    }
    case ExitReason.MsrRead: {
      const msr = vcpu.registers.address;
      const value = readMsr(vcpu, msr);
      const data = value === undefined ? 0 : value.high * 0x1_0000_0000 + value.low;
      vcpu.tracepoint("kvm_msr", { rw: "read", index: msr, data, fault: value === undefined });
      if (value === undefined) injectFault(vcpu);
      else vmcs.skipInstruction(data);
      return null;
    }
    case ExitReason.ExternalInterrupt: // the host's handler has run when interrupts were switched on
      if (vcpu.onSlave) vcpu.left = "online"; // patch 09: the thread on an online CPU looks
      return null;
    case ExitReason.ExceptionOrNmi:
      if (!vmcs.ept.mapped) return missingPage(vcpu);
      if (traced(vcpu)) tracePageFault(vcpu);
      vcpu.mmu.mmio++;
      if (traced(vcpu)) traceAccess(vcpu);
      return memoryMapped(vcpu, cpu);
    case ExitReason.Invlpg: // kvm_mmu_invlpg(): the entry of the shadow goes
      vmcs.skipInstruction();
      return null;
    case ExitReason.ApicAccess:
    case ExitReason.EptMisconfig:
      if (traced(vcpu)) traceAccess(vcpu);
      return memoryMapped(vcpu, cpu);
    case ExitReason.Cpuid:
      if (traced(vcpu)) traceCpuid(vcpu);
      vmcs.skipInstruction();
      return null;
    case ExitReason.EptViolation:
      return missingPage(vcpu);
    case ExitReason.InterruptWindow: // the guest can take an interrupt, or an NMI, now: the next entry brings it
    case ExitReason.NmiWindow:
    case ExitReason.TprBelowThreshold:
      return null;
    case ExitReason.CrAccess: {
      const result = controlAccess(vcpu);
      if (result === null) injectFault(vcpu);
      else vmcs.skipInstruction(result);
      return null;
    }
    case ExitReason.Pause:
      vmcs.skipInstruction();
      onSpin(vcpu, cpu);
      return null;
    case ExitReason.IoInstruction:
      if (traced(vcpu)) traceAccess(vcpu);
      return portAccess(vcpu, cpu);
    default:
      vcpu.left = "KVM_EXIT_FAIL_ENTRY";
      return null;
  }
}

function traced({ vm: { kvm } }: Vcpu): boolean {
  return kvm.host.engine.trace !== null;
}

/** The thread waits for the page; patch 07: also that of a slave, on its online CPU. */
function missingPage(vcpu: Vcpu): null {
  if (traced(vcpu)) traceMissingPage(vcpu);
  vcpu.mmu.fixed++;
  vcpu.faulted = true;
  vcpu.left = "online";
  return null;
}

/** An access to memory without a page: that of the local APIC and of the I/O APIC is emulated, the rest is user space's. */
function memoryMapped(vcpu: Vcpu, cpu: KernelCpu): Step | null {
  const { lapic, vmcs } = vcpu;
  const { address, value, context } = vcpu.registers;
  const step = context.top.step!;
  const store = step.op === Op.Store;
  const bytes = accessBytes(step);
  const offset = lapic.pageOffset(address);
  if (offset >= 0 && store && lapic.core.hardwareEnabled && !lapic.core.x2apic) {
    return writeApic(vcpu, cpu, offset, value);
  }
  const rest = store ? writeMemory(vcpu, address, bytes, value, cpu) : readMemory(vcpu, address, bytes);
  if (rest === undefined) {
    vcpu.left = "KVM_EXIT_MMIO";
    vcpu.mmioExits++;
  } else if (typeof rest === "number") {
    traceAnswer(vcpu, rest);
    vmcs.skipInstruction(rest);
  } else {
    vmcs.skipInstruction();
    return rest;
  }
  return null;
}

/** An IN or OUT: an eventfd takes the guest's write, the ports of the 8259s and of the PIT are emulated. */
function portAccess(vcpu: Vcpu, cpu: KernelCpu): Step | null {
  const { vmcs, vm: { chips, ioeventfds, pit }, registers: { address: port, value, context } } = vcpu;
  const step = context.top.step!;
  const out = step.op === Op.Out;
  if (out && ioeventfds?.written(true, port, accessBytes(step), value, cpu)) {
    vmcs.skipInstruction();
    return null;
  }
  const inPic = chips?.pic.hasPort(port) === true;
  if (!inPic && !pit?.hasPort(port)) {
    vcpu.left = "KVM_EXIT_IO";
    return null;
  }
  if (!out) {
    const read = inPic ? chips!.pic.core.read(port) : pit!.read(port);
    traceAnswer(vcpu, read);
    vmcs.skipInstruction(read);
    return null;
  }
  vmcs.skipInstruction();
  if (!inPic) return pit!.write(port, value, cpu);
  chips!.pic.write(port, value, cpu);
  return null;
}

/** Emulates a write to a local APIC register, carries out what follows from it, and skips the instruction. */
function writeApic(vcpu: Vcpu, cpu: KernelCpu, offset: number, value: number): Step | null {
  const { apic, lapic, vmcs, vm: { kvm } } = vcpu;
  const slave = vcpu.onSlave;
  if (traced(vcpu)) {
    vcpu.tracepoint("kvm_apic", { rw: "write", reg: `APIC_${apicRegisterName(offset)}`, val: value });
  }
  switch (offset) {
    case Apic.EOI: {
      vmcs.skipInstruction();
      // Patch 18: where nothing virtual is in service it was a physical interrupt's.
      if (slave && !apic.inService && kvm.protocol.forwardsEoi) return cpu.apicWrite(Apic.EOI, 0);
      lapic.write(offset, value, cpu);
      if (slave && (kvm.capabilities.enableAt === "each" || !apic.inService)) setDirectMode(vcpu, true);
      return null;
    }
    case Apic.TMICT:
      vmcs.skipInstruction();
      return lapic.write(offset, value, cpu) ?? null;
    case Apic.LVTT: {
      const vector = value & 0xff;
      const physical = slave && ownsTimer(kvm);
      if (physical && vector !== 0 && vector !== Vector.LocalTimer) {
        kvm.host.log(`kvm: slave cpu ${cpu.id}: timer vector ${vector} is not ${Vector.LocalTimer}`);
        injectFault(vcpu);
        return null;
      }
      vmcs.skipInstruction();
      const rest = lapic.write(offset, value, cpu) ?? null;
      return physical ? cpu.apicWrite(Apic.LVTT, value) : rest;
    }
    case Apic.TDCR:
      vmcs.skipInstruction();
      lapic.write(offset, value, cpu);
      return slave && ownsTimer(kvm) ? cpu.apicWrite(Apic.TDCR, value) : null;
    default: {
      const rest = lapic.write(offset, value, cpu);
      // Of the xAPIC's page, a write that finds no register is lost.
      if (rest === undefined && apic.x2apic) injectFault(vcpu);
      else vmcs.skipInstruction();
      return rest ?? null;
    }
  }
}

/** #GP for the guest, injected with the next entry. */
function injectFault(vcpu: Vcpu): void {
  vcpu.vmcs.skipInstruction(); // the guest's fix-up continues behind it
  vcpu.vmcs.entryInterruptionInfo = interruptionInfo(EventType.HardwareException, GENERAL_PROTECTION);
  vcpu.tracepoint("kvm_inj_exception", { vector: GENERAL_PROTECTION });
}
