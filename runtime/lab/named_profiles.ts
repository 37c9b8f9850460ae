/**
 * Profiles that come with the program beside the default ones, by the names that `--profile` takes.
 *
 * @module
 */

import idleFit from "../profiles/idle-fit.yaml" with { type: "text" };
import type { ProfileText } from "./profile.ts";

/** The profiles by name. */
export const NAMED_PROFILES: ReadonlyMap<string, ProfileText> = new Map([
  ["idle-fit", { file: "runtime/profiles/idle-fit.yaml", text: idleFit }],
]);
