/**
 * What a boot is asked for, and what it leads to.
 *
 * @module
 */

import type { LabProfile } from "../../runtime/lab/defaults.ts";
import { type Era, eraRefusal, eraSystem } from "../../runtime/lab/eras.ts";
import type { Mutant } from "../../runtime/lab/mutants.ts";
import type { SystemRow } from "../../runtime/lab/systems.ts";

/** What `boot` may say. */
export interface BootRequest {
  readonly era?: Era;
  readonly system?: SystemRow;
  readonly kernel?: string;
  readonly seed?: number;
  readonly profile?: LabProfile;
  /** End of the host's kernel command line. */
  readonly append?: string;
  /** `null`, and where absent: none. */
  readonly mutant?: Mutant | null;
}

/** What `request` boots where `now` runs: what is not said stays as it is; in another era, as that has it. */
export function bootOptions(now: Required<BootRequest>, request: BootRequest): Required<BootRequest> {
  const { era = now.era } = request;
  const { kernel = era === now.era ? now.kernel : era.kernel } = request;
  const {
    system = eraRefusal(era, now.system, kernel) === undefined ? now.system : eraSystem(era),
  } = request;
  const { seed, profile, append } = now;
  return { seed, profile, append, mutant: null, ...request, era, system, kernel };
}
