/**
 * Small parts of a logical processor's sequencer.
 *
 * @module
 */

import type { LogicalCpu } from "./cpu.ts";
import { HARDWARE, Op, Step } from "./sim/activity.ts";
import { Pin, Primary } from "./vmx.ts";

/** What the processor does next. */
export const Action = {
  /** The running activity goes on with the last step's result. */
  Go: 0,
  /** The top of the stack goes on where it stands: another stack, or below a handler that has ended. */
  Resume: 1,
  /** A step is in flight, or the processor is halted. */
  Wait: 2,
} as const;
/** One of {@linkcode Action}. */
export type Action = typeof Action[keyof typeof Action];

/** #GP. */
export const GENERAL_PROTECTION = 13;

/** A step of the hardware's own: interrupts wait for its end. */
export function atomic(name: string, ns: number): Step {
  return new Step(Op.Transition, name, HARDWARE, ns, false);
}

/** Whether anything waits to be taken, now or when a mask opens. */
export function pending(cpu: LogicalCpu): boolean {
  return cpu.nmiPending || cpu.apic.pendingVector() >= 0 ||
    (cpu.vmcs !== null && (cpu.vmcs.primary & Primary.InterruptWindowExiting) !== 0);
}

/** Whether something pending would be taken now, by the rules of the current mode. */
export function recognisable(cpu: LogicalCpu): boolean {
  const vmcs = cpu.vmcs;
  if (vmcs === null) {
    return (cpu.nmiPending && !cpu.nmiBlocked) ||
      (cpu.registers.interruptFlag && cpu.apic.pendingVector() >= 0);
  }
  if (cpu.nmiPending && ((vmcs.pinBased & Pin.NmiExiting) !== 0 || !cpu.nmiBlocked)) return true;
  if (cpu.registers.interruptFlag && (vmcs.primary & Primary.InterruptWindowExiting) !== 0) return true;
  return (vmcs.externalInterruptExiting || cpu.registers.interruptFlag) && cpu.apic.pendingVector() >= 0;
}

/** Whether an NMI would leave guest mode. IRET does not unblock NMIs then (SDM, "Changes to Instruction Behavior"). */
export function nmiExits({ vmcs }: LogicalCpu): boolean {
  return vmcs !== null && (vmcs.pinBased & Pin.NmiExiting) !== 0;
}
