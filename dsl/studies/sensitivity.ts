/**
 * `sensitivity`: which parameters move which rows of the talk: each calibrated or assumed number 20 % up, one at a time,
 * under the same random numbers.
 *
 * An effect is the change of a row's mean, seed by seed; it is shown where it is beyond the noise: further from 0 than
 * Student's interval over the seeds reaches, and at least a hundredth of a microsecond.
 *
 * @module
 */

import { profileWith } from "../../runtime/lab/defaults.ts";
import type { ParameterRecord, ProfileText } from "../../runtime/lab/profile.ts";
import { provenanceLines } from "../../runtime/lab/provenance.ts";
import { meanInterval } from "../../runtime/measure/statistics.ts";
import { tableLines } from "../../runtime/measure/table.ts";
import { type MeasuredRows, measureRows, missingRows, runnableRows } from "./published_runs.ts";
import type { RunPool } from "./run_pool.ts";
import type { Settings } from "./run_record.ts";

/** By how much a parameter is raised. */
const RAISE = 0.2;
/** The smallest change of a mean that is worth a line, µs (Gb/s). */
const LEAST = 0.01;

/** How it is run. */
export interface SensitivityOptions {
  readonly loops: number;
  readonly seeds: readonly number[];
  readonly profiles: readonly ProfileText[];
  /** Only parameters at or below this path; all where empty. */
  readonly under: string;
}

/** Prints the table; answers the exit status. */
export async function sensitivity(
  { loops, seeds, profiles, under }: SensitivityOptions,
  pool: RunPool,
  port: { out(text: string): void },
  progress: (ended: number, of: number) => void,
): Promise<number> {
  const profile = profileWith(profiles);
  const slides = [25, 26, 27];
  const rows = runnableRows(slides);
  const candidates = profile.list(under).filter(({ kind }) => kind === "calibrated" || kind === "assumed");
  const raised = candidates.flatMap((record) => {
    const set = raise(record);
    return set === undefined ? [] : [{ record, set }];
  });
  const settings: Settings[] = [{}, ...raised.map(({ set }) => set)];
  const [base, ...moved] = await measureRows(rows, { loops, seeds, profiles }, settings, pool, progress);
  const shownRows = [...base!.means.keys()];
  const effects = raised.map(({ record }, i) => ({
    record,
    changes: shownRows.map((row) => change(row, base!, moved[i]!)),
  }));
  const size = ({ changes }: { readonly changes: readonly (number | undefined)[] }) =>
    Math.max(0, ...changes.map((each) => Math.abs(each ?? 0)));
  const shown = effects.filter((effect) => size(effect) > 0).sort((a, b) => size(b) - size(a));

  port.out(
    `Each calibrated or assumed parameter ${RAISE * 100} % up: change of the rows' means, us ` +
      `(${loops} loops, seeds ${seeds.join(", ")})\n\n`,
  );
  const columns = [
    { title: "parameter", align: "left" },
    { title: "value" },
    { title: "kind", align: "left" },
    ...shownRows.map((row) => {
      const [slide, system, rest = ""] = row.split("/");
      return { title: rest.replace("linux-", ""), group: `${slide!.replace("slide", "")} ${system}` };
    }),
  ] as const;
  const lines = tableLines(
    columns,
    shown.map(({ record: { path, written, kind }, changes }) => [
      ...[path, written, kind],
      ...changes.map((each) => each === undefined ? "." : `${each > 0 ? "+" : ""}${each.toFixed(2)}`),
    ]),
  );
  port.out(`${lines.join("\n")}\n`);
  port.out(`. within the noise, or less than ${LEAST} us\n`);
  const still = raised.length - shown.length, fixed = candidates.length - raised.length;
  port.out(`${still} others move no row beyond the noise; ${fixed} are 0 or cannot be raised by 20 %\n`);
  const missing = missingRows(slides);
  if (missing.length > 0) port.out(`not run, no example does it yet: ${missing.join(", ")}\n`);
  port.out(`${provenanceLines(profile, rows).join("\n")}\n`);
  return 0;
}

/** The parameter 20 % up, undefined where that is no other value, or none that it can have. */
function raise({ path, value, max, unit }: ParameterRecord): Settings | undefined {
  const whole = unit === "ns" || unit === "count" || path === "hw.apic_bus";
  const more = whole ? Math.round(value * (1 + RAISE)) : Number((value * (1 + RAISE)).toPrecision(9));
  return more === value || more > max ? undefined : { [path]: `${more}${unit}` };
}

/** How far a row's mean has moved; undefined within the noise. */
function change(row: string, base: MeasuredRows, moved: MeasuredRows): number | undefined {
  const before = base.means.get(row)!, after = moved.means.get(row) ?? [];
  const interval = meanInterval(before.map((value, i) => after[i]! - value));
  if (interval === undefined || Number.isNaN(interval.mean)) return undefined;
  const noise = Math.max(LEAST, interval.halfWidth ?? 0);
  return Math.abs(interval.mean) > noise ? interval.mean : undefined;
}
