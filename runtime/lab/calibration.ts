/**
 * Which numbers of a profile were fitted, to which rows of the talk, and what identifies them.
 *
 * ```yaml
 * calibration:
 *   bare_path:
 *     parameters: [linux.irq_entry, linux.hrtimer_wake, linux.context_switch]
 *     free: linux.hrtimer_wake
 *     bounds: { from: 200, to: 2000, unit: ns }
 *     rows: [slide25/bare-metal/linux-3.4.0]
 *     identified_by: "the average: the sum of the three, not its parts"
 * ```
 *
 * What a row identifies is often a sum. A *fit* is therefore a group: all its parameters are calibrated, and one of
 * them, the free one, stands for the group when a program fits it; the others keep their share. A group without a free
 * parameter was set by hand. `slide25` stands for all rows of that slide.
 *
 * @module
 */

import type { Parameter } from "../../hw/parameters.ts";
import { PUBLISHED_ROWS } from "../measure/published.ts";
import { closest } from "./spelling.ts";

/** Parameters that were fitted together. */
export interface Fit {
  /** Its key in the profile. */
  readonly name: string;
  /** Key paths of the calibrated parameters. */
  readonly parameters: readonly string[];
  /** The one that a program moves, and how far it may go, in its canonical unit; undefined where set by hand. */
  readonly free: { readonly path: string; readonly from: number; readonly to: number } | undefined;
  /** The rows of the talk that it was fitted to, as `PUBLISHED_ROWS` names them. */
  readonly rows: readonly string[];
  /** What in these rows determines it. */
  readonly identifiedBy: string;
}

/** What the reader of a profile lends: where problems go, and the parameters there are. */
export interface FitReader {
  problem(keyPath: string, what: "key" | "value", message: string): void;
  parameterAt(path: string): Parameter | undefined;
}

type Mapping = Readonly<Record<string, unknown>>;

/** Whether a YAML value is a mapping. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

const FIELDS = ["parameters", "free", "bounds", "rows", "identified_by"];

/** Reads the section `calibration` of a profile; what is wrong is told to the reader and left out. */
export function readFits(section: unknown, reader: FitReader): Fit[] {
  if (section === undefined || section === null) return [];
  if (!isMapping(section)) {
    reader.problem("calibration", "value", "expected fits by name");
    return [];
  }
  return Object.entries(section).flatMap(([name, fields]) =>
    readFit(name, fields, `calibration.${name}`, reader) ?? []
  );
}

function readFit(name: string, fields: unknown, path: string, reader: FitReader): Fit | undefined {
  if (!isMapping(fields)) {
    reader.problem(path, "value", "expected parameters, rows and identified_by");
    return undefined;
  }
  for (const field of Object.keys(fields)) {
    if (FIELDS.includes(field)) continue;
    const meant = closest(field, FIELDS);
    reader.problem(
      `${path}.${field}`,
      "key",
      `unknown key${meant === undefined ? "" : `, did you mean ${meant}?`}`,
    );
  }
  const words = (field: string): string[] => {
    const value = fields[field];
    if (Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "string")) {
      return value;
    }
    reader.problem(value === undefined ? path : `${path}.${field}`, "value", `${field}: expected a list`);
    return [];
  };
  const parameters = words("parameters");
  for (const each of parameters) {
    if (reader.parameterAt(each) === undefined) {
      reader.problem(`${path}.parameters`, "value", `there is no parameter "${each}"`);
    }
  }
  const { identified_by: identifiedBy } = fields;
  if (typeof identifiedBy !== "string" || identifiedBy.trim() === "") {
    reader.problem(path, "value", "identified_by: expected what in the rows determines it");
    return undefined;
  }
  const rows = words("rows").flatMap((row) => {
    const found = within(row);
    if (found.length === 0) {
      const meant = closest(row, PUBLISHED_ROWS);
      const hint = meant === undefined ? "" : `, did you mean ${meant}?`;
      reader.problem(`${path}.rows`, "value", `the talk has no row "${row}"${hint}`);
    }
    return found;
  });
  return { name, parameters, free: readFree(fields, parameters, path, reader), rows, identifiedBy };
}

