/**
 * Exit handlers: what KVM does for each reason.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { Apic, apicRegisterName, DeliveryMode, MSR_APIC_BASE, x2apicOffset } from "../../hw/lapic.ts";
import { EventType, ExitReason, interruptionInfo } from "../../hw/vmx.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { Vector } from "../linux/vectors.ts";
import { setDirectMode } from "./direct.ts";
import type { LoopResult, Vcpu } from "./vcpu.ts";

/** The xAPIC page. */
const APIC_PAGE = 0xfee0_0000;
/** #GP. */
const GENERAL_PROTECTION = 13;

/**
 * Handles one exit of `vcpu`, on `cpu`.
 *
 * @returns 0 to enter again, 1 to leave the loop with `vcpu.left`
 */
export function handleExit(vcpu: Vcpu, cpu: KernelCpu, reason: number): Activity<number> {
  switch (reason) {
    case ExitReason.MsrWrite:
      return msrWrite(vcpu, cpu);
    case ExitReason.MsrRead:
      return msrRead(vcpu, cpu);
    case ExitReason.ExternalInterrupt:
      return externalInterrupt(vcpu, cpu);
    case ExitReason.Hlt:
      return hlt(vcpu);
    case ExitReason.EptMisconfig:
      return memoryMapped(vcpu, cpu);
    case ExitReason.IoInstruction:
      return leave(vcpu, "KVM_EXIT_IO");
    case ExitReason.Cpuid:
      return cpuid(vcpu);
    case ExitReason.InterruptWindow:
      return again(vcpu);
    case ExitReason.PreemptionTimer:
      return prevented(vcpu, cpu);
    default:
      return leave(vcpu, "KVM_EXIT_FAIL_ENTRY");
  }
}

/** WRMSR: x2APIC registers are emulated here; an MSR that nobody knows faults. */
function* msrWrite(vcpu: Vcpu, cpu: KernelCpu): Activity<number> {
  const { address: msr, value } = vcpu.registers;
  if (msr >= 0x800 && msr < 0x900 && vcpu.apic.x2apic) {
    const ok = yield* writeApic(vcpu, cpu, x2apicOffset(msr), value);
    if (ok !== 1) return 0;
  } else {
    yield vcpu.vm.kvm.steps.msrHandle;
    vcpu.tracepoint("kvm_msr", { rw: "write", index: msr, data: value, fault: true });
    injectFault(vcpu);
    return 0;
  }
  vcpu.vmcs.skipInstruction();
  return 0;
}

/** RDMSR, likewise. */
function* msrRead(vcpu: Vcpu, cpu: KernelCpu): Activity<number> {
  const { kvm } = vcpu.vm;
  const msr = vcpu.registers.address;
  yield kvm.steps.msrHandle;
  if (msr >= 0x800 && msr < 0x900 && vcpu.apic.x2apic) {
    vcpu.vmcs.skipInstruction(vcpu.apic.read(x2apicOffset(msr), kvm.host.nowNs));
  } else if (msr === MSR_APIC_BASE) {
    vcpu.vmcs.skipInstruction(0xfee0_0800 | (vcpu.apic.x2apic ? 0x400 : 0) | (vcpu.id === 0 ? 0x100 : 0));
  } else {
    vcpu.tracepoint("kvm_msr", { rw: "read", index: msr, data: 0, fault: true, cpu: cpu.id });
    injectFault(vcpu);
  }
  return 0;
}

/** An access to memory without a page: the xAPIC page is emulated here, everything else belongs to user space. */
function* memoryMapped(vcpu: Vcpu, cpu: KernelCpu): Activity<number> {
  const { kvm } = vcpu.vm;
  const { address, value } = vcpu.registers;
  yield kvm.steps.mmioDecode;
  if (address < APIC_PAGE || address >= APIC_PAGE + 0x1000 || vcpu.apic.x2apic) {
    vcpu.left = "KVM_EXIT_MMIO";
    return 1;
  }
  const offset = address - APIC_PAGE;
  const store = vcpu.registers.context.top.step!.name === "store";
  if (store) {
    yield* writeApic(vcpu, cpu, offset, value);
    vcpu.vmcs.skipInstruction();
  } else {
    yield kvm.steps.msrHandle;
    vcpu.vmcs.skipInstruction(vcpu.apic.read(offset, kvm.host.nowNs));
  }
  return 0;
}

/**
 * Emulates a write to a local APIC register and carries out what follows from it.
 *
 * @returns 1 when the instruction is done, 0 when a fault was injected instead
 */
