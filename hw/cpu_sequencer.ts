/**
 * Small parts of a logical processor's sequencer.
 *
 * @module
 */

import type { LogicalCpu } from "./cpu.ts";
import type { ProcessorCosts } from "./cpu_bus.ts";
import type { RegisterFile } from "./register_file.ts";
import { HARDWARE, Op as Ops, type OpCode, Step } from "./sim/activity.ts";
import {
  BLOCKING_BY_NMI,
  EVENT_WINDOWS as WINDOWS,
  ExitReason as ExitReasons,
  PAGE_FAULT_INFO,
  Pin as Pins,
  Primary as Primaries,
  type Vmcs,
} from "./vmx.ts";

// See `cpu.ts`.
const Op = Ops, ExitReason = ExitReasons, Pin = Pins, Primary = Primaries, EVENT_WINDOWS = WINDOWS;

/** What the processor does next. */
export const Action = Object.freeze({
  /** The running activity goes on with the last step's result. */
  Go: 0,
  /** The top of the stack goes on where it stands: another stack, or below a handler that has ended. */
  Resume: 1,
  /** A step is in flight, or the processor is halted. */
  Wait: 2,
});
/** One of {@linkcode Action}. */
export type ActionCode = typeof Action[keyof typeof Action];

/** #GP. */
export const GENERAL_PROTECTION = 13;

/** Steps of the hardware's own: interrupts wait for their end. */
export class OwnSteps {
  /** Interrupt delivery. */
  readonly deliver: Step;
  /** Event injection. */
  readonly inject: Step;
  /** The wake-up from C1. */
  readonly wake: Step;
  /** A VM exit. */
  readonly exit: Step;

  /** Makes them, of a processor with these costs. */
  constructor(costs: ProcessorCosts) {
    this.deliver = atomic("interrupt delivery", costs.interruptDelivery);
    this.inject = atomic("event injection", costs.eventInjection);
    this.wake = atomic("C1 exit", costs.c1Exit);
    this.exit = atomic("VM exit", costs.vmExit);
  }
}

function atomic(name: string, ns: number): Step {
  return new Step(Op.Transition, name, HARDWARE, ns, false);
}

/** Whether anything waits to be taken, now or when a mask opens. */
export function pending(cpu: LogicalCpu): boolean {
  return cpu.nmiPending || cpu.apic.pendingVector() >= 0 ||
    (cpu.vmcs !== null && ((cpu.vmcs.primary & EVENT_WINDOWS) !== 0 || cpu.vmcs.tprThreshold !== 0));
}

/** Whether something pending would be taken now, by the rules of the current mode. */
export function recognisable(cpu: LogicalCpu): boolean {
  const vmcs = cpu.vmcs;
  if (vmcs === null) {
    return (cpu.nmiPending && !cpu.nmiBlocked) ||
      (cpu.registers.interruptFlag && cpu.apic.pendingVector() >= 0);
  }
  if (cpu.nmiPending && ((vmcs.pinBased & Pin.NmiExiting) !== 0 || !cpu.nmiBlocked)) return true;
  if (((vmcs.primary & EVENT_WINDOWS) !== 0 || vmcs.tprThreshold !== 0) && openWindow(vmcs) >= 0) return true;
  return (vmcs.externalInterruptExiting || cpu.registers.interruptFlag) && cpu.apic.pendingVector() >= 0;
}

/** The basic reason with which the instruction that `cpu` is about to execute leaves guest mode; -1: it does not. */
export function interception(cpu: LogicalCpu, op: OpCode): number {
  const { vmcs } = cpu;
  if (vmcs === null) return -1;
  if (op === Op.Pause) return vmcs.pauses(cpu.bus.timeStamp(cpu)) ? ExitReason.Pause : -1;
  return vmcs.interceptReason(op, cpu.registers.address);
}

/** What an instruction costs that reads or writes a register and does not exit; WRMSR and RDMSR apart. */
export function instructionNs(op: OpCode, costs: ProcessorCosts): number {
  switch (op) {
    case Op.Cpuid:
      return costs.cpuid;
    case Op.Rdtsc:
      return costs.rdtsc;
    case Op.Pause:
      return costs.pause;
    case Op.MovToCr:
    case Op.MovFromCr:
    case Op.Clts:
    case Op.Lmsw:
      return costs.crAccess;
    default:
      return costs.deviceAccess;
  }
}

/** Whether an instruction reads or writes CR3, or takes a page from the TLB. */
export function concernsTlb(op: OpCode, { address }: RegisterFile): boolean {
  return op === Op.Invlpg || (op === Op.MovToCr || op === Op.MovFromCr) && address === 3;
}

/** The exit because the page that the guest touches next has no entry; without EPT it is a page fault. */
export function missingPage(
  vmcs: Vmcs,
  access: number,
): [reason: number, info: number, qualification: number] {
  return vmcs.usesEpt
    ? [ExitReason.EptViolation, 0, access]
    : [ExitReason.ExceptionOrNmi, PAGE_FAULT_INFO, 0];
}

/** The reason of the exit that an open window asks for, of several that which goes first. -1: none is open. */
export function openWindow(vmcs: Vmcs): number {
  const { primary, interruptibility, guest } = vmcs;
  if (vmcs.tprThreshold !== 0 && vmcs.tprBelowThreshold) return ExitReason.TprBelowThreshold;
  if ((primary & Primary.NmiWindowExiting) !== 0 && (interruptibility & BLOCKING_BY_NMI) === 0) {
    return ExitReason.NmiWindow;
  }
  return (primary & Primary.InterruptWindowExiting) !== 0 && guest.interruptFlag
    ? ExitReason.InterruptWindow
    : -1;
}

/** What an IRET does about NMIs: whose blocking it ends depends on the controls. */
export function unblockNmis(cpu: LogicalCpu): void {
  const { vmcs } = cpu;
  if (vmcs !== null && (vmcs.pinBased & Pin.VirtualNmis) !== 0) vmcs.interruptibility &= ~BLOCKING_BY_NMI;
  else if (cpu.nmiBlocked && !nmiExits(cpu)) cpu.nmiBlocked = false;
}

/** Whether an NMI would leave guest mode. IRET does not unblock NMIs then (SDM, "Changes to Instruction Behavior"). */
export function nmiExits({ vmcs }: LogicalCpu): boolean {
  return vmcs !== null && (vmcs.pinBased & Pin.NmiExiting) !== 0;
}
