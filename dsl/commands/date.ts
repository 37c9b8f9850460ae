import { epoch } from "../shell/special_variables.ts";
import { type Instant, strftime } from "../text/strftime.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `date`. */
const doc = `date - the time of the computer
Usage: date [-u] [-R] [-I[FORM]] [-d @SECONDS] [+FORMAT]
Effects: writes the time of the model, which begins with the boot of the computer in 2012, by FORMAT as strftime has it, with
  %N for nanoseconds; -I as ISO 8601 has it (date, hours, minutes, seconds, ns), -R as mails do; -d another instant
Exit status: 0, or 1 on a wrong argument
Errors: invalid date 'TEXT'; extra operand 'TEXT'
Differs from the real one: the zone is UTC; -d takes @SECONDS and now; the time cannot be set; no -f, -r
Examples: date +%s.%N
  date -Iseconds`;

const ISO: Readonly<Record<string, string>> = {
  "": "%Y-%m-%d",
  "date": "%Y-%m-%d",
  "hours": "%Y-%m-%dT%H%:z",
  "minutes": "%Y-%m-%dT%H:%M%:z",
  "seconds": "%Y-%m-%dT%H:%M:%S%:z",
  "ns": "%Y-%m-%dT%H:%M:%S,%N%:z",
};

export const date: Command = {
  name: "date",
  kind: "filter",
  doc,
  run(context) {
    let iso: string | undefined;
    const args = context.args.filter((argument) => {
      const form = /^(?:-I|--iso-8601=?)(.*)$/.exec(argument)?.[1];
      iso = form ?? iso;
      return form === undefined;
    });
    const options = parseOptions(args, "uRd:s:", "anywhere", {
      "utc": "u",
      "universal": "u",
      "rfc-email": "R",
      "date": "d",
      "set": "s",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, values, operands } = options;
    if (flags.has("s")) return context.complain("setting the time is not modelled");
    if (operands.length > 1) return context.misuse(`extra operand '${operands[1]}'`);
    const [given] = operands;
    if (given !== undefined && !given.startsWith("+")) return context.complain(`invalid date '${given}'`);
    if (iso !== undefined && !Object.hasOwn(ISO, iso)) {
      return context.misuse(`invalid argument '${iso}' for '--iso-8601'`);
    }
    const other = values.get("d");
    const instant = other === undefined || other === "now" ? epoch(context.shell) : instantOf(other);
    if (instant === undefined) return context.complain(`invalid date '${other}'`);
    const format = given?.slice(1) ?? (iso !== undefined ? ISO[iso]! : undefined) ??
      (flags.has("R") ? "%a, %d %b %Y %H:%M:%S %z" : "%a %b %e %H:%M:%S UTC %Y");
    const answer = strftime(format, instant);
    if ("refused" in answer) return context.complain(`${answer.refused}: not taken`);
    context.out(`${answer.text}\n`);
    return 0;
  },
};

/** `@SECONDS`. */
function instantOf(text: string): Instant | undefined {
  const form = /^@(-?\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (form === null) return undefined;
  return { seconds: Number(form[1]), nanoseconds: Number((form[2] ?? "").padEnd(9, "0")) };
}
