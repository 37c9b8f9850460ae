import { isErrno } from "../shell/ports.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `rmdir`. */
const doc = `rmdir - removes empty directories
Usage: rmdir DIRECTORY…
Effects: removes empty directories, and groups of cpusets without tasks
Exit status: 0, or 1 if one could not be removed
Errors: failed to remove ‘PATH’: STRERROR
Differs from the real one: no -p, no -v
Examples: mkdir /tmp/d; rmdir /tmp/d`;

export const rmdir: Command = {
  name: "rmdir",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "", "anywhere");
    if (typeof options === "string") return context.complain(options);
    if (options.operands.length === 0) return context.complain("missing operand");
    const { vfs } = context.shell.machine;
    let status = 0;
    for (const path of options.operands) {
      const absolute = context.shell.resolve(path);
      const stat = vfs.lstat(absolute);
      const message = isErrno(stat)
        ? stat.message
        : stat.kind === "directory"
        ? vfs.remove(absolute)?.message
        : "Not a directory";
      if (message === undefined) continue;
      status = context.complain(`failed to remove ‘${path}’: ${message}`);
    }
    return status;
  },
};
