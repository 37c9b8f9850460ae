/**
 * A fitted profile as YAML: an overlay with every calibrated number and the fits they belong to.
 *
 * @module
 */

import { type Fit, fitRowsText } from "../runtime/lab/calibration.ts";
import type { LabProfile } from "../runtime/lab/defaults.ts";

/**
 * The text of the overlay. Free parameters have the values of `point`, the other calibrated ones those of the profile:
 * so the overlay stays what it is when the default profile is calibrated anew.
 */
export function fitYaml(
  stage: string,
  profile: LabProfile,
  free: readonly string[],
  point: readonly number[],
): string {
  const fitted = new Map(free.map((path, i) => [path, point[i]!]));
  const lines = [
    `# Written by rtkvm calibrate --stage ${stage} --yaml: the calibrated numbers as these rows alone determine them.`,
    "# The assumed ones are those of the default profile.",
    `profile: ${stage}-fit`,
    "",
    "calibration:",
    ...profile.fits.flatMap(fitLines),
  ];
  let group: string[] = [];
  for (const { path, value, unit, written, source } of profile.list()) {
    if (!profile.fits.some(({ parameters }) => parameters.includes(path))) continue;
    const keys = path.split(".");
    const key = keys.pop()!;
    const shared = keys.findIndex((each, i) => group[i] !== each);
    const from = shared < 0 ? keys.length : shared;
    if (group[0] !== keys[0]) lines.push("");
    for (let depth = from; depth < keys.length; depth++) lines.push(`${"  ".repeat(depth)}${keys[depth]}:`);
    group = keys;
    const now = fitted.get(path);
    const [number, inUnit] = now === undefined || now === value ? written.split(" ") : [String(now), unit];
    const fields = [`value: ${number}`, `unit: ${inUnit}`, "kind: calibrated", `source: ${quoted(source)}`];
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
