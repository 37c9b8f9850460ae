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
 * `slide 25: 5 rows calibrated on; slide 26: 3 rows predicted`, then `rests on 89 parameters: …`.
 *
 * @param rows of the talk that the table shows, as `PUBLISHED_ROWS` names them; without any there is no first line
 */
export function provenanceLines(profile: LabProfile, rows: readonly string[]): string[] {
  const lines = [`${provenanceText(profile.provenance())} (profile ${profile.name}, ${profile.hash})`];
  if (rows.length > 0) lines.unshift(calibrationText(profile.fits, rows));
  return lines;
}
