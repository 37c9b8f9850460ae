import { limitedLength } from "../syntax/limited.ts";
import { epoch } from "../shell/special_variables.ts";
import { formatOnce } from "../text/format.ts";
import type { Command } from "./command.ts";

/** `printf`. */
const doc = `printf - writes by a format
Usage: printf [-v NAME] FORMAT [ARGUMENT]…
Effects: writes the arguments by FORMAT: %s %b %q %c, %d %i %u %o %x %X, %e %f %g, with flags, width and precision, %(FORMAT)T a
  time; the format is used again while arguments are left
Exit status: 0, or 1 if an argument is no number
Errors: TEXT: invalid number; \`C': invalid format character
Differs from the real one: no %n, %a
Examples: printf '%s 0x%02x\\n' irq 41`;

export const printf: Command = {
  name: "printf",
  kind: "builtin",
  doc,
  run(context) {
    const args = [...context.args];
    const target = args[0] === "-v" ? args.splice(0, 2)[1] : undefined;
    if (args[0] === "--") args.shift();
    const format = args.shift();
    if (format === undefined) {
      context.err("printf: usage: printf [-v var] format [arguments]\n");
      return 2;
    }
    const { shell } = context;
    const clock = {
      now: () => epoch(shell),
      started: () => shell.machine.clock().bootTime + Math.floor(shell.secondsFromNs / 1e9),
    };
    let status = 0;
    let text = "";
    const complain = (message: string) => void (status = context.complain(message));
    do {
      limitedLength(text.length);
      const before = args.length;
      const pass = formatOnce(format, args, complain, clock);
      text += pass.text;
      if (pass.stopped || args.length === before) break;
    } while (args.length > 0);
    if (target === undefined) context.out(text);
    else shell.set(target, text);
    return status;
  },
};
