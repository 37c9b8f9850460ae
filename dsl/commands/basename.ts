import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `basename`. */
const doc = `basename - the last part of a path
Usage: basename PATH [SUFFIX]
  basename -a [-s SUFFIX] PATH…
Effects: writes the last part of a path, without SUFFIX; -a of each path, -s does so without a suffix
Exit status: 0, or 1 if the operands are wrong
Errors: missing operand; extra operand 'TEXT'
Differs from the real one: no -z
Examples: basename /sys/bus/pci/drivers/ixgbe
  basename rows.txt .txt`;

export const basename: Command = {
  name: "basename",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "as:", "first", { "multiple": "a", "suffix": "s" });
    if (typeof options === "string") return context.misuse(options);
    const { flags, values, operands } = options;
    if (operands.length === 0) return context.misuse("missing operand");
    const each = flags.has("a") || flags.has("s");
    if (!each && operands.length > 2) return context.misuse(`extra operand '${operands[2]}'`);
    const suffix = values.get("s") ?? (each ? "" : operands[1] ?? "");
    for (const path of each ? operands : operands.slice(0, 1)) {
      const base = /^\/+$/.test(path) ? "/" : path.replace(/\/+$/, "").replace(/^.*\//, "");
      const keep = suffix === "" || base === suffix || !base.endsWith(suffix);
      context.out((keep ? base : base.slice(0, -suffix.length)) + "\n");
    }
    return 0;
  },
};
