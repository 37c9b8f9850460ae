import { evaluateText } from "../shell/expand.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";

/** `let`. */
const doc = `let - evaluates arithmetic
Usage: let EXPRESSION…
Effects: evaluates each expression on 64-bit integers
Exit status: 0 if the last value is not 0, otherwise 1
Errors: those of $(( ))
Differs from the real one: no comma operator
Examples: let 'mask = 1 << 3'; echo $mask`;

export const letCommand: Command = {
  name: "let",
  kind: "builtin",
  doc,
  *run(context): Coroutine {
    if (context.args.length === 0) return context.complain("expression expected");
    let value = 0n;
    for (const expression of context.args) value = yield* evaluateText(context.shell, expression);
    return value === 0n ? 1 : 0;
  },
};
