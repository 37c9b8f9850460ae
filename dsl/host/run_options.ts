/**
 * What the command line says about a run.
 *
 * @module
 */
import type { Era } from "../../runtime/lab/eras.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import type { SystemRow } from "../../runtime/lab/systems.ts";

/** How a script or a prompt is run. */
export interface RunOptions {
  readonly era?: Era;
  readonly system?: SystemRow;
  readonly kernel?: string;
  readonly seed: number;
  readonly profiles: readonly ProfileText[];
  readonly strict: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
  /** Where the kernel's events are written to. */
  readonly trace?: string;
  /** `$1 $2 …`. */
  readonly positional: readonly string[];
}
