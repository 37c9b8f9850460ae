/**
 * What programs' own work costs.
 *
 * @module
 */

import { ns, parameters, type Values } from "../../hw/parameters.ts";

/** Costs of user-space work, integer ns. */
export const programCosts = parameters({
  primeDivision: ns("sysbench: one division while it looks for primes"),
});

/** Values of {@linkcode programCosts}. */
export type ProgramCosts = Values<typeof programCosts>;
