import { ShellExit } from "../shell/state.ts";
import type { Command } from "./command.ts";
import { numberOperand } from "./number_operand.ts";

/** `exit`. */
const doc = `exit - ends the shell
Usage: exit [N]
Effects: ends the shell, after the EXIT trap
Exit status: N modulo 256; without N that of the last command, in a trap that before it
Errors: N: numeric argument required; too many arguments
Differs from the real one: in nothing
Examples: (exit 3) || echo $?`;

export const exit: Command = {
  name: "exit",
  kind: "special",
  doc,
  run(context) {
    const status = numberOperand(context);
    if (status === undefined) throw new ShellExit(context.shell.trapStatus ?? context.shell.status, true);
    throw new ShellExit(typeof status === "string" ? 2 : Number(status & 255n), true);
  },
};
