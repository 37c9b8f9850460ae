import type { Coroutine } from "../shell/jobs.ts";
import { isErrno } from "../shell/ports.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `mapfile`. */
const doc = `mapfile - lines of standard input into an array
Usage: mapfile [-t] [-d DELIMITER] [-n COUNT] [-s COUNT] [-O ORIGIN] [-u FD] [NAME]
Effects: makes an array (MAPFILE) of the lines, with their newlines, without them with -t; -n at most so many, -s without the
  first, -O from this index on without clearing the array
Exit status: 0, or 1 if the array is none or the descriptor is not open
Errors: \`NAME': not a valid identifier; N: invalid file descriptor; N: invalid line count
Differs from the real one: no -C, -c
Examples: mapfile -t lines < /proc/cpuinfo; echo \${#lines[@]}`;

const taken = "tC:c:d:n:s:O:u:";

const run: Command["run"] = function* (context): Coroutine {
  const options = parseOptions(context.args, taken);
  if (typeof options === "string") return context.complain(options, 2);
  const { flags, values, operands } = options;
  for (const letter of ["C", "c"]) {
    if (values.has(letter)) return context.complain(`-${letter}: not in this language`, 2);
  }
  for (const [letter, what] of [["n", "line count"], ["s", "line count"], ["O", "array origin"]] as const) {
    const value = values.get(letter);
    if (value !== undefined && !/^\d+$/.test(value)) return context.complain(`${value}: invalid ${what}`);
  }
  const name = operands[0] ?? "MAPFILE";
  if (!/^[A-Za-z_]\w*$/.test(name)) return context.complain(`\`${name}': not a valid identifier`);
  const { shell } = context;
  const fd = values.get("u") ?? "0";
  const description = shell.descriptors.get(Number(fd));
  if (description === undefined) {
    return context.complain(`${fd}: invalid file descriptor: Bad file descriptor`);
  }
  const array = shell.array(name);
  if (!values.has("O")) array.clear();
  const [first, skip] = [Number(values.get("O") ?? 0), Number(values.get("s") ?? 0)];
  const most = Number(values.get("n") ?? 0) || Infinity;
  const delimiter = values.has("d") ? values.get("d")![0] ?? "\0" : "\n";
  const reader = { machine: shell.machine, name: context.name, launch: shell.launch([context.name]) };
  for (let i = 0; i < skip + most; i++) {
    const line = yield* description.readLine(reader, delimiter);
    if (line === undefined || isErrno(line)) break;
    const text = flags.has("t") && line.endsWith(delimiter) ? line.slice(0, -1) : line;
    if (i >= skip) array.set(String(first + i - skip), text.replaceAll("\0", ""));
  }
  return 0;
};

export const mapfile: Command = { name: "mapfile", kind: "builtin", doc, run };

/** `readarray`: the same. */
export const readarray: Command = {
  name: "readarray",
  kind: "builtin",
  doc: doc.replaceAll("mapfile", "readarray"),
  run,
};