export function* writeApic(vcpu: Vcpu, cpu: KernelCpu, offset: number, value: number): Activity<number> {
  const { kvm } = vcpu.vm;
  const { apic } = vcpu;
  const slave = cpu.state === "slave";
  vcpu.tracepoint("kvm_apic", { rw: "write", reg: `APIC_${apicRegisterName(offset)}`, val: value });
  switch (offset) {
    case Apic.EOI: {
      yield kvm.steps.eoiHandle;
      if (slave && !apic.inService) {
        yield cpu.apicWrite(Apic.EOI, 0); // patch 18: nothing virtual in service, so it was a physical one
        return 1;
      }
      const effect = apic.write(offset, value, kvm.host.nowNs);
      if (effect.kind === "eoi") vcpu.tracepoint("kvm_eoi", { apicid: vcpu.id, vector: effect.vector });
      if (slave && (kvm.capabilities.enableAt === "each" || !apic.inService)) setDirectMode(vcpu, true);
      return 1;
    }
    case Apic.TMICT:
      yield kvm.steps.timerWriteHandle;
      apic.write(offset, value, kvm.host.nowNs);
      yield* startTimer(vcpu, cpu);
      return 1;
    case Apic.LVTT:
      yield kvm.steps.msrHandle;
      if (slave && kvm.capabilities.timer) {
        const vector = value & 0xff;
        if (vector !== 0 && vector !== Vector.LocalTimer) {
          kvm.host.log(`kvm: slave cpu ${cpu.id}: timer vector ${vector} is not ${Vector.LocalTimer}`);
          injectFault(vcpu);
          return 0;
        }
        yield cpu.apicWrite(Apic.LVTT, value);
      }
      apic.write(offset, value, kvm.host.nowNs);
      return 1;
    case Apic.TDCR:
      yield kvm.steps.msrHandle;
      if (slave && kvm.capabilities.timer) yield cpu.apicWrite(Apic.TDCR, value);
      apic.write(offset, value, kvm.host.nowNs);
      return 1;
    default: {
      yield kvm.steps.msrHandle;
      const effect = apic.write(offset, value, kvm.host.nowNs);
      if (effect.kind === "fault") {
        injectFault(vcpu);
        return 0;
      }
      if (effect.kind === "ipi") {
        for (const target of vcpu.vm.vcpus) {
          const { ipi } = effect;
          const meant = ipi.shorthand === 0
            ? target.apic.matches(ipi.destination, ipi.logical)
            : ipi.shorthand === 1
            ? target === vcpu
            : ipi.shorthand === 2 || target !== vcpu;
          if (meant && ipi.mode === DeliveryMode.Fixed) target.interrupt(ipi.vector, cpu);
        }
        yield* cpu.sendPendingIpis();
      }
      return 1;
    }
  }
}

/**
 * `start_apic_timer()`: the virtual timer is an hrtimer of this CPU. A slave CPU has no hrtimers; there an online
 * CPU is asked to run it.
 */
function* startTimer(vcpu: Vcpu, cpu: KernelCpu): Activity {
  const { kvm } = vcpu.vm;
  const { expiresNs } = vcpu.apic.timer;
  const home = cpu.state === "slave" ? kvm.host.cpus[vcpu.thread!.cpu]! : cpu;
  vcpu.timer.base?.cancel(vcpu.timer);
  vcpu.timerBase = home.hrtimers;
  if (expiresNs === Infinity) return;
  if (home === cpu) {
    home.hrtimers.start(vcpu.timer, expiresNs);
    if (home.hrtimers.first === vcpu.timer && home.hrtimers.stale) yield home.programTimer();
    return;
  }
  home.callFunctions.push((function* (): Activity {
    home.hrtimers.start(vcpu.timer, expiresNs);
    if (home.hrtimers.first === vcpu.timer && home.hrtimers.stale) yield home.programTimer();
  })());
  yield cpu.sendIpi(home.id, Vector.CallFunctionSingle);
}

/** An external interrupt: the host's handler has run when interrupts were switched on; on a slave the thread looks. */
function* externalInterrupt(vcpu: Vcpu, cpu: KernelCpu): Activity<number> {
  yield vcpu.vm.kvm.steps.externalInterruptHandle;
  if (cpu.state === "slave") {
    vcpu.left = "online"; // patch 09
    return 1;
  }
  return 0;
}

/** HLT: halted until something is pending. */
// deno-lint-ignore require-yield
function* hlt(vcpu: Vcpu): Activity<number> {
  vcpu.vmcs.skipInstruction();
  vcpu.halted = true;
  return 0;
}

/** CPUID. */
function* cpuid(vcpu: Vcpu): Activity<number> {
  yield vcpu.vm.kvm.steps.cpuidHandle;
  vcpu.vmcs.skipInstruction();
  return 0;
}

/** The guest can take an interrupt now: enter again, with it. */
// deno-lint-ignore require-yield
function* again(_vcpu: Vcpu): Activity<number> {
  return 0;
}

/** The preemption timer of patch 17: an NMI came just before the entry, which was not meant to happen. */
// deno-lint-ignore require-yield
function* prevented(vcpu: Vcpu, _cpu: KernelCpu): Activity<number> {
  vcpu.vmcs.pinBased &= ~(1 << 6);
  return 0;
}

/** Leaves the loop. */
function* leave(vcpu: Vcpu, result: LoopResult): Activity<number> {
  yield vcpu.vm.kvm.steps.userExit;
  vcpu.left = result;
  return 1;
}

/** #GP for the guest, injected with the next entry. */
function injectFault(vcpu: Vcpu): void {
  vcpu.vmcs.skipInstruction(); // the guest's fix-up continues behind it
  vcpu.vmcs.entryInterruptionInfo = interruptionInfo(EventType.HardwareException, GENERAL_PROTECTION);
  vcpu.tracepoint("kvm_inj_exception", { vector: GENERAL_PROTECTION });
}