function readFree(
  fields: Mapping,
  parameters: readonly string[],
  path: string,
  reader: FitReader,
): Fit["free"] {
  const { free, bounds } = fields;
  if (free === undefined && bounds === undefined) return undefined;
  const parameter = typeof free === "string" && parameters.includes(free)
    ? reader.parameterAt(free)
    : undefined;
  if (parameter === undefined) {
    reader.problem(
      free === undefined ? path : `${path}.free`,
      "value",
      "free: expected one of the parameters",
    );
    return undefined;
  }
  const { from, to, unit } = isMapping(bounds) ? bounds : {};
  try {
    if (typeof from !== "number" || typeof to !== "number" || typeof unit !== "string") {
      throw new RangeError(`bounds: expected { from: …, to: …, unit: ${parameter.unit} }`);
    }
    const range = { from: parameter.convert(from, unit), to: parameter.convert(to, unit) };
    if (range.from >= range.to) throw new RangeError("bounds: from is not below to");
    return { path: free as string, ...range };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    reader.problem(bounds === undefined ? path : `${path}.bounds`, "value", error.message);
    return undefined;
  }
}

/** `fits` after other texts have set the parameters at `paths`: those were not fitted by them. */
export function withoutParameters(fits: readonly Fit[], paths: ReadonlySet<string>): Fit[] {
  return fits.flatMap((fit) => {
    const parameters = fit.parameters.filter((path) => !paths.has(path));
    if (parameters.length === fit.parameters.length) return fit;
    const free = fit.free !== undefined && paths.has(fit.free.path) ? undefined : fit.free;
    return parameters.length === 0 ? [] : { ...fit, parameters, free };
  });
}

/** The rows that any of the fits was made to, in the order of the slides. */
export function fittedRows(fits: readonly Fit[]): string[] {
  const used = new Set(fits.flatMap(({ rows }) => rows));
  return PUBLISHED_ROWS.filter((row) => used.has(row));
}

/** Rows in few words: a slide or a system stands for all of its rows: `slide25/kvm, slide26`. */
export function fitRowsText(rows: readonly string[]): string {
  const rest = new Set(rows);
  const words: string[] = [];
  for (const row of PUBLISHED_ROWS) {
    if (!rest.has(row)) continue;
    const [slide = "", system = ""] = row.split("/");
    const group = [slide, `${slide}/${system}`].find((name) => within(name).every((each) => rest.has(each)));
    for (const each of within(group ?? row)) rest.delete(each);
    words.push(group ?? row);
  }
  return words.join(", ");
}

/** The rows of the talk that `name` stands for: one, or those of a slide, or of a system on a slide. */
function within(name: string): string[] {
  return PUBLISHED_ROWS.filter((known) => known === name || known.startsWith(`${name}/`));
}

/**
 * Which of `rows` a profile was calibrated on, slide by slide: `slide 25: 5 rows calibrated on; slide 26: 3 rows
 * predicted`.
 */
export function calibrationText(fits: readonly Fit[], rows: readonly string[]): string {
  const fitted = new Set(fittedRows(fits));
  const slides = [...new Set(rows.map(slideOf))];
  return slides.map((slide) => {
    const here = rows.filter((row) => slideOf(row) === slide);
    const used = here.filter((row) => fitted.has(row)).length;
    const parts = [[used, "calibrated on"], [here.length - used, "predicted"]] as const;
    const texts = parts.filter(([count]) => count > 0);
    return `slide ${slide}: ${
      texts.map(([count, what]) => `${count} ${count === 1 ? "row" : "rows"} ${what}`).join(", ")
    }`;
  }).join("; ");
}

/** The number of the slide that has a row. */
function slideOf(row: string): string {
  return /^slide(\d+)\//.exec(row)?.[1] ?? "?";
}
