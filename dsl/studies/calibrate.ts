/**
 * `calibrate`: fits the free parameters of a profile to rows of the talk, and says what the rows determine.
 *
 * A stage names the profile it begins with and the rows it may look at: `idle` slide 25's five rows only, so that slides
 * 26 and 27 under its result are predictions; `refit` all of them. Free is what the profile's own fits name
 * (`runtime/profiles/calibration.yaml`), so few that each has something in the rows that identifies it.
 *
 * Every trial runs the rows with the same seeds: the difference of two trials is the parameters' alone.
 *
 * @module
 */

import type { Fit } from "../../runtime/lab/calibration.ts";
import { type LabProfile, profileWith } from "../../runtime/lab/defaults.ts";
import { NAMED_PROFILES } from "../../runtime/lab/named_profiles.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import { type Direction, directions, type FreeParameter, patternSearch } from "../../runtime/measure/fit.ts";
import { tableLines } from "../../runtime/measure/table.ts";
import { type Measured, misfit, type Target } from "../../runtime/measure/targets.ts";
import { fitYaml } from "./fit_yaml.ts";
import { measureRows, missingRows, runnableRows, targetsIn } from "./published_runs.ts";
import { foreignFits, residualLines } from "./residuals.ts";
import type { RunPool } from "./run_pool.ts";
import type { Settings } from "./run_record.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** A stage: where it begins, and the slides whose rows it may look at. */
interface Stage {
  readonly profile: string | undefined;
  readonly slides: readonly number[];
}

/** The stages by name. */
export const STAGES: ReadonlyMap<string, Stage> = new Map([
  ["idle", { profile: "idle-fit", slides: [25] }],
  ["refit", { profile: undefined, slides: [25, 26, 27] }],
]);

/** What the command line says. */
export interface CalibrateOptions {
  readonly stage: string;
  readonly loops: number;
  readonly seeds: readonly number[];
  readonly profiles: readonly ProfileText[];
  /** Names of the fits that are free; all of the stage where empty. */
  readonly only: readonly string[];
  /** The search ends after so many rounds, if not before. */
  readonly rounds: number;
  /** The fitted profile on standard output, all else on standard error. */
  readonly yaml: boolean;
}

/** Where it writes. */
export interface CalibratePort {
  out(text: string): void;
  err(text: string): void;
}

/** A fit that a program may move. */
type FreeFit = Fit & { readonly free: NonNullable<Fit["free"]> };

/** Runs a calibration; answers the exit status. */
export async function calibrate(
  options: CalibrateOptions,
  pool: RunPool,
  port: CalibratePort,
): Promise<number> {
  const { stage, loops, seeds, only, rounds, yaml } = options;
  const { profile: start, slides } = STAGES.get(stage)!;
  const missing = missingRows(slides);
  if (missing.length > 0) {
    port.err(`rtkvm: calibrate: stage ${stage} takes ${missing.join(", ")}: no example runs them yet\n`);
    return 1;
  }
  const profiles = [...start === undefined ? [] : [NAMED_PROFILES.get(start)!], ...options.profiles];
  const profile = profileWith(profiles);
  const rows = runnableRows(slides);
  const targets = targetsIn(rows);
  const staged = profile.fits.filter((fit): fit is FreeFit =>
    fit.free !== undefined && fit.rows.every((row) => rows.includes(row))
  );
  const stranger = only.find((name) => !staged.some((fit) => fit.name === name));
  if (stranger !== undefined) {
    port.err(`rtkvm: calibrate: ${unknownName("free fit", stranger, staged.map(({ name }) => name))}\n`);
    return 2;
  }
  const free = staged.filter(({ name }) => only.length === 0 || only.includes(name));
  if (free.length === 0) {
    port.err(
      `rtkvm: calibrate: no fit of ${profile.name} has a free parameter and rows of stage ${stage} only\n`,
    );
    return 1;
  }
  const say = (line: string) => yaml ? port.err(`${line}\n`) : port.out(`${line}\n`);
  say(
    `stage ${stage}: ${rows.length} rows, ${targets.length} targets, ${free.length} free ${
      free.length === 1 ? "parameter" : "parameters"
    }; ${loops} loops, ` +
      `${seeds.length} ${
        seeds.length === 1 ? "seed" : "seeds"
      }; from profile ${profile.name}, ${profile.hash}`,
  );

  const records = new Map(profile.list().map((record) => [record.path, record]));
  const parameters = free.map(({ free: { path, from, to } }): FreeParameter => ({
    ...{ name: path, from, to },
    whole: ["ns", "count"].includes(records.get(path)!.unit),
  }));
  const settingsAt = (point: readonly number[]): Settings =>
    Object.fromEntries(
      point.map((value, i) => [parameters[i]!.name, `${value}${records.get(parameters[i]!.name)!.unit}`]),
    );
  const measure = (points: readonly (readonly number[])[]) =>
    measureRows(rows, { loops, seeds, profiles }, points.map(settingsAt), pool);
  const first = parameters.map(({ name }) => records.get(name)!.value);
  let evaluations = 0;
  const result = await patternSearch(
    parameters,
    first,
    async (points) => {
      evaluations += points.length;
      return (await measure(points)).map((measured) => misfit(targets, measured));
    },
    {
      rounds,
      onRound: (round, value) =>
        say(`  round ${round}: misfit ${value.toFixed(3)} after ${evaluations} trials`),
    },
  );

  const [before] = await measure([first]), [after] = await measure([result.point]);
  say("");
  for (const line of fittedLines(free, records, result.point)) say(line);
  say("");
  const columns = [
    { name: "profile", measured: before!, fits: profile.fits },
    { name: "fitted", measured: after!, fits: profile.fits },
  ];
  for (const line of residualLines(rows, columns)) say(line);
  say("");
  const slopes = await slopesAt(result.point, parameters, targets, after!, measure);
  for (const line of directionLines(directions(slopes), parameters)) say(line);
  const foreign = foreignFits(profile, slides);
  if (foreign.length > 0) {
    say(`fitted to other slides, so ${start ?? "the profile"} has to give a prior: ${foreign.join(", ")}`);
  }
  if (yaml) {
    const fits = profile.fits.filter((fit) => fit.rows.every((row) => rows.includes(row)));
    const fitted = new Map(parameters.map(({ name }, i) => [name, result.point[i]!]));
    const overlay = start === undefined ? undefined : NAMED_PROFILES.get(start)!.file;
    port.out(fitYaml({ stage, profile, fits, fitted, overlay }));
  }
  return 0;
}

