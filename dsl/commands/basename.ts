import type { Command } from "./command.ts";

/** `basename`. */
const doc = `basename - the last part of a path
Usage: basename PATH [SUFFIX]
Effects: writes the last part of a path, without SUFFIX
Exit status: 0, or 1 if the operands are wrong
Errors: missing operand; extra operand 'TEXT'
Differs from the real one: no -a, -s, -z
Examples: basename /sys/bus/pci/drivers/ixgbe
  basename rows.txt .txt`;

export const basename: Command = {
  name: "basename",
  kind: "filter",
  doc,
  run(context) {
    const [path, suffix = "", extra] = context.args;
    if (path === undefined) return context.complain("missing operand");
    if (path.startsWith("-") && path.length > 1) return context.complain(`invalid option -- '${path[1]}'`);
    if (extra !== undefined) return context.complain(`extra operand '${extra}'`);
    const base = /^\/+$/.test(path) ? "/" : path.replace(/\/+$/, "").replace(/^.*\//, "");
    const keep = suffix === "" || base === suffix || !base.endsWith(suffix);
    context.out((keep ? base : base.slice(0, -suffix.length)) + "\n");
    return 0;
  },
};
