import type { Coroutine } from "../jobs.ts";
import { isErrno } from "../ports.ts";
import { type Command, type CommandContext, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `head`. */
export const doc = `Usage: head [-n N | -N | -c BYTES] [FILE]…
Effects: writes the first N lines, 10 without a number; from a pipe it takes no more than it needs
Exit status: 0, or 1 if a file cannot be read
Errors: cannot open 'PATH' for reading: STRERROR; invalid number of lines: 'TEXT'
Differs from the real one: no -q, -v; negative counts only for -n`;

export const head: Command = {
  name: "head",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const args = context.args.map((argument, i) => i === 0 ? argument.replace(/^-(\d+)$/, "-n$1") : argument);
    const options = parseOptions(args, "n:c:");
    if (typeof options === "string") return context.complain(options);
    const { operands, values } = options;
    const bytes = values.get("c");
    const count = bytes ?? values.get("n") ?? "10";
    if (!(bytes === undefined ? /^-?\d+$/ : /^\d+$/).test(count)) {
      return context.complain(`invalid number of ${bytes === undefined ? "lines" : "bytes"}: '${count}'`);
    }
    const n = Number(count);
    if (operands.length === 0 && bytes === undefined && n >= 0) return yield* headOfInput(context, n);
    let status = 0;
    for (const [i, path] of (operands.length > 0 ? operands : ["-"]).entries()) {
      const text = yield* context.readFile(path);
      if (isErrno(text)) {
        status = context.complain(`cannot open '${path}' for reading: ${text.message}`);
        continue;
      }
      if (operands.length > 1) context.out(`${i > 0 ? "\n" : ""}==> ${path} <==\n`);
      if (bytes !== undefined) context.out(text.slice(0, n));
      else for (const line of linesOf(text).slice(0, n < 0 ? n : n)) context.out(line + "\n");
    }
    return status;
  },
};

function* headOfInput(context: CommandContext, count: number): Coroutine {
  const { shell, name } = context;
  const description = shell.descriptors.get(0);
  const reader = { machine: shell.machine, name, launch: shell.launch([name]) };
  for (let i = 0; i < count; i++) {
    const line = yield* description?.readLine(reader) ?? nothing();
    if (line === undefined || isErrno(line)) break;
    context.out(line);
  }
  return 0;
}

function* nothing(): Generator<never, undefined, unknown> {}