type Records = ReadonlyMap<string, ReturnType<LabProfile["list"]>[number]>;

/** The free parameters: what the profile has, what the fit found. */
function fittedLines(free: readonly FreeFit[], records: Records, point: readonly number[]): string[] {
  return tableLines(
    [
      { title: "free parameter", align: "left" },
      { title: "bounds" },
      ...["profile", "fitted", "change"].map((title) => ({ title })),
      { title: "unit", align: "left" },
      { title: "identified by", align: "left" },
    ],
    free.map(({ free: { path, from, to }, identifiedBy }, i) => {
      const { value, unit } = records.get(path)!;
      const change = value === 0 ? undefined : `${((point[i]! / value - 1) * 100).toFixed(1)} %`;
      return [path, `${from} to ${to}`, value, point[i], change, unit, identifiedBy];
    }),
  );
}

/** The change of a parameter by which slopes are taken. */
const SLOPE_STEP = 0.05;

/** How each smooth target's deviation moves with each parameter, for a change by the parameter's own value. */
async function slopesAt(
  point: readonly number[],
  parameters: readonly FreeParameter[],
  targets: readonly Target[],
  at: Measured,
  measure: (points: readonly (readonly number[])[]) => Promise<Measured[]>,
): Promise<number[][]> {
  const steps = parameters.map(({ whole }, i) => {
    const step = SLOPE_STEP * point[i]!;
    return whole ? Math.max(1, Math.round(step)) : step;
  });
  const moved = await measure(
    steps.map((step, i) => point.map((value, j) => i === j ? value + step : value)),
  );
  return targets.filter(({ smooth }) => smooth).map((target) =>
    moved.map((measured, i) => {
      const change = (target.deviation(measured) ?? 0) - (target.deviation(at) ?? 0);
      return change / (steps[i]! / Math.max(point[i]!, steps[i]!));
    })
  );
}

/** A component smaller than this share of a direction's length is not named. */
const NAMED_COMPONENT = 0.25;

/** Which combinations of parameters the rows determine, and which they do not. */
function directionLines(found: readonly Direction[], parameters: readonly FreeParameter[]): string[] {
  const flat = found.filter(({ reach }) => reach > 1).length;
  return [
    "Directions, best determined first: together the parameters may move so far before the deviations change by 1",
    ...tableLines(
      [{ title: "reach" }, { title: "direction", align: "left" }],
      found.map(({ reach, components }) => [
        reach > 10 ? "not determined" : `${(reach * 100).toFixed(reach < 0.1 ? 1 : 0)} %`,
        components
          .map((part, i) => ({ part, name: parameters[i]!.name }))
          .filter(({ part }) => Math.abs(part) >= NAMED_COMPONENT)
          .sort((a, b) => Math.abs(b.part) - Math.abs(a.part))
          .map(({ part, name }) => `${part < 0 ? "-" : "+"}${Math.abs(part).toFixed(2)} ${name}`)
          .join("  "),
      ]),
    ),
    flat === 0
      ? "every direction is determined to better than its parameters' values"
      : `${flat} of ${found.length} directions may move by more than their parameters' values: not determined`,
  ];
}
