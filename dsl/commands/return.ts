import { ShellError } from "../syntax/shell_error.ts";
import { ReturnJump } from "../shell/state.ts";
import type { Command } from "./command.ts";

/** `return`. */
const doc = `return - ends a function or sourced script
Usage: return [N]
Effects: ends the running function or sourced script
Exit status: N modulo 256; without N that of the last command
Errors: can only \`return' from a function or sourced script; N: numeric argument required
  Outside of both it ends a script, unless its failure is looked at: return || …
Differs from the real one: in nothing
Examples: f() { return 3; }; f || echo $?`;

export const returnCommand: Command = {
  name: "return",
  kind: "special",
  doc,
  run(context) {
    const { shell } = context;
    const [status] = context.args;
    if (shell.functionDepth === 0 && shell.sourceDepth === 0) {
      throw new ShellError("can only `return' from a function or sourced script", 2);
    }
    if (status === undefined) throw new ReturnJump(shell.status);
    if (!/^-?\d+$/.test(status)) return context.complain(`${status}: numeric argument required`, 2);
    throw new ReturnJump(Number(status) & 255);
  },
};
