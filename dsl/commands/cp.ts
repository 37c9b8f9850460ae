import type { Coroutine, Request } from "../shell/jobs.ts";
import { type Errno, isErrno } from "../shell/ports.ts";
import type { Command, CommandContext } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `cp`. */
const doc = `cp - copies files
Usage: cp [-frRT] SOURCE… DESTINATION
Effects: writes what is in SOURCE to DESTINATION, or into it where that is a directory; -r with directories and what is in
  them
Exit status: 0, or 1 if one could not be copied
Errors: cannot stat 'PATH': STRERROR; -r not specified; omitting directory 'PATH'; cannot create regular file 'PATH':
  STRERROR; error reading 'PATH': STRERROR; missing file operand; target 'PATH' is not a directory
Differs from the real one: no -a, -p, -i, -n, -u, -v, -t; links are followed
Examples: cp /proc/cpuinfo /tmp/cpus; wc -l < /tmp/cpus`;

export const cp: Command = {
  name: "cp",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "frRT", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { flags, operands } = options;
    const target = destinationOf(context, operands, flags.has("T"));
    if (typeof target === "number") return target;
    let status = 0;
    for (const { path, from, name, to } of target) {
      status = (yield* copyTree(context, { path, from, name, to }, flags.has("r") || flags.has("R"))) ||
        status;
    }
    return status;
  },
};

/** What is copied or moved, as it was typed and as the tree has it. */
export interface Transfer {
  readonly path: string;
  readonly from: string;
  readonly name: string;
  readonly to: string;
}

/** Where each operand but the last goes; a number is the status of what is wrong with them. */
export function destinationOf(
  context: CommandContext,
  operands: readonly string[],
  isFile: boolean,
): Transfer[] | number {
  const { shell } = context;
  const target = operands.at(-1), sources = operands.slice(0, -1);
  if (target === undefined) return context.complain("missing file operand");
  if (sources.length === 0) return context.complain(`missing destination file operand after '${target}'`);
  const stat = shell.machine.vfs.stat(shell.resolve(target));
  const isDirectory = !isFile && !isErrno(stat) && stat.kind === "directory";
  if (sources.length > 1 && !isDirectory) return context.complain(`target '${target}' is not a directory`);
  return sources.map((path) => {
    const base = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
    const name = isDirectory ? `${target.replace(/\/$/, "")}/${base}` : target;
    return { path, from: shell.resolve(path), name, to: shell.resolve(name) };
  });
}

function* copyTree(context: CommandContext, transfer: Transfer, recursive: boolean): Coroutine {
  const { path, from, name, to } = transfer;
  const { shell: { machine: { vfs } } } = context;
  const stat = vfs.stat(from);
  if (isErrno(stat)) return context.complain(`cannot stat '${path}': ${stat.message}`);
  if (stat.kind !== "directory") {
    const failed = yield* copyFile(context, from, to);
    if (failed === undefined) return 0;
    const { error, reading } = failed;
    return context.complain(
      reading
        ? `error reading '${path}': ${error.message}`
        : `cannot create regular file '${name}': ${error.message}`,
    );
  }
  if (!recursive) return context.complain(`-r not specified; omitting directory '${path}'`);
  if (`${to}/`.startsWith(`${from}/`)) {
    return context.complain(`cannot copy a directory, '${path}', into itself, '${name}'`);
  }
  const made = isErrno(vfs.stat(to)) ? vfs.mkdir(to) : undefined;
  if (isErrno(made)) return context.complain(`cannot create directory '${name}': ${made.message}`);
  const names = vfs.list(from);
  let status = 0;
  for (const each of isErrno(names) ? [] : names) {
    const inner = {
      path: `${path}/${each}`,
      from: `${from}/${each}`,
      name: `${name}/${each}`,
      to: `${to}/${each}`,
    };
    status = (yield* copyTree(context, inner, recursive)) || status;
  }
  return status;
}

/** Copies one file; answers what went wrong, and whether it was the reading. */
export function* copyFile(
  context: CommandContext,
  from: string,
  to: string,
): Generator<Request, { readonly error: Errno; readonly reading: boolean } | undefined, unknown> {
  const text = yield* context.readFile(from);
  if (isErrno(text)) return { error: text, reading: true };
  const error = yield* context.writeFile(to, text);
  return error && { error, reading: false };
}
