import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `seq`. */
const doc = `seq - numbers, one a line
Usage: seq [-w] [-f FORMAT] [-s SEPARATOR] [FIRST [STEP]] LAST
Effects: writes the numbers from FIRST (1) to LAST by STEP (1), one a line; -w with equal width, -f as
  FORMAT says: %g %f %e with a width and a precision
Exit status: 0, or 1 if an operand is no number
Errors: invalid floating point argument: 'TEXT'; missing operand
Differs from the real one: at most a million numbers
Examples: seq 3
  seq -w -s , 8 12`;

export const seq: Command = {
  name: "seq",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "wf:s:", "number", {
      "separator": "s",
      "format": "f",
      "equal-width": "w",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, values, operands: args } = options;
    if (args.length === 0) return context.misuse("missing operand");
    if (args.length > 3) return context.misuse(`extra operand '${args[3]}'`);
    const bad = args.find((text) => !/^[-+]?(\d+\.?\d*|\.\d+)$/.test(text));
    if (bad !== undefined) return context.misuse(`invalid floating point argument: '${bad}'`);
    const last = Number(args[args.length - 1]);
    const first = args.length > 1 ? Number(args[0]) : 1;
    const step = args.length > 2 ? Number(args[1]) : 1;
    if (step === 0) return context.misuse(`invalid Zero increment value: '${args[1]}'`);
    const decimals = Math.max(...args.map((text) => text.split(".")[1]?.length ?? 0));
    const count = Math.floor((last - first) / step + 1e-9) + 1;
    if (count > 1e6) return context.complain(`${count} numbers: more than a million are not written`);
    const texts: string[] = [];
    for (let i = 0; i < count; i++) texts.push((first + i * step).toFixed(decimals));
    if (texts.length === 0) return 0;
    const width = flags.has("w") ? Math.max(...texts.map((text) => text.length)) : 0;
    const format = values.get("f");
    if (format !== undefined) {
      const formatted = texts.map((text) => formatNumber(format, Number(text)));
      if (formatted[0] === undefined) return context.complain(`format '${format}' has no % directive`);
      context.out(formatted.join(values.get("s") ?? "\n") + "\n");
      return 0;
    }
    const padded = texts.map((text) =>
      text.startsWith("-") ? "-" + text.slice(1).padStart(width - 1, "0") : text.padStart(width, "0")
    );
    context.out(padded.join(values.get("s") ?? "\n") + "\n");
    return 0;
  },
};

/** A format with one directive of printf's for numbers; undefined where it has none, or one that is not taken. */
function formatNumber(format: string, value: number): string | undefined {
  const parts = /^((?:[^%]|%%)*)%([-0+ ]*)(\d*)(?:\.(\d*))?([gfe])((?:[^%]|%%)*)$/.exec(format);
  if (parts === null) return undefined;
  const { 1: before = "", 2: flags = "", 3: width = "", 4: precision, 5: letter, 6: after = "" } = parts;
  const digits = precision === undefined ? 6 : Number(precision);
  let text = letter === "f"
    ? value.toFixed(digits)
    : letter === "e"
    ? value.toExponential(digits).replace(/e([-+])(\d)$/, "e$10$2")
    : String(Number(value.toPrecision(Math.max(1, digits))));
  if (flags.includes("+") && value >= 0) text = `+${text}`;
  const padded = flags.includes("-")
    ? text.padEnd(Number(width))
    : flags.includes("0")
    ? text.replace(/^[-+]?/, (sign) => sign + "0".repeat(Math.max(0, Number(width) - text.length)))
    : text.padStart(Number(width));
  return `${before}${padded}${after}`.replaceAll("%%", "%");
}
