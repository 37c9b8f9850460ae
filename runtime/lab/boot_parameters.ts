/**
 * The host's kernel command line: what stands there always, and what `boot --append` puts behind it.
 *
 * @module
 */

import { parseCommandLine } from "../linux/command_line.ts";
import type { LabProfile } from "./defaults.ts";

export { MODELLED_PARAMETERS } from "../linux/command_line.ts";

/** The host's command line; `append` comes last, so that it prevails. */
export function hostCommandLine(release: string, append: string): string {
  const always = `BOOT_IMAGE=/vmlinuz-${release} root=/dev/sda1 ro intel_iommu=on`;
  return append.trim() === "" ? always : `${always} ${append.trim()}`;
}

/** What is wrong with what is appended to the host's command line, or not modelled; undefined: nothing. */
export function appendProblem(append: string, { values }: LabProfile): string | undefined {
  const parsed = parseCommandLine(append, values.hw.cpus);
  return typeof parsed === "string" ? parsed : undefined;
}
