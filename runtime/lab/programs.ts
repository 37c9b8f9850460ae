/**
 * Which programs are installed on every computer.
 *
 * @module
 */

import { cyclictest } from "../programs/cyclictest.ts";
import type { Program } from "../programs/program.ts";
import { stress } from "../programs/stress.ts";

/** Programs of every computer. */
export function userPrograms(): Program[] {
  return [cyclictest, stress];
}
