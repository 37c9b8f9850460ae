/**
 * Which programs are installed where.
 *
 * @module
 */

import { cyclictest } from "../programs/cyclictest.ts";
import type { Program } from "../programs/program.ts";
import { stress } from "../programs/stress.ts";
import type { Lab } from "./lab.ts";

/** Programs of every computer. */
export function userPrograms(lab: Lab): Program[] {
  return [cyclictest(lab.options.profile.values.cyclictest), stress];
}

/** Programs of the host. */
export function hostPrograms(lab: Lab): Program[] {
  return userPrograms(lab);
}
