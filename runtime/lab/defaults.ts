/**
 * Every parameter of the model: the schema put together, and the profile that gives its values by default.
 *
 * That profile is written as YAML, in `hw/profiles` and `runtime/profiles`; `deno task compile` makes the snapshot of
 * it that stands here.
 *
 * @module
 */

import { machineParameters } from "../../hw/machine.ts";
import { parameters } from "../../hw/parameters.ts";
import { kvmCosts } from "../kvm/costs.ts";
import { backgroundParameters } from "../linux/background.ts";
import { blockCosts } from "../linux/block/costs.ts";
import { memoryParameters } from "../linux/memory.ts";
import { netCosts } from "../linux/net/costs.ts";
import { pciCosts } from "../linux/pci/pci_costs.ts";
import { kernelCosts } from "../linux/release.ts";
import { programCosts } from "../programs/costs.ts";
import { qemuCosts } from "../qemu/costs.ts";
import { snapshot } from "./default_profile.snapshot.ts";
import type { Profile, ProfileText } from "./profile.ts";
import { restoreProfile } from "./profile_snapshot.ts";

/** The schema of all parameters. */
export const labParameters = parameters({
  hw: machineParameters,
  linux: kernelCosts,
  hostBackground: backgroundParameters,
  guestBackground: backgroundParameters,
  net: netCosts,
  memory: memoryParameters,
  block: blockCosts,
  pci: pciCosts,
  programs: programCosts,
  kvm: kvmCosts,
  qemu: qemuCosts,
});

/** A profile of the whole laboratory. */
export type LabProfile = Profile<typeof labParameters>;

let defaults: LabProfile | undefined;

/** The default profile; restored once. */
export function defaultProfile(): LabProfile {
  defaults ??= restoreProfile(labParameters, JSON.parse(snapshot));
  return defaults;
}

/** The default profile with a user's files on top. */
export function profileWith(overlays: readonly ProfileText[]): LabProfile {
  return overlays.length === 0 ? defaultProfile() : defaultProfile().merge(...overlays);
}

/**
 * Single parameters as profiles, one for each: `{ "hw.processor.vm_exit": "200ns" }`. What is wrong with a value or a
 * path is found when they are loaded.
 *
 * @throws RangeError for a text that is no number with a unit
 */
export function parameterSettings(settings: Readonly<Record<string, string>>): ProfileText[] {
  return Object.entries(settings).map(([path, text]) => {
    const [, number, unit] = /^([-+\d.][-+\d.eE]*)\s*([A-Za-z]+)?$/.exec(text) ?? [];
    const value = Number(number);
    if (number === undefined || Number.isNaN(value)) {
      throw new RangeError(
        `${path}=${text}: expected a number with its unit, like 200ns, 0.5us or 0.03ratio`,
      );
    }
    const record = { value, unit: unit ?? "ratio", kind: "assumed", source: `set to ${text}` };
    const tree = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), record);
    return { file: `${path}=${text}`, text: JSON.stringify(tree) };
  });
}
