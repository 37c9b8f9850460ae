/**
 * Slide 25 out of a session's results: published beside modelled.
 *
 * @module
 */

import type { LabProfile } from "../runtime/lab/defaults.ts";
import type { LabResult } from "../runtime/lab/lab.ts";
import { PUBLISHED_LATENCIES, type PublishedLatency } from "../runtime/measure/published.ts";
import { latencyTableLines, provenanceText } from "../runtime/measure/table.ts";

/** The row of a slide that a result belongs to: same system and kernel, and CPU load on the host as the slide had. */
export function rowOf(result: LabResult, slide: number): PublishedLatency | undefined {
  return PUBLISHED_LATENCIES.find((row) =>
    row.slide === slide && row.system === result.system && row.kernel === result.kernel &&
    (row.hostLoad === "idle") === (result.hostLoad === 0)
  );
}

/**
 * The lines of slide 25's table: a row of the talk beside the last result that belongs to it, the bound that the run
 * length supports, and the kinds of parameters the numbers rest on. A row without a result says n/a.
 *
 * @param seed printed with rows that have no result
 */
export function slide25Lines(results: readonly LabResult[], profile: LabProfile, seed: number): string[] {
  const rows = PUBLISHED_LATENCIES.filter(({ slide }) => slide === 25).map((published) => {
    const result = results.findLast((candidate) => rowOf(candidate, 25) === published);
    return {
      system: published.system,
      kernel: published.kernel,
      published,
      modelled: result?.cyclictest.threads[0]?.histogram,
      seed: result?.seed ?? seed,
    };
  });
  return [
    "Slide 25: cyclictest -a 0 -m -q -p 99 -n, interval 1 ms, guest idle, endless loops on the host; us",
    ...latencyTableLines(rows),
    ...unusedLines(results),
    `${provenanceText(profile.provenance())} (profile ${profile.name}, ${profile.hash})`,
  ];
}

/** Results of the slide's systems that are in no row, and why. */
function unusedLines(results: readonly LabResult[]): string[] {
  return results
    .filter((result) => result.hostLoad === 0 && rowOf({ ...result, hostLoad: 1 }, 25) !== undefined)
    .map(({ system, kernel }) =>
      `not in the table: ${system} with ${kernel} was measured without load on the host`
    );
}
