import type { Command } from "./command.ts";

/** `dirname`. */
const doc = `dirname - a path without its last part
Usage: dirname PATH…
Effects: writes each path without its last part
Exit status: 0, or 1 without an operand
Errors: missing operand
Differs from the real one: no -z
Examples: dirname /sys/bus/pci/drivers/ixgbe`;

export const dirname: Command = {
  name: "dirname",
  kind: "filter",
  doc,
  run(context) {
    if (context.args.length === 0) return context.misuse("missing operand");
    for (const path of context.args) {
      const stripped = path.replace(/\/+$/, "");
      const slash = stripped.lastIndexOf("/");
      const parent = stripped.slice(0, slash).replace(/\/+$/, "");
      context.out((stripped === "" && path !== "" ? "/" : slash === -1 ? "." : parent || "/") + "\n");
    }
    return 0;
  },
};
