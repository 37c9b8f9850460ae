/**
 * VM exits by reason, as `kvm_stat` lists them.
 *
 * *Document*: Linux `tools/kvm/kvm_stat/kvm_stat` (names of the reasons, order by count); Intel SDM vol. 3D, appendix
 * "VMX Basic Exit Reasons".
 *
 * @module
 */

import { ExitReason } from "../../../hw/vmx.ts";
import { tableLines } from "../../measure/table.ts";

/** Names of the basic exit reasons, in the spelling of `kvm_stat`. */
const NAMES: ReadonlyMap<number, string> = new Map<number, string>([
  [ExitReason.ExceptionOrNmi, "EXCEPTION_NMI"],
  [ExitReason.ExternalInterrupt, "EXTERNAL_INTERRUPT"],
  [ExitReason.InterruptWindow, "PENDING_INTERRUPT"],
  [ExitReason.Cpuid, "CPUID"],
  [ExitReason.Hlt, "HLT"],
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
  return NAMES.get(reason) ?? `REASON_${reason}`;
}

/** The names of all reasons that the model knows. */
export function exitReasonNames(): string[] {
  return [...NAMES.values()];
}

/** The number of the reason of that name, in any case; undefined where there is none. */
export function exitReasonNamed(name: string): number | undefined {
  const wanted = name.toUpperCase();
  for (const [reason, known] of NAMES) if (known === wanted) return reason;
  return undefined;
}

/** Exits of all reasons. */
export function totalExits(exits: readonly number[]): number {
  return exits.reduce((sum, count) => sum + count, 0);
}

/** Counts by name, the most frequent first, then by number; reasons that did not happen are left out. */
export function exitsByName(exits: readonly number[]): [name: string, count: number][] {
  return exits
    .map((count, reason): [number, number] => [reason, count])
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .map(([reason, count]) => [exitReasonName(reason), count]);
}

/**
 * A table as `kvm_stat` prints it: the sum, then each reason. With `periods`, how often each came in one of so many
 * periods of a benchmark.
 */
export function exitTableLines(exits: readonly number[], periods?: number): string[] {
  const row = (name: string, count: number) =>
    periods === undefined ? [name, count] : [name, count, (count / periods).toFixed(2)];
  return tableLines(
    [
      { title: "event", align: "left" },
      { title: "total" },
      ...(periods === undefined ? [] : [{ title: "per period" }]),
    ],
    [
      row("kvm_exit", totalExits(exits)),
      ...exitsByName(exits).map(([name, count]) => row(`kvm_exit(${name})`, count)),
    ],
  );
}
