import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `seq`. */
const doc = `seq - numbers, one a line
Usage: seq [-w] [-s SEPARATOR] [FIRST [STEP]] LAST
Effects: writes the numbers from FIRST (1) to LAST by STEP (1), one a line; -w with equal width
Exit status: 0, or 1 if an operand is no number
Errors: invalid floating point argument: 'TEXT'; missing operand
Differs from the real one: no -f; at most a million numbers
Examples: seq 3
  seq -w -s , 8 12`;

export const seq: Command = {
  name: "seq",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "ws:", "number");
    if (typeof options === "string") return context.complain(options);
    const { flags, values, operands: args } = options;
    if (args.length === 0) return context.complain("missing operand");
    if (args.length > 3) return context.complain(`extra operand '${args[3]}'`);
    const bad = args.find((text) => !/^[-+]?(\d+\.?\d*|\.\d+)$/.test(text));
    if (bad !== undefined) return context.complain(`invalid floating point argument: '${bad}'`);
    const last = Number(args[args.length - 1]);
    const first = args.length > 1 ? Number(args[0]) : 1;
    const step = args.length > 2 ? Number(args[1]) : 1;
    if (step === 0) return context.complain(`invalid Zero increment value: '${args[1]}'`);
    const decimals = Math.max(...args.map((text) => text.split(".")[1]?.length ?? 0));
    const count = Math.floor((last - first) / step + 1e-9) + 1;
    if (count > 1e6) return context.complain(`${count} numbers: more than a million are not written`);
    const texts: string[] = [];
    for (let i = 0; i < count; i++) texts.push((first + i * step).toFixed(decimals));
    if (texts.length === 0) return 0;
    const width = flags.has("w") ? Math.max(...texts.map((text) => text.length)) : 0;
    const padded = texts.map((text) =>
      text.startsWith("-") ? "-" + text.slice(1).padStart(width - 1, "0") : text.padStart(width, "0")
    );
    context.out(padded.join(values.get("s") ?? "\n") + "\n");
    return 0;
  },
};
