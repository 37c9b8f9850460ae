import { isErrno } from "../shell/ports.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `mkdir`. */
const doc = `mkdir - makes directories
Usage: mkdir [-p] [-m MODE] DIRECTORY…
Effects: makes directories; -p with their parents, and without complaint if they are there
Exit status: 0, or 1 if one could not be made
Errors: cannot create directory ‘PATH’: STRERROR
Differs from the real one: no -v; MODE only in octal
Examples: mkdir -p /tmp/a/b; ls /tmp/a`;

export const mkdir: Command = {
  name: "mkdir",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "pm:", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { flags, values, operands } = options;
    if (operands.length === 0) return context.complain("missing operand");
    const mode = values.get("m");
    if (mode !== undefined && !/^[0-7]+$/.test(mode)) return context.complain(`invalid mode ‘${mode}’`);
    const { vfs } = context.shell.machine;
    const bits = mode === undefined ? undefined : parseInt(mode, 8);
    let status = 0;
    for (const path of operands) {
      const absolute = context.shell.resolve(path);
      const parts = absolute.split("/").slice(1);
      const paths = flags.has("p") ? parts.map((_, i) => "/" + parts.slice(0, i + 1).join("/")) : [absolute];
      for (const one of paths) {
        const stat = flags.has("p") ? vfs.stat(one) : undefined;
        if (stat !== undefined && !isErrno(stat) && stat.kind === "directory") continue;
        const error = vfs.mkdir(one, bits);
        if (!isErrno(error)) continue;
        status = context.complain(`cannot create directory ‘${path}’: ${error.message}`);
        break;
      }
    }
    return status;
  },
};
