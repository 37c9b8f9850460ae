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
export function userPrograms(): Program[] {
  return [cyclictest, stress];
}

/** Programs of the host. */
export function hostPrograms(lab: Lab): Program[] {
  return userPrograms();
}
