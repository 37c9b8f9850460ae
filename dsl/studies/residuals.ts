/**
 * `residuals`: what the talk prints beside what the model makes of it, under several profiles, and for each row whether
 * the profile was calibrated on it or predicts it.
 *
 * @module
 */

import { type Fit, fittedRows } from "../../runtime/lab/calibration.ts";
import { type LabProfile, profileWith } from "../../runtime/lab/defaults.ts";
import { NAMED_PROFILES } from "../../runtime/lab/named_profiles.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import { provenanceLines } from "../../runtime/lab/provenance.ts";
import { PUBLISHED_SAMPLES } from "../../runtime/measure/published.ts";
import { tableLines } from "../../runtime/measure/table.ts";
import { type Measured, misfit } from "../../runtime/measure/targets.ts";
import {
  measureRows,
  missingRows,
  type RowRunOptions,
  runnableRows,
  targetsIn,
  useOf,
} from "./published_runs.ts";
import type { RunPool } from "./run_pool.ts";

/** The slides with numbers. */
const SLIDES = [25, 26, 27];

/** What one profile makes of the rows. */
export interface ResidualColumn {
  readonly name: string;
  readonly measured: Measured;
  readonly fits: readonly Fit[];
}

/** The lines of the table, and what the deviations add up to. */
export function residualLines(rows: readonly string[], columns: readonly ResidualColumn[]): string[] {
  const targets = targetsIn(rows);
  const lines = tableLines(
    [
      { title: "row", align: "left" },
      { title: "target", align: "left" },
      { title: "talk" },
      ...columns.flatMap(({ name }) => [
        { title: "model", group: name },
        { title: "off", group: name },
        { title: "use", group: name, align: "left" as const },
      ]),
    ],
    targets.map((target) => [
      target.row,
      target.what,
      target.published,
      ...columns.flatMap(({ measured, fits }) => [
        target.modelled(measured),
        offText(target.deviation(measured)),
        useOf(target.row, fits),
      ]),
    ]),
  );
  return [
    ...lines,
    "off: in half intervals from the middle of the talk's; up to 1 it prints as the talk does",
    ...columns.flatMap(({ name, measured, fits }) =>
      (["fitted", "predicted"] as const).flatMap((use) => {
        const mine = targets.filter(({ row }) => useOf(row, fits) === use);
        if (mine.length === 0) return [];
        const compared = mine.flatMap((target) => target.deviation(measured) ?? []);
        const inside = compared.filter((deviation) => Math.abs(deviation) <= 1).length;
        return `${name}: ${inside} of ${compared.length} ${use} targets within, misfit ${
          misfit(mine, measured).toFixed(3)
        }`;
      })
    ),
  ];
}

function offText(deviation: number | undefined): string | undefined {
  return deviation === undefined ? undefined : `${deviation > 0 ? "+" : ""}${deviation.toFixed(2)}`;
}

/** Parameters of a profile that were fitted to rows beyond those of `slides`: under it they are not predicted. */
export function foreignFits(profile: LabProfile, slides: readonly number[]): string[] {
  const allowed = (row: string) => slides.some((slide) => row.startsWith(`slide${slide}/`));
  return profile.fits.filter(({ rows }) => !rows.every(allowed)).flatMap(({ parameters }) => parameters);
}

/** Prints the residuals under every profile that comes with the program, and the user's; answers the exit status. */
export async function residuals(
  options: Omit<RowRunOptions, "profiles"> & { readonly profiles: readonly ProfileText[] },
  pool: RunPool,
  port: { out(text: string): void },
  progress: (ended: number, of: number) => void,
): Promise<number> {
  const named = [
    ["default", []],
    ...[...NAMED_PROFILES].map(([name, text]) => [name, [text]] as const),
  ] as const;
  const rows = runnableRows(SLIDES);
  const columns: (ResidualColumn & { readonly profile: LabProfile })[] = [];
  for (const [name, texts] of named) {
    const profiles = [...texts, ...options.profiles];
    const profile = profileWith(profiles);
    const [measured] = await measureRows(rows, { ...options, profiles }, [{}], pool, progress);
    columns.push({ name, measured: measured!, fits: profile.fits, profile });
  }
  const missing = missingRows(SLIDES);
  const { loops, seeds } = options;
  if (loops < PUBLISHED_SAMPLES) {
    port.out(
      `note: the talk's minima are of ${PUBLISHED_SAMPLES} samples, these of ${loops}: not compared\n`,
    );
  }
  port.out(`${loops} loops, seeds ${seeds.join(", ")}\n\n${residualLines(rows, columns).join("\n")}\n`);
  if (missing.length > 0) port.out(`not run, no example does it yet: ${missing.join(", ")}\n`);
  for (const { name, profile } of columns) {
    port.out(`\n${name}: ${profile.fits.length} fits, ${freeCount(profile)} with a free parameter\n`);
    port.out(`${provenanceLines(profile, rows).join("\n")}\n`);
    const fitted = fittedRows(profile.fits);
    if (name !== "default" && fitted.some((row) => !row.startsWith("slide25/"))) {
      const foreign = foreignFits(profile, [25]);
      port.out(`not calibrated on slide 25 alone: ${foreign.join(", ")}; ${name} has to give a prior\n`);
    }
  }
  return 0;
}

function freeCount(profile: LabProfile): number {
  return profile.fits.filter(({ free }) => free !== undefined).length;
}
