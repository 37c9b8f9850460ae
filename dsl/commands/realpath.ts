import { isErrno } from "../shell/ports.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";
import { canonical } from "./readlink.ts";

/** `realpath`. */
const doc = `realpath - paths without links
Usage: realpath [-emq] PATH…
Effects: writes each path without links, . and ..; its last place may be missing, with -m any, with -e none; -q without
  messages
Exit status: 0, or 1 if something is missing
Errors: PATH: No such file or directory; missing operand
Differs from the real one: no -L, -P, -s, -z, --relative-to
Examples: realpath /sys/bus/pci/devices/0000:05:00.0/driver`;

export const realpath: Command = {
  name: "realpath",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "emq", "anywhere", {
      "canonicalize-existing": "e",
      "canonicalize-missing": "m",
      "quiet": "q",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, operands } = options;
    if (operands.length === 0) return context.misuse("missing operand");
    const { shell } = context;
    let status = 0;
    for (const path of operands) {
      const found = canonical(shell, path, flags.has("e") ? "all" : flags.has("m") ? "nothing" : "parent");
      if (found !== undefined) {
        context.out(found + "\n");
        continue;
      }
      status = 1;
      const error = shell.machine.vfs.realpath(shell.resolve(path));
      if (!flags.has("q")) {
        context.complain(`${path}: ${isErrno(error) ? error.message : "No such file or directory"}`);
      }
    }
    return status;
  },
};
