import { provenanceText, tableLines } from "../../runtime/measure/table.ts";
import { type Fit, fitRowsText } from "../../runtime/lab/calibration.ts";
import type { LabProfile } from "../../runtime/lab/defaults.ts";
import type { Command } from "../commands/command.ts";
import { nextParts } from "../session/dotted_names.ts";
import type { Session } from "../session/session.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** `params`. */
const doc = `params - the parameters of the model
Usage: params [PATH]
Effects: prints the parameters of the model, all or those at and below PATH: value, kind and source of each, how many of
  each kind they are, and of the calibrated ones which were fitted together, to which rows of the talk, and what in them
  identifies them: * is the one that stands for its fit. published: by the talk; literature: from other work, or source
  code; calibrated: so that a published result comes out; assumed: nobody has checked it
Exit status: 0; 1 if there is no such path
Examples: params hw.processor
  params kvm`;

/** The word of a session. */
export function params(session: Session): Command {
  return {
    name: "params",
    kind: "laboratory",
    doc,
    complete: (before, word) =>
      before.length > 0 ? [] : nextParts(session.lab.options.profile.list().map(({ path }) => path), word),
    run(context) {
      const [path = "", ...more] = context.args;
      if (more.length > 0) return context.complain("expected params [PATH]", 2);
      const { profile } = session.lab.options;
      const list = profile.list(path);
      if (list.length === 0) {
        const known = profile.list().flatMap((each) => [each.path, each.path.replace(/\.[^.]*$/, "")]);
        return context.complain(unknownName("parameter", path, [...new Set(known)]));
      }
      for (const line of parameterLines(profile, path)) context.out(`${line}\n`);
      return 0;
    },
  };
}

/** The parameters at and below `path` with value, kind and source; the fits they belong to; how many of each kind. */
export function parameterLines(profile: LabProfile, path: string): string[] {
  const list = profile.list(path);
  const fits = profile.fits.filter(({ parameters }) => list.some((each) => parameters.includes(each.path)));
  const columns = [
    { title: "parameter", align: "left" },
    { title: "value" },
    { title: "kind", align: "left" },
    { title: "fit", align: "left" },
    { title: "source", align: "left" },
  ] as const;
  const rows = list.map((each) => {
    const fit = fits.find(({ parameters }) => parameters.includes(each.path));
    const name = fit === undefined ? "-" : `${fit.name}${fit.free?.path === each.path ? "*" : ""}`;
    return [each.path, each.written, each.kind, name, each.source];
  });
  const counts = provenanceText(profile.provenance([path])).replace("rests on ", "");
  return [
    ...tableLines(columns, rows),
    ...(fits.length === 0 ? [] : ["", ...fitLines(fits)]),
    "",
    `${counts} (profile ${profile.name}, ${profile.hash})`,
  ];
}

/** What was fitted together, to what, and why it can be. */
function fitLines(fits: readonly Fit[]): string[] {
  const columns = ["fit", "fitted to", "identified by"].map((title) => ({ title, align: "left" }) as const);
  return tableLines(columns, fits.map((fit) => [fit.name, fitRowsText(fit.rows), fit.identifiedBy]));
}
