import type { Command } from "./command.ts";

/** `shift`. */
const doc = `shift - drops positional parameters
Usage: shift [N]
Effects: drops the first N positional parameters, one without N
Exit status: 0, or 1 if there are fewer
Errors: N: numeric argument required; N: shift count out of range
Differs from the real one: in nothing
Examples: set -- a b; shift; echo $1`;

export const shift: Command = {
  name: "shift",
  kind: "special",
  doc,
  run(context) {
    const [count = "1"] = context.args;
    if (!/^\d+$/.test(count)) return context.complain(`${count}: numeric argument required`);
    const { positional } = context.shell;
    if (Number(count) > positional.length) return context.complain(`${count}: shift count out of range`);
    context.shell.positional = positional.slice(Number(count));
    return 0;
  },
};
