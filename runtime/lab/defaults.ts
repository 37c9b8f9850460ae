/**
 * Every parameter of the model: the schema put together, and the profiles that give its values.
 *
 * @module
 */

import { machineParameters } from "../../hw/machine.ts";
import { parameters } from "../../hw/parameters.ts";
import i7 from "../../hw/profiles/i7-3770.yaml" with { type: "text" };
import { kvmCosts } from "../kvm/costs.ts";
import { backgroundParameters } from "../linux/background.ts";
import { memoryParameters } from "../linux/memory.ts";
import { pciCosts } from "../linux/pci_costs.ts";
import { kernelCosts } from "../linux/release.ts";
import { programCosts } from "../programs/costs.ts";
import linux from "../profiles/linux-3.yaml" with { type: "text" };
import kvm from "../profiles/kvm-3.5.yaml" with { type: "text" };
import qemu from "../profiles/qemu-1.1.yaml" with { type: "text" };
import { qemuCosts } from "../qemu/costs.ts";
import { loadProfile, type Profile, type ProfileText } from "./profile.ts";

/** The schema of all parameters. */
export const labParameters = parameters({
  hw: machineParameters,
  linux: kernelCosts,
  hostBackground: backgroundParameters,
  guestBackground: backgroundParameters,
  memory: memoryParameters,
  pci: pciCosts,
  programs: programCosts,
  kvm: kvmCosts,
  qemu: qemuCosts,
});

/** A profile of the whole laboratory. */
export type LabProfile = Profile<typeof labParameters>;

let defaults: LabProfile | undefined;

/** The default profile; loaded once. */
export function defaultProfile(): LabProfile {
  defaults ??= loadProfile(labParameters, [
    { file: "hw/profiles/i7-3770.yaml", text: i7 },
    { file: "runtime/profiles/linux-3.yaml", text: linux },
    { file: "runtime/profiles/kvm-3.5.yaml", text: kvm },
    { file: "runtime/profiles/qemu-1.1.yaml", text: qemu },
  ]);
  return defaults;
}

/** The default profile with a user's files on top. */
export function profileWith(overlays: readonly ProfileText[]): LabProfile {
  return overlays.length === 0 ? defaultProfile() : defaultProfile().merge(...overlays);
}
