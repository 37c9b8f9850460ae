/**
 * A profile that was read and checked beforehand: the default one is kept as such a snapshot, so that starting does
 * not pay for parsing YAML that never changes.
 *
 * A snapshot has what the texts say; what the schema says (descriptions, canonical units, limits) is taken from there.
 *
 * @module
 */

import { leaves, type ParameterTree, type Provenance } from "../../hw/parameters.ts";
import type { Fit } from "./calibration.ts";
import { type ParameterRecord, Profile } from "./profile.ts";

/** A profile as plain data, fit for JSON. */
export interface ProfileSnapshot {
  readonly name: string;
  readonly fits: readonly Fit[];
  /** By key path. */
  readonly parameters: Readonly<Record<string, ParameterSnapshot>>;
}

/** What a text says about a parameter; the value is in the canonical unit. */
export type ParameterSnapshot = readonly [
  value: number,
  written: string,
  kind: Provenance,
  source: string,
  file: string,
  line: number,
];

/** The snapshot of a profile. */
export function snapshotOf<S extends ParameterTree>(profile: Profile<S>): ProfileSnapshot {
  const parameters = Object.fromEntries(
    profile.list().map(({ path, value, written, kind, source, file, line }): [string, ParameterSnapshot] => {
      return [path, [value, written, kind, source, file, line]];
    }),
  );
  return { name: profile.name, fits: profile.fits, parameters };
}

/**
 * The profile of a snapshot.
 *
 * @throws TypeError if the snapshot lacks a parameter of the schema: it was taken before the schema had that
 */
export function restoreProfile<S extends ParameterTree>(schema: S, snapshot: ProfileSnapshot): Profile<S> {
  const records = new Map<string, ParameterRecord>();
  for (const [path, { description, unit, max }] of leaves(schema)) {
    const said = snapshot.parameters[path];
    if (said === undefined) throw new TypeError(`The snapshot of ${snapshot.name} is stale: no ${path}`);
    const [value, written, kind, source, file, line] = said;
    records.set(path, { path, description, value, max, unit, written, kind, source, file, line });
  }
  const fits = snapshot.fits.map((fit) => ({ ...fit, free: fit.free })); // JSON leaves undefined fields out
  return new Profile(schema, records, snapshot.name, fits);
}
