import type { Command } from "./command.ts";
import { numberOperand } from "./number_operand.ts";

/** `shift`. */
const doc = `shift - drops positional parameters
Usage: shift [N]
Effects: drops the first N positional parameters, one without N
Exit status: 0, or 1 if there are fewer
Errors: N: numeric argument required; N: shift count out of range; too many arguments, which ends the shell
Differs from the real one: in nothing
Examples: set -- a b; shift; echo $1`;

export const shift: Command = {
  name: "shift",
  kind: "special",
  doc,
  run(context) {
    const count = numberOperand(context) ?? 1n;
    if (typeof count === "string") return 1;
    const { positional } = context.shell;
    if (count < 0n || count > positional.length) {
      return context.complain(`${count}: shift count out of range`);
    }
    context.shell.positional = positional.slice(Number(count));
    return 0;
  },
};
