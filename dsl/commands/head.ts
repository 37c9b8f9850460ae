import type { Coroutine } from "../shell/jobs.ts";
import { isErrno } from "../shell/ports.ts";
import { type Command, type CommandContext, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `head`. */
const doc = `head - the first lines
Usage: head [-qv] [-n N | -N | -c BYTES] [FILE]…
Effects: writes the first N lines, 10 without a number; BYTES may have k, K, M or G behind it; -q without the names of
  several files, -v with that of one; from a pipe it takes no more than it needs
Exit status: 0, or 1 if a file cannot be read
Errors: cannot open 'PATH' for reading: STRERROR; invalid number of lines: 'TEXT'
Differs from the real one: negative counts only for -n
Examples: seq 100 | head -n 3`;

export const head: Command = {
  name: "head",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const part = readPart(context, { lines: /^-?\d+$/, bytes: /^\d+[kKMG]?$/ });
    if (typeof part === "string") return context.complain(part);
    const n = amount(part.count);
    if (part.operands.length === 0 && part.unit === "lines" && n >= 0) return yield* headOfInput(context, n);
    return yield* writeParts(context, part, () => [0, n], part.unit === "bytes" ? n : undefined);
  },
};

/** What `head` and `tail` are asked for: `count` of `unit` of each of the files `operands`. */
export interface Part {
  readonly unit: "lines" | "bytes";
  readonly count: string;
  readonly operands: readonly string[];
  /** Whether the name of a file stands before its part. */
  readonly names: boolean;
}

/** Reads the arguments of `head` and `tail`; `forms` says how a count may be written. A string is a complaint. */
export function readPart(context: CommandContext, forms: Record<Part["unit"], RegExp>): Part | string {
  const args = context.args.map((argument, i) => i === 0 ? argument.replace(/^-(\d+)$/, "-n$1") : argument);
  const options = parseOptions(args, "qvn:c:", "anywhere", {
    "lines": "n",
    "bytes": "c",
    "quiet": "q",
    "silent": "q",
    "verbose": "v",
  });
  if (typeof options === "string") return options;
  const { flags, operands, values } = options;
  const unit = values.has("c") ? "bytes" : "lines";
  const count = values.get("c") ?? values.get("n") ?? "10";
  if (!forms[unit].test(count)) return `invalid number of ${unit}: '${count}'`;
  const names = flags.has("v") || (operands.length > 1 && !flags.has("q"));
  return { unit, count, operands, names };
}

/**
 * Writes a part of each file; `range` says which of its lines or bytes, as `slice()` takes them, and `length` how much
 * is read of it at most.
 */
export function* writeParts(
  context: CommandContext,
  { unit, operands, names }: Part,
  range: (length: number) => [from: number, to?: number],
  length?: number,
): Coroutine {
  let status = 0;
  for (const [i, path] of (operands.length > 0 ? operands : ["-"]).entries()) {
    const text = yield* context.readFile(path, length);
    if (isErrno(text)) {
      status = context.complain(`cannot open '${path}' for reading: ${text.message}`);
      continue;
    }
    if (names) context.out(`${i > 0 ? "\n" : ""}==> ${path} <==\n`);
    if (unit === "bytes") context.out(text.slice(...range(text.length)));
    else {
      const lines = linesOf(text);
      context.out(lines.slice(...range(lines.length)).map((line) => line + "\n").join(""));
    }
  }
  return status;
}

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

/** A number with its unit: `4k`. */
function amount(count: string): number {
  return Number.parseInt(count) * 1024 ** "0kMG".indexOf(/[kKMG]$/.exec(count)?.[0].replace("K", "k") ?? "0");
}
