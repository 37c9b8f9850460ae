import { ShellError } from "../syntax/shell_error.ts";
import { ReturnJump } from "../shell/state.ts";
import type { Command } from "./command.ts";
import { numberOperand } from "./number_operand.ts";

/** `return`. */
const doc = `return - ends a function or sourced script
Usage: return [N]
Effects: ends the running function or sourced script
Exit status: N modulo 256, 2 if it is no number; without N that of the last command
Errors: can only \`return' from a function or sourced script; N: numeric argument required; too many arguments
  Outside of both it ends a script, unless its failure is looked at: return || …
Differs from the real one: in nothing
Examples: f() { return 3; }; f || echo $?`;

export const returnCommand: Command = {
  name: "return",
  kind: "special",
  doc,
  run(context) {
    const { shell } = context;
    if (shell.functionDepth === 0 && shell.sourceDepth === 0) {
      throw new ShellError("can only `return' from a function or sourced script", 2);
    }
    const status = numberOperand(context);
    if (status === undefined) throw new ReturnJump(shell.status);
    throw new ReturnJump(typeof status === "string" ? 2 : Number(status & 255n));
  },
};
