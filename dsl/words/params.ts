import { provenanceText, tableLines } from "../../runtime/measure/table.ts";
import type { Command } from "../commands/command.ts";
import type { Session } from "../session.ts";
import { unknownName } from "../unknown_name.ts";

/** `params`. */
export const doc = `Usage: params [PATH]
Effects: prints the parameters of the model, all or those at and below PATH: value, kind and source of each, and how many
  of each kind they are. published: by the talk; literature: from other work, or source code; calibrated: so that a
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
        { title: "source", align: "left" },
      ] as const;
      const rows = list.map((each) => [each.path, each.written, each.kind, each.source]);
      for (const line of tableLines(columns, rows)) context.out(`${line}\n`);
      context.out(
        `\n${
          provenanceText(profile.provenance([path])).replace("rests on ", "")
        } (profile ${profile.name}, ${profile.hash})\n`,
      );
      return 0;
    },
  };
}
