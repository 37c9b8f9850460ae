import { isErrno } from "../shell/ports.ts";
import { copyFile, destinationOf } from "./cp.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `mv`. */
const doc = `mv - gives files another name
Usage: mv [-fT] SOURCE… DESTINATION
Effects: renames SOURCE, over a file that has the name; into DESTINATION where that is a directory. A file that goes to
  another file system is copied and removed
Exit status: 0, or 1 if one could not be moved
Errors: cannot stat 'PATH': STRERROR; cannot move 'PATH' to 'PATH': STRERROR; missing file operand;
  target 'PATH' is not a directory
Differs from the real one: no -i, -n, -b, -t, -u, -v
Examples: echo a > /tmp/a; mv /tmp/a /tmp/b; cat /tmp/b`;

export const mv: Command = {
  name: "mv",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "fT", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { shell: { machine: { vfs } } } = context;
    const target = destinationOf(context, options.operands, options.flags.has("T"));
    if (typeof target === "number") return target;
    let status = 0;
    for (const { path, from, name, to } of target) {
      const stat = vfs.lstat(from);
      if (isErrno(stat)) {
        status = context.complain(`cannot stat '${path}': ${stat.message}`);
        continue;
      }
      let error = vfs.rename(from, to);
      if (isErrno(error) && error.name === "EXDEV" && stat.kind === "file") {
        error = (yield* copyFile(context, from, to))?.error ?? vfs.remove(from);
      }
      if (isErrno(error)) status = context.complain(`cannot move '${path}' to '${name}': ${error.message}`);
    }
    return status;
  },
};
