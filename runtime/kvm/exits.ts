/**
 * Exit handlers: what KVM does for each reason, after `arch/x86/kvm/{vmx,x86,lapic}.c` of Linux 3.5.
 *
 * @module
 */

import { type Activity, type Step, STORE } from "../../hw/sim/activity.ts";
import {
  Apic,
  apicRegisterName,
  DeliveryMode,
  EOI_MSR,
  type Ipi,
  type LocalApic,
  MSR_APIC_BASE,
  x2apicMsr,
  x2apicOffset,
} from "../../hw/lapic.ts";
import { EventType, ExitReason, interruptionInfo } from "../../hw/vmx.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { Vector } from "../linux/vectors.ts";
import { setDirectMode } from "./direct.ts";
import type { Vcpu } from "./vcpu.ts";

/** The xAPIC page. */
const APIC_PAGE = 0xfee0_0000;
/** Beside the EOI what a guest writes with every timer. */
const TMICT_MSR = x2apicMsr(Apic.TMICT);
/** #GP. */
const GENERAL_PROTECTION = 13;

/**
 * What handling an exit of `vcpu` costs. A handler is a cost and, when that has passed, an effect:
 * {@linkcode completeExit}. (HLT and NMIs are the run loop's own.)
 */
export function exitCost(vcpu: Vcpu, reason: number): Step {
  const { steps } = vcpu.vm.kvm;
  switch (reason) {
    case ExitReason.MsrWrite: {
      const msr = vcpu.registers.address;
      return msr === EOI_MSR ? steps.eoiHandle : msr === TMICT_MSR ? steps.timerWriteHandle : steps.msrHandle;
    }
    case ExitReason.MsrRead:
      return steps.msrHandle;
    case ExitReason.ExternalInterrupt:
      return steps.externalInterruptHandle;
    case ExitReason.ApicAccess:
    case ExitReason.EptMisconfig:
      return steps.mmioHandle;
    case ExitReason.Cpuid:
      return steps.cpuidHandle;
    case ExitReason.EptViolation:
      return steps.pageFaultHandle;
    case ExitReason.InterruptWindow:
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
  const { registers, vmcs, apic } = vcpu;
  switch (reason) {
    case ExitReason.MsrWrite: {
      const msr = registers.address;
      if (isX2apic(vcpu, msr)) return writeApic(vcpu, cpu, x2apicOffset(msr), registers.value);
      vcpu.tracepoint("kvm_msr", { rw: "write", index: msr, data: registers.value, fault: true });
      injectFault(vcpu);
      return null;
    }
    case ExitReason.MsrRead: {
      const msr = registers.address;
      if (isX2apic(vcpu, msr) && readable(apic, x2apicOffset(msr))) {
        vmcs.skipInstruction(apic.read(x2apicOffset(msr), vcpu.vm.kvm.host.nowNs));
      } else if (msr === MSR_APIC_BASE) vmcs.skipInstruction(apicBase(vcpu));
      else {
        vcpu.tracepoint("kvm_msr", { rw: "read", index: msr, data: 0, fault: true });
        injectFault(vcpu);
      }
      return null;
    }
    case ExitReason.ExternalInterrupt: // the host's handler has run when interrupts were switched on
      if (cpu.state === "slave") vcpu.left = "online"; // patch 09: the thread on an online CPU looks
      return null;
    case ExitReason.ApicAccess:
    case ExitReason.EptMisconfig:
      return memoryMapped(vcpu, cpu);
    case ExitReason.Cpuid:
      vmcs.skipInstruction();
      return null;
    case ExitReason.EptViolation: // the thread waits for the page; patch 07: also that of a slave, on its online CPU
      vcpu.faulted = true;
      vcpu.left = "online";
      return null;
    case ExitReason.InterruptWindow: // the guest can take an interrupt now: the next entry brings it
      return null;
    case ExitReason.IoInstruction:
      vcpu.left = "KVM_EXIT_IO";
      return null;
    default:
      vcpu.left = "KVM_EXIT_FAIL_ENTRY";
      return null;
  }
}

function isX2apic(vcpu: Vcpu, msr: number): boolean {
  return msr >= 0x800 && msr < 0x900 && vcpu.apic.x2apic;
}

/** What `apic_reg_read()` of 3.5 lets through: more than the manual, which has no DFR and ICR2 in x2APIC form. */
function readable(apic: LocalApic, offset: number): boolean {
  return apic.readable(offset) || offset === Apic.DFR || offset === Apic.ICR2;
}

/** IA32_APIC_BASE: enabled, in its form, and whether it is the bootstrap processor's. */
function apicBase(vcpu: Vcpu): number {
  return APIC_PAGE | 0x800 | (vcpu.apic.x2apic ? 0x400 : 0) | (vcpu.id === 0 ? 0x100 : 0);
}

/** An access to memory without a page: the xAPIC page is emulated here, everything else belongs to user space. */
function memoryMapped(vcpu: Vcpu, cpu: KernelCpu): Step | null {
  const { address, value, context } = vcpu.registers;
  if (address < APIC_PAGE || address >= APIC_PAGE + 0x1000 || vcpu.apic.x2apic) {
    vcpu.left = "KVM_EXIT_MMIO";
    return null;
  }
  if (context.top.step === STORE) return writeApic(vcpu, cpu, address - APIC_PAGE, value);
  vcpu.vmcs.skipInstruction(vcpu.apic.read(address - APIC_PAGE, vcpu.vm.kvm.host.nowNs));
  return null;
}

/** Emulates a write to a local APIC register, carries out what follows from it, and skips the instruction. */
function writeApic(vcpu: Vcpu, cpu: KernelCpu, offset: number, value: number): Step | null {
  const { apic, vmcs, vm: { kvm } } = vcpu;
  const slave = cpu.state === "slave";
  const { nowNs, engine } = kvm.host;
  if (engine.trace !== null) {
    vcpu.tracepoint("kvm_apic", { rw: "write", reg: `APIC_${apicRegisterName(offset)}`, val: value });
  }
  switch (offset) {
    case Apic.EOI: {
      vmcs.skipInstruction();
      // Patch 18: where nothing virtual is in service it was a physical interrupt's.
      if (slave && !apic.inService) return cpu.apicWrite(Apic.EOI, 0);
      const effect = apic.write(offset, value, nowNs);
      if (effect.kind === "eoi" && engine.trace !== null) {
        vcpu.tracepoint("kvm_eoi", { apicid: vcpu.id, vector: effect.vector });
      }
      if (slave && (kvm.capabilities.enableAt === "each" || !apic.inService)) setDirectMode(vcpu, true);
      return null;
    }
    case Apic.TMICT:
      vmcs.skipInstruction();
      apic.write(offset, value, nowNs);
      return startTimer(vcpu, cpu);
    case Apic.LVTT: {
      const vector = value & 0xff;
      const physical = slave && ownsTimer(vcpu);
      if (physical && vector !== 0 && vector !== Vector.LocalTimer) {
        kvm.host.log(`kvm: slave cpu ${cpu.id}: timer vector ${vector} is not ${Vector.LocalTimer}`);
        injectFault(vcpu);
        return null;
      }
      vmcs.skipInstruction();
      apic.write(offset, value, nowNs);
      return physical ? cpu.apicWrite(Apic.LVTT, value) : null;
    }
    case Apic.TDCR:
      vmcs.skipInstruction();
      apic.write(offset, value, nowNs);
      return slave && ownsTimer(vcpu) ? cpu.apicWrite(Apic.TDCR, value) : null;
    default: {
      const effect = apic.write(offset, value, nowNs);
      if (effect.kind === "fault") {
        injectFault(vcpu);
        return null;
      }
      if (effect.kind === "ipi") deliverIpi(vcpu, effect.ipi, cpu);
      vmcs.skipInstruction();
      return null;
    }
  }
}

/** Whether direct mode gives the guest the processor's own timer: the bitmap of slaves opens its initial count. */
function ownsTimer({ vm: { kvm } }: Vcpu): boolean {
  return !kvm.slaveBitmap.intercepts(TMICT_MSR, true);
}

/** An interprocessor interrupt between the virtual CPUs of one machine. */
function deliverIpi(from: Vcpu, ipi: Ipi, cpu: KernelCpu): void {
  for (const target of from.vm.vcpus) {
    const meant = ipi.shorthand === 0
      ? target.apic.matches(ipi.destination, ipi.logical)
      : ipi.shorthand === 1
      ? target === from
      : ipi.shorthand === 2 || target !== from;
    if (meant && ipi.mode === DeliveryMode.Fixed) target.interrupt(ipi.vector, cpu);
  }
}

/**
 * `start_apic_timer()`: the virtual timer is an hrtimer of this CPU. A slave CPU has no hrtimers; there an online
 * CPU is asked to run it.
 *
 * @returns the register write that remains to be done, if any
 */
function startTimer(vcpu: Vcpu, cpu: KernelCpu): Step | null {
  const { kvm } = vcpu.vm;
  const { expiresNs } = vcpu.apic.timer;
  const home = cpu.state === "slave" ? kvm.host.cpus[vcpu.thread!.cpu]! : cpu;
  vcpu.timer.base?.cancel(vcpu.timer);
  vcpu.timerHome = home;
  if (expiresNs === Infinity) return null;
  if (home === cpu) {
    home.hrtimers.start(vcpu.timer, expiresNs);
    return home.hrtimers.first === vcpu.timer && home.hrtimers.stale ? home.programTimer() : null;
  }
  home.callFunctions.push((function* (): Activity {
    home.hrtimers.start(vcpu.timer, expiresNs);
    if (home.hrtimers.first === vcpu.timer && home.hrtimers.stale) yield home.programTimer();
  })());
  return cpu.sendIpi(home.id, Vector.CallFunctionSingle);
}

/** #GP for the guest, injected with the next entry. */
function injectFault(vcpu: Vcpu): void {
  vcpu.vmcs.skipInstruction(); // the guest's fix-up continues behind it
  vcpu.vmcs.entryInterruptionInfo = interruptionInfo(EventType.HardwareException, GENERAL_PROTECTION);
  vcpu.tracepoint("kvm_inj_exception", { vector: GENERAL_PROTECTION });
}
