import { isErrno } from "../ports.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `readlink`. */
const doc = `readlink - where links lead
Usage: readlink PATH…
Effects: writes where links lead, as they say it
Exit status: 0, or 1 if one is no link
Errors: none are printed, as with the real one; missing operand
Differs from the real one: no -f, -e, -m
Examples: readlink /sys/bus/pci/devices/0000:05:00.0`;

export const readlink: Command = {
  name: "readlink",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "", "anywhere");
    if (typeof options === "string") return context.complain(options);
    if (options.operands.length === 0) return context.complain("missing operand");
    let status = 0;
    for (const path of options.operands) {
      const target = context.shell.machine.vfs.readlink(context.shell.resolve(path));
      if (isErrno(target)) status = 1;
      else context.out(target + "\n");
    }
    return status;
  },
};
