import { isErrno } from "../shell/ports.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `touch`. */
const doc = `touch - makes empty files, or gives files the present time
Usage: touch [-c] FILE…
Effects: makes each file that is not there; -c does not; one that is there gets the present time
Exit status: 0, or 1 if one could not be made
Errors: cannot touch 'PATH': STRERROR; missing file operand
Differs from the real one: no other options; files that a kernel computes keep their times
Examples: touch /tmp/a; ls /tmp`;

export const touch: Command = {
  name: "touch",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "c", "anywhere");
    if (typeof options === "string") return context.complain(options);
    if (options.operands.length === 0) return context.complain("missing file operand");
    const { shell } = context, { vfs } = shell.machine;
    let status = 0;
    for (const path of options.operands) {
      const absolute = shell.resolve(path);
      if (!isErrno(vfs.touch(absolute) ?? 0) || options.flags.has("c")) continue;
      const file = vfs.open(absolute, { write: true, create: true });
      if (isErrno(file)) status = context.complain(`cannot touch '${path}': ${file.message}`);
      else file.close();
    }
    return status;
  },
};
