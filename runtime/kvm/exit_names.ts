/**
 * Names of VM exits.
 *
 * *Document*: Linux 3.5 `arch/x86/include/asm/vmx.h` (`VMX_EXIT_REASONS`); Intel SDM vol. 3D, appendix "VMX Basic Exit
 * Reasons".
 *
 * @module
 */

import { ExitReason } from "../../hw/vmx.ts";

/** Names of the basic exit reasons, in the spelling of `kvm_stat`. */
export const EXIT_REASON_NAMES: ReadonlyMap<number, string> = new Map<number, string>([
  [ExitReason.ExceptionOrNmi, "EXCEPTION_NMI"],
  [ExitReason.ExternalInterrupt, "EXTERNAL_INTERRUPT"],
  [ExitReason.InterruptWindow, "PENDING_INTERRUPT"],
  [ExitReason.NmiWindow, "NMI_WINDOW"],
  [ExitReason.Cpuid, "CPUID"],
  [ExitReason.Hlt, "HLT"],
  [ExitReason.Invlpg, "INVLPG"],
  [ExitReason.CrAccess, "CR_ACCESS"],
  [ExitReason.Pause, "PAUSE_INSTRUCTION"],
  [ExitReason.TprBelowThreshold, "TPR_BELOW_THRESHOLD"],
  [ExitReason.IoInstruction, "IO_INSTRUCTION"],
  [ExitReason.MsrRead, "MSR_READ"],
  [ExitReason.MsrWrite, "MSR_WRITE"],
  [ExitReason.InvalidGuestState, "INVALID_STATE"],
  [ExitReason.ApicAccess, "APIC_ACCESS"],
  [ExitReason.EptViolation, "EPT_VIOLATION"],
  [ExitReason.EptMisconfig, "EPT_MISCONFIG"],
  [ExitReason.PreemptionTimer, "PREEMPTION_TIMER"],
]);

/** The name of a basic exit reason: `HLT`. */
export function exitReasonName(reason: number): string {
  return EXIT_REASON_NAMES.get(reason) ?? `REASON_${reason}`;
}
