import { provenanceText, tableLines } from "../../runtime/measure/table.ts";
import { type Fit, fitRowsText } from "../../runtime/lab/calibration.ts";
import type { Command } from "../commands/command.ts";
import type { Session } from "../session.ts";
import { unknownName } from "../unknown_name.ts";

/** `params`. */
export const doc = `Usage: params [PATH]
Effects: prints the parameters of the model, all or those at and below PATH: value, kind and source of each, how many of
  each kind they are, and of the calibrated ones which were fitted together, to which rows of the talk, and what in them
  identifies them: * is the one that stands for its fit. published: by the talk; literature: from other work, or source code; calibrated: so that a
  published result comes out; assumed: nobody has checked it
Exit status: 0; 1 if there is no such path
Examples: params hw.processor
  params kvm`;

/** The word of a session. */
export function params(session: Session): Command {
  return {
    name: "params",
    kind: "laboratory",
    doc,
    run(context) {
      const [path = "", ...more] = context.args;
      if (more.length > 0) return context.complain("expected params [PATH]", 2);
      const { profile } = session.lab.options;
      const list = profile.list(path);
      if (list.length === 0) {
        const known = profile.list().flatMap((each) => [each.path, each.path.replace(/\.[^.]*$/, "")]);
        return context.complain(unknownName("parameter", path, [...new Set(known)]));
      }
      const columns = [
        { title: "parameter", align: "left" },
        { title: "value" },
        { title: "kind", align: "left" },
        { title: "fit", align: "left" },
        { title: "source", align: "left" },
      ] as const;
      const fits = profile.fits.filter(({ parameters }) =>
        list.some((each) => parameters.includes(each.path))
      );
      const rows = list.map((each) => {
        const fit = fits.find(({ parameters }) => parameters.includes(each.path));
        const name = fit === undefined ? "-" : `${fit.name}${fit.free?.path === each.path ? "*" : ""}`;
        return [each.path, each.written, each.kind, name, each.source];
      });
      for (const line of tableLines(columns, rows)) context.out(`${line}\n`);
      if (fits.length > 0) context.out(`\n${fitLines(fits).join("\n")}\n`);
      context.out(
        `\n${
          provenanceText(profile.provenance([path])).replace("rests on ", "")
        } (profile ${profile.name}, ${profile.hash})\n`,
      );
      return 0;
    },
  };
}

/** What was fitted together, to what, and why it can be. */
function fitLines(fits: readonly Fit[]): string[] {
  const columns = ["fit", "fitted to", "identified by"].map((title) => ({ title, align: "left" }) as const);
  return tableLines(columns, fits.map((fit) => [fit.name, fitRowsText(fit.rows), fit.identifiedBy]));
}
