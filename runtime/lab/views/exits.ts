/**
 * VM exits by reason, as `kvm_stat` lists them.
 *
 * *Document*: Linux `tools/kvm/kvm_stat/kvm_stat` (names of the reasons, order by count); Intel SDM vol. 3D, appendix
 * "VMX Basic Exit Reasons".
 *
 * @module
 */

import { EXIT_REASON_NAMES as NAMES, exitReasonName } from "../../kvm/exit_names.ts";
import { tableLines } from "../../measure/table.ts";

export { exitReasonName };

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
