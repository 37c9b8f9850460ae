import { isErrno } from "../shell/ports.ts";
import type { Command, CommandContext } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `rm`. */
const doc = `rm - removes files
Usage: rm [-fr] FILE…
Effects: removes files; -r directories with what is in them, -f without complaint about what is not there
Exit status: 0, or 1 if one could not be removed
Errors: cannot remove 'PATH': STRERROR; missing operand
Differs from the real one: no -i, -d, -v
Examples: echo a > /tmp/a; rm /tmp/a`;

export const rm: Command = {
  name: "rm",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "frR", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { flags, operands } = options;
    if (operands.length === 0) return flags.has("f") ? 0 : context.complain("missing operand");
    let status = 0;
    for (const path of operands) {
      const absolute = context.shell.resolve(path);
      const stat = context.shell.machine.vfs.lstat(absolute);
      if (isErrno(stat)) {
        if (!flags.has("f")) status = context.complain(`cannot remove '${path}': ${stat.message}`);
        continue;
      }
      const recursive = flags.has("r") || flags.has("R");
      if (stat.kind === "directory" && !recursive) {
        status = context.complain(`cannot remove '${path}': Is a directory`);
      } else status = removeTree(context, path, absolute) || status;
    }
    return status;
  },
};

function removeTree(context: CommandContext, path: string, absolute: string): number {
  const { vfs } = context.shell.machine;
  const stat = vfs.lstat(absolute);
  const names = isErrno(stat) || stat.kind !== "directory" ? [] : vfs.list(absolute);
  let status = 0;
  if (!isErrno(names)) {
    for (const name of names) {
      status = removeTree(context, `${path}/${name}`, `${absolute}/${name}`) || status;
    }
  }
  const error = vfs.remove(absolute);
  return isErrno(error) ? context.complain(`cannot remove '${path}': ${error.message}`) : status;
}
