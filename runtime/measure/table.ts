/**
 * Plain aligned tables: any columns, and published latencies beside modelled ones.
 *
 * @module
 */
import { type Provenance, PROVENANCES } from "../../hw/parameters.ts";
import type { Histogram } from "./histogram.ts";
import { missRateText } from "./miss_rate.ts";
import type { PublishedLatency } from "./published.ts";

/** A column. */
export interface Column {
  readonly title: string;
  /** Numbers are aligned to the right, which is the default; words to the left. */
  readonly align?: "left" | "right";
  /** A title over this column and its neighbours of the same group. */
  readonly group?: string;
}

/** What a cell holds; undefined is printed as `n/a`, which is not 0. */
export type Cell = string | number | undefined;

/**
 * The lines of a table: a line of group titles if there are any, the titles, the rows. No trailing blanks.
 *
 * @throws RangeError if a row has more or fewer cells than there are columns.
 */
export function tableLines(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string[] {
  for (const row of rows) {
    if (row.length !== columns.length) {
      throw new RangeError(
        `Cannot print a row of ${row.length} cells in a table of ${columns.length} columns`,
      );
    }
  }
  const texts = rows.map((row) => row.map((cell) => cell === undefined ? "n/a" : String(cell)));
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...texts.map((row) => row[i]?.length ?? 0))
  );
  // A group's title needs room as well: its last column grows.
  for (const { from, to, title } of groupsOf(columns)) {
    const have = widths.slice(from, to + 1).reduce((sum, width) => sum + width + GAP.length, -GAP.length);
    widths[to] = (widths[to] ?? 0) + Math.max(0, title.length - have);
  }
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => {
      const width = widths[i] ?? 0;
      return columns[i]?.align === "left" ? cell.padEnd(width) : cell.padStart(width);
    }).join(GAP).trimEnd();
  const lines = [line(columns.map(({ title }) => title)), ...texts.map(line)];
  const groups = groupsOf(columns);
  if (groups.length > 0) lines.unshift(groupLine(groups, widths));
  return lines;
}

const GAP = "  ";

interface Group {
  readonly from: number;
  readonly to: number;
  readonly title: string;
}

/** Neighbouring columns with the same group. */
function groupsOf(columns: readonly Column[]): Group[] {
  const groups: Group[] = [];
  columns.forEach(({ group }, i) => {
    if (group === undefined) return;
    const last = groups.at(-1);
    if (last?.title === group && last.to === i - 1) groups[groups.length - 1] = { ...last, to: i };
    else groups.push({ from: i, to: i, title: group });
  });
  return groups;
}

/** Group titles, each centred over its columns. */
function groupLine(groups: readonly Group[], widths: readonly number[]): string {
  let text = "";
  for (const { from, to, title } of groups) {
    const start = widths.slice(0, from).reduce((sum, width) => sum + width + GAP.length, 0);
    const room = widths.slice(from, to + 1).reduce((sum, width) => sum + width + GAP.length, -GAP.length);
    text = text.padEnd(start + Math.floor((room - title.length) / 2)) + title;
  }
  return text;
}

/** One row of a latency table. */
export interface LatencyRow {
  /** The system's name; the published row's own if not given. */
  readonly system: string;
  readonly kernel: string;
  readonly published: PublishedLatency | undefined;
  /** Undefined if the row was not run. */
  readonly modelled: Histogram | undefined;
  readonly seed: number;
}

/** How many µs a modelled minimum or average may be off to count as reproduced: cyclictest prints whole µs. */
const TOLERANCE_US = 1;

/** A table before it is printed: its columns, rows, and what stands below them. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  readonly notes: readonly string[];
}

/** Published latencies beside modelled ones, with n, seed and verdict; maxima are shown and not judged. */
export function latencyTable(rows: readonly LatencyRow[]): Table {
  const columns: Column[] = [
    { title: "system", align: "left" },
    { title: "kernel", align: "left" },
    ...["min", "avg", "max*"].map((title) => ({ title, group: "published" })),
    ...["min", "avg", "max*", "mean"].map((title) => ({ title, group: "modelled" })),
    { title: "n" },
    { title: "seed" },
    { title: "verdict", align: "left" },
  ];
  const samples = [...new Set(rows.map(({ modelled }) => modelled?.count ?? 0))].filter((n) => n > 0);
  return {
    columns,
    rows: rows.map(({ system, kernel, published, modelled, seed }) => [
      system,
      kernel,
      published?.minUs,
      published?.avgUs,
      published?.maxUs,
      modelled?.minUs,
      modelled?.avgUs,
      modelled?.maxUs,
      modelled?.meanUs?.toFixed(2),
      modelled?.count,
      seed,
      latencyVerdict(published, modelled),
    ]),
    notes: samples.map((n) => `* maxima are not ranked: beyond the largest of them, ${missRateText(n)}`),
  };
}

/** Whether minimum and average are reproduced, or by how many µs each is off. */
export function latencyVerdict(
  published: PublishedLatency | undefined,
  modelled: Histogram | undefined,
): string {
  if (modelled === undefined || modelled.count === 0) return "not run";
  if (published === undefined) return "not published";
  const off: string[] = [];
  const compare = (name: string, ours: number | undefined, theirs: number) => {
    const difference = (ours ?? 0) - theirs;
    if (Math.abs(difference) > TOLERANCE_US) off.push(`${name} ${difference > 0 ? "+" : ""}${difference}`);
  };
  compare("min", modelled.minUs, published.minUs);
  compare("avg", modelled.avgUs, published.avgUs);
  return off.length === 0 ? `within ${TOLERANCE_US} us` : `off: ${off.join(", ")}`;
}

/** Which kinds of parameters a table rests on: `rests on 12 parameters: 3 published, 2 literature, 7 assumed`. */
export function provenanceText(counts: Readonly<Record<Provenance, number>>): string {
  const kinds = PROVENANCES.filter((kind) => counts[kind] > 0);
  const total = kinds.reduce((sum, kind) => sum + counts[kind], 0);
  const list = kinds.map((kind) => `${counts[kind]} ${kind}`).join(", ");
  return `rests on ${total} parameters${list === "" ? "" : `: ${list}`}`;
}
