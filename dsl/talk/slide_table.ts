/**
 * Slides 25 and 26 as tables: published beside modelled, and what a session's results have to do with them.
 *
 * @module
 */

import type { LabProfile } from "../../runtime/lab/defaults.ts";
import type { LabResult } from "../../runtime/lab/lab.ts";
import { provenanceLines } from "../../runtime/lab/provenance.ts";
import { latencyRowId, PUBLISHED_LATENCIES, type PublishedLatency } from "../../runtime/measure/published.ts";
import { latencyTable, type Table, tableLines } from "../../runtime/measure/table.ts";

/** The row of a slide that a result belongs to: same system and kernel, and the loads that the slide had. */
export function rowOf(result: LabResult, slide: number): PublishedLatency | undefined {
  return PUBLISHED_LATENCIES.find((row) =>
    row.slide === slide && row.system === result.system && row.kernel === result.kernel &&
    row.guestLoad === result.guestLoad &&
    (row.hostLoad === "idle") === (result.hostLoad === 0)
  );
}

/** The slides that are tables of latencies, and what was measured on each. */
const LATENCY_TITLES: ReadonlyMap<number, string> = new Map([
  [25, "Slide 25: cyclictest -a 0 -m -q -p 99 -n, interval 1 ms, guest idle, endless loops on the host; us"],
  [26, "Slide 26: cyclictest -a 0 -m -q -p 99 -n, interval 1 ms, guest under network I/O (iperf); us"],
]);

/** Whether a slide is a table of latencies. */
export function isLatencySlide(slide: number): boolean {
  return LATENCY_TITLES.has(slide);
}

/** A table with its title. */
export interface TitledTable extends Table {
  readonly title: string;
}

/**
 * The table of slide 25 or 26: each row of the talk beside the result that `find` has for it, the bound that the run
 * length supports, and the kinds of parameters the numbers rest on. A row without a result says n/a.
 *
 * @param seed printed with rows that have no result
 */
export function latencySlide(
  slide: number,
  find: (row: PublishedLatency) => LabResult | undefined,
  profile: LabProfile,
  seed: number,
): TitledTable {
  const rows = PUBLISHED_LATENCIES.filter((row) => row.slide === slide).map((published) => {
    const result = find(published);
    return {
      system: published.system,
      kernel: published.kernel,
      published,
      modelled: result?.cyclictest.threads[0]?.histogram,
      seed: result?.seed ?? seed,
    };
  });
  const { columns, rows: cells, notes } = latencyTable(rows);
  return {
    title: LATENCY_TITLES.get(slide) ?? `Slide ${slide}`,
    columns,
    rows: cells,
    notes: [...notes, ...provenanceLines(profile, rows.map(({ published }) => latencyRowId(published)))],
  };
}

/** The lines of the table of slide 25 or 26 out of a session's results: the last that belongs to a row is taken. */
export function latencySlideLines(
  slide: number,
  results: readonly LabResult[],
  profile: LabProfile,
  seed: number,
): string[] {
  const find = (row: PublishedLatency) => results.findLast((candidate) => rowOf(candidate, slide) === row);
  const { title, columns, rows, notes } = latencySlide(slide, find, profile, seed);
  const last = notes.findIndex((note) => !note.startsWith("*"));
  return [
    title,
    ...tableLines(columns, rows),
    ...notes.slice(0, last),
    ...unusedLines(slide, results),
    ...notes.slice(last),
  ];
}

/** Results of slide 25's systems that are in no row of it, and why. */
function unusedLines(slide: number, results: readonly LabResult[]): string[] {
  if (slide !== 25) return [];
  return results
    .filter((result) => result.hostLoad === 0 && rowOf({ ...result, hostLoad: 1 }, slide) !== undefined)
    .map(({ system, kernel }) =>
      `not in the table: ${system} with ${kernel} was measured without load on the host`
    );
}
