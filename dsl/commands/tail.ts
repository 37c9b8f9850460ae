import type { Coroutine } from "../jobs.ts";
import { isErrno } from "../ports.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `tail`. */
export const doc = `Usage: tail [-n [+]N | -N | -c BYTES] [FILE]…
Effects: writes the last N lines, 10 without a number; with + from line N on
Exit status: 0, or 1 if a file cannot be read
Errors: cannot open 'PATH' for reading: STRERROR; invalid number of lines: 'TEXT'
Differs from the real one: no -f, -q, -v`;

export const tail: Command = {
  name: "tail",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const args = context.args.map((argument, i) => i === 0 ? argument.replace(/^-(\d+)$/, "-n$1") : argument);
    const options = parseOptions(args, "n:c:");
    if (typeof options === "string") return context.complain(options);
    const { operands, values } = options;
    const bytes = values.get("c");
    const count = bytes ?? values.get("n") ?? "10";
    if (!/^[-+]?\d+$/.test(count)) {
      return context.complain(`invalid number of ${bytes === undefined ? "lines" : "bytes"}: '${count}'`);
    }
    const n = Math.abs(Number(count));
    const from = (length: number) => count.startsWith("+") ? Math.max(0, n - 1) : Math.max(0, length - n);
    let status = 0;
    for (const [i, path] of (operands.length > 0 ? operands : ["-"]).entries()) {
      const text = yield* context.readFile(path);
      if (isErrno(text)) {
        status = context.complain(`cannot open '${path}' for reading: ${text.message}`);
        continue;
      }
      if (operands.length > 1) context.out(`${i > 0 ? "\n" : ""}==> ${path} <==\n`);
      if (bytes !== undefined) context.out(text.slice(from(text.length)));
      else {
        const lines = linesOf(text);
        context.out(lines.slice(from(lines.length)).map((line) => line + "\n").join(""));
      }
    }
    return status;
  },
};
