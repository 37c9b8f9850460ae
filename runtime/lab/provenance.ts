/**
 * What a table of results ends with: which of its rows the model was calibrated on, and the kinds of parameters that all
 * of them rest on.
 *
 * @module
 */

import { provenanceText } from "../measure/table.ts";
import { calibrationText } from "./calibration.ts";
import type { LabProfile } from "./defaults.ts";

/**
 * `slide 25: 5 rows calibrated on; slide 26: 3 rows predicted`, then `rests on 89 parameters: …`. Where a calibrated number
 * does not say what it was fitted to, no row can be called predicted: then that is told instead.
 *
 * @param rows of the talk that the table shows, as `PUBLISHED_ROWS` names them; without any there is no first line
 */
export function provenanceLines(profile: LabProfile, rows: readonly string[]): string[] {
  const restsOn = `${provenanceText(profile.provenance())} (profile ${profile.name}, ${profile.hash})`;
  if (rows.length === 0) return [restsOn];
  const silent = silentParameters(profile);
  if (silent.length === 0) return [calibrationText(profile.fits, rows), restsOn];
  return [`no telling what is predicted: no fit says what it was made to for ${silent.join(", ")}`, restsOn];
}

/** Calibrated parameters that stand in no fit. */
function silentParameters(profile: LabProfile): string[] {
  const fitted = new Set(profile.fits.flatMap(({ parameters }) => parameters));
  return profile.list().filter(({ kind, path }) => kind === "calibrated" && !fitted.has(path))
    .map(({ path }) => path);
}
