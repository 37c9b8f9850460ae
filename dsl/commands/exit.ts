import { ShellExit } from "../shell/state.ts";
import type { Command } from "./command.ts";

/** `exit`. */
const doc = `exit - ends the shell
Usage: exit [N]
Effects: ends the shell, after the EXIT trap
Exit status: N modulo 256; without N that of the last command, in a trap that before it
Errors: N: numeric argument required
Differs from the real one: in nothing
Examples: (exit 3) || echo $?`;

export const exit: Command = {
  name: "exit",
  kind: "special",
  doc,
  run(context) {
    const [status] = context.args;
    if (status === undefined) throw new ShellExit(context.shell.trapStatus ?? context.shell.status, true);
    if (!/^-?\d+$/.test(status)) {
      context.complain(`${status}: numeric argument required`);
      throw new ShellExit(2, true);
    }
    throw new ShellExit(Number(status) & 255, true);
  },
};
