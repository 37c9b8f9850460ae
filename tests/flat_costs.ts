/**
 * Costs for tests whose expectations must not depend on them: every duration of a schema the same.
 *
 * @module
 */

import { type MachineParameters, machineParameters } from "../hw/machine.ts";
import { Parameter, type ParameterTree, type Values } from "../hw/parameters.ts";

/** Every number of `tree` is `ns`. */
export function flat<T extends ParameterTree>(tree: T, ns: number): Values<T> {
  return Object.fromEntries(
    Object.entries(tree).map(([key, leaf]) => [key, leaf instanceof Parameter ? ns : flat(leaf, ns)]),
  ) as Values<T>;
}

/** Four processors at the talk's clocks, every duration 100 ns, no random factor. */
export const FLAT_MACHINE: MachineParameters = {
  ...flat(machineParameters, 100),
  cpus: 4,
  tsc: 3_400_000_000,
  apicBus: 100_000_000,
  path: { warmShare: 0, warmFloor: 1, typicalSpread: 0, coldExcess: 0, coldSpread: 0, coldBytes: 1 },
};
