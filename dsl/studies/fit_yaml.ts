/**
 * A fitted profile as YAML: an overlay with the calibrated numbers of a stage and the fits they belong to.
 *
 * @module
 */

import { type Fit, fitRowsText } from "../../runtime/lab/calibration.ts";
import type { LabProfile } from "../../runtime/lab/defaults.ts";

/** What is written. */
export interface FittedProfile {
  readonly stage: string;
  readonly profile: LabProfile;
  /** The fits that the stage may make. */
  readonly fits: readonly Fit[];
  /** What was found for the free parameters. */
  readonly fitted: ReadonlyMap<string, number>;
  /** The file of the overlay that the stage began with: what else it gives stays, such as priors. */
  readonly overlay: string | undefined;
}

/**
 * The text of the overlay. Calibrated numbers that are not free have the values of the profile: so the overlay stays what
 * it is when the default profile is calibrated anew.
 */
export function fitYaml({ stage, profile, fits, fitted, overlay }: FittedProfile): string {
  const lines = [
    `# Written by rtkvm calibrate --stage ${stage} --yaml: the calibrated numbers as these rows alone determine them.`,
    "# The assumed ones are those of the default profile.",
    `profile: ${stage}-fit`,
    "",
    "calibration:",
    ...fits.flatMap(fitLines),
  ];
  let group: string[] = [];
  for (const { path, value, unit, written, kind, source, file } of profile.list()) {
    if (file !== overlay && !fits.some(({ parameters }) => parameters.includes(path))) continue;
    const keys = path.split(".");
    const key = keys.pop()!;
    const shared = keys.findIndex((each, i) => group[i] !== each);
    const from = shared < 0 ? keys.length : shared;
    if (group[0] !== keys[0]) lines.push("");
    for (let depth = from; depth < keys.length; depth++) lines.push(`${"  ".repeat(depth)}${keys[depth]}:`);
    group = keys;
    const now = fitted.get(path);
    const [number, inUnit] = now === undefined || now === value ? written.split(" ") : [String(now), unit];
    const fields = [`value: ${number}`, `unit: ${inUnit}`, `kind: ${kind}`, `source: ${quoted(source)}`];
    lines.push(`${"  ".repeat(keys.length)}${key}: { ${fields.join(", ")} }`);
  }
  return `${lines.join("\n")}\n`;

  function fitLines({ name, parameters, free: one, rows, identifiedBy }: Fit): string[] {
    const unit = profile.list(one?.path ?? "")[0]?.unit;
    return [
      `  ${name}:`,
      `    parameters: [${parameters.join(", ")}]`,
      ...(one === undefined
        ? []
        : [`    free: ${one.path}`, `    bounds: { from: ${one.from}, to: ${one.to}, unit: ${unit} }`]),
      `    rows: [${fitRowsText(rows)}]`,
      `    identified_by: ${quoted(identifiedBy)}`,
    ];
  }
}

function quoted(text: string): string {
  return JSON.stringify(text); // a double-quoted YAML scalar, for text without control characters
}
