/**
 * Exit handlers: what KVM does for each reason.
 *
 * @module
 */

import { type Activity, type Step, STORE } from "../../hw/sim/activity.ts";
import { Apic, apicRegisterName, DeliveryMode, type Ipi, MSR_APIC_BASE, x2apicOffset } from "../../hw/lapic.ts";
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
 * The activity that handles one exit of `vcpu`, on `cpu`. Afterwards the loop enters again, unless `vcpu.left` says
 * what is to be done outside of it. (HLT is the loop's own.)
 */
export function handleExit(vcpu: Vcpu, cpu: KernelCpu, reason: number): Activity {
  switch (reason) {
    case ExitReason.MsrWrite: {
      const { address: msr, value } = vcpu.registers;
      if (msr < 0x800 || msr >= 0x900 || !vcpu.apic.x2apic) return unknownMsr(vcpu, "write");
      return writeApic(vcpu, cpu, x2apicOffset(msr), value);
    }
    case ExitReason.MsrRead:
      return msrRead(vcpu);
    case ExitReason.ExternalInterrupt:
      return externalInterrupt(vcpu, cpu);
    case ExitReason.EptMisconfig:
      return memoryMapped(vcpu, cpu);
    case ExitReason.IoInstruction:
      return leave(vcpu, "KVM_EXIT_IO");
    case ExitReason.Cpuid:
      return cpuid(vcpu);
    case ExitReason.InterruptWindow:
      return again();
    default:
      return leave(vcpu, "KVM_EXIT_FAIL_ENTRY");
  }
}

/** An MSR that this KVM does not know. */
function* unknownMsr(vcpu: Vcpu, rw: "read" | "write"): Activity {
  yield vcpu.vm.kvm.steps.msrHandle;
  vcpu.tracepoint("kvm_msr", { rw, index: vcpu.registers.address, data: vcpu.registers.value, fault: true });
  injectFault(vcpu);
}

/** RDMSR: x2APIC registers and IA32_APIC_BASE are emulated here. */
function* msrRead(vcpu: Vcpu): Activity {
  const { kvm } = vcpu.vm;
  const msr = vcpu.registers.address;
  if (msr >= 0x800 && msr < 0x900 && vcpu.apic.x2apic) {
    yield kvm.steps.msrHandle;
    vcpu.vmcs.skipInstruction(vcpu.apic.read(x2apicOffset(msr), kvm.host.nowNs));
  } else if (msr === MSR_APIC_BASE) {
    yield kvm.steps.msrHandle;
    vcpu.vmcs.skipInstruction(0xfee0_0800 | (vcpu.apic.x2apic ? 0x400 : 0) | (vcpu.id === 0 ? 0x100 : 0));
  } else {
    yield* unknownMsr(vcpu, "read");
  }
}

/** An access to memory without a page: the xAPIC page is emulated here, everything else belongs to user space. */
function* memoryMapped(vcpu: Vcpu, cpu: KernelCpu): Activity {
  const { kvm } = vcpu.vm;
  const { address, value, context } = vcpu.registers;
  yield kvm.steps.mmioDecode;
  if (address < APIC_PAGE || address >= APIC_PAGE + 0x1000 || vcpu.apic.x2apic) {
    vcpu.left = "KVM_EXIT_MMIO";
  } else if (context.top.step === STORE) {
    yield* writeApic(vcpu, cpu, address - APIC_PAGE, value);
  } else {
    yield kvm.steps.msrHandle;
    vcpu.vmcs.skipInstruction(vcpu.apic.read(address - APIC_PAGE, kvm.host.nowNs));
  }
}

/** Emulates a write to a local APIC register, carries out what follows from it, and skips the instruction. */
function* writeApic(vcpu: Vcpu, cpu: KernelCpu, offset: number, value: number): Activity {
  const { apic, vm: { kvm } } = vcpu;
  const slave = cpu.state === "slave";
  if (kvm.host.engine.trace !== null) {
    vcpu.tracepoint("kvm_apic", { rw: "write", reg: `APIC_${apicRegisterName(offset)}`, val: value });
  }
  switch (offset) {
    case Apic.EOI: {
      yield kvm.steps.eoiHandle;
      if (slave && !apic.inService) {
        yield cpu.apicWrite(Apic.EOI, 0); // patch 18: nothing virtual in service, so it was a physical one
        break;
      }
      const effect = apic.write(offset, value, kvm.host.nowNs);
      if (effect.kind === "eoi") vcpu.tracepoint("kvm_eoi", { apicid: vcpu.id, vector: effect.vector });
      if (slave && (kvm.capabilities.enableAt === "each" || !apic.inService)) setDirectMode(vcpu, true);
      break;
    }
    case Apic.TMICT: {
      yield kvm.steps.timerWriteHandle;
      apic.write(offset, value, kvm.host.nowNs);
      const program = startTimer(vcpu, cpu);
      if (program !== null) yield program;
      break;
    }
    case Apic.LVTT: {
      yield kvm.steps.msrHandle;
      if (slave && kvm.capabilities.timer) {
        const vector = value & 0xff;
        if (vector !== 0 && vector !== Vector.LocalTimer) {
          kvm.host.log(`kvm: slave cpu ${cpu.id}: timer vector ${vector} is not ${Vector.LocalTimer}`);
          return injectFault(vcpu);
        }
        yield cpu.apicWrite(Apic.LVTT, value);
      }
      apic.write(offset, value, kvm.host.nowNs);
      break;
    }
    case Apic.TDCR:
      yield kvm.steps.msrHandle;
      if (slave && kvm.capabilities.timer) yield cpu.apicWrite(Apic.TDCR, value);
      apic.write(offset, value, kvm.host.nowNs);
      break;
    default: {
      yield kvm.steps.msrHandle;
      const effect = apic.write(offset, value, kvm.host.nowNs);
      if (effect.kind === "fault") return injectFault(vcpu);
      if (effect.kind === "ipi") {
        deliverIpi(vcpu, effect.ipi, cpu);
        yield* cpu.sendPendingIpis();
      }
    }
  }
  vcpu.vmcs.skipInstruction();
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

/** An external interrupt: the host's handler has run when interrupts were switched on; on a slave the thread looks. */
function* externalInterrupt(vcpu: Vcpu, cpu: KernelCpu): Activity {
  yield vcpu.vm.kvm.steps.externalInterruptHandle;
  if (cpu.state === "slave") vcpu.left = "online"; // patch 09
}

/** CPUID. */
function* cpuid(vcpu: Vcpu): Activity {
  yield vcpu.vm.kvm.steps.cpuidHandle;
  vcpu.vmcs.skipInstruction();
}

/** The guest can take an interrupt now: enter again, with it. */
function* again(): Activity {}

/** Leaves the loop. */
function* leave(vcpu: Vcpu, result: LoopResult): Activity {
  yield vcpu.vm.kvm.steps.userExit;
  vcpu.left = result;
}

/** #GP for the guest, injected with the next entry. */
function injectFault(vcpu: Vcpu): void {
  vcpu.vmcs.skipInstruction(); // the guest's fix-up continues behind it
  vcpu.vmcs.entryInterruptionInfo = interruptionInfo(EventType.HardwareException, GENERAL_PROTECTION);
  vcpu.tracepoint("kvm_inj_exception", { vector: GENERAL_PROTECTION });
}
