/**
 * What cyclictest has measured so far, a line for each run: for comparing systems, or set-ups of one.
 *
 * @module
 */

import { tableLines } from "../../measure/table.ts";
import type { LabResult } from "../lab.ts";
import { totalExits } from "./exits.ts";

/** A table of results, oldest first; of several threads the first. Latencies in µs, exits for each period. */
export function resultLines(results: readonly LabResult[]): string[] {
  return tableLines(
    [
      { title: "#" },
      { title: "system", align: "left" },
      { title: "kernel", align: "left" },
      { title: "host load" },
      { title: "n" },
      { title: "min" },
      { title: "avg" },
      { title: "max" },
      { title: "mean" },
      { title: "exits/period" },
      { title: "seed" },
    ],
    results.map(({ system, kernel, hostLoad, cyclictest, exits, seed }, i) => {
      const { count = 0, minUs, avgUs, maxUs, sumNs = 0 } = cyclictest.threads[0]?.histogram ?? {};
      const mean = count === 0 ? undefined : (sumNs / count / 1000).toFixed(2);
      const perPeriod = count === 0 ? undefined : (totalExits(exits) / count).toFixed(2);
      return [i + 1, system, kernel, hostLoad, count, minUs, avgUs, maxUs, mean, perPeriod, seed];
    }),
  );
}
