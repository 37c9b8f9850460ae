import { LoopJump, ShellExit } from "../shell/state.ts";
import type { Command, CommandContext } from "./command.ts";
import { numberOperand } from "./number_operand.ts";

/** `break`. */
const doc = `break - leaves a loop
Usage: break [N]
Effects: leaves the innermost N loops, one without N
Exit status: 0, or 1 if N is less than 1: then every loop is left
Errors: none outside of loops, where it does nothing, as in bash --posix; N: loop count out of range;
  N: numeric argument required, too many arguments, which end the shell
Differs from the real one: in nothing
Examples: for i in 1 2 3; do [ $i = 2 ] && break; echo $i; done`;

export const breakCommand: Command = {
  name: "break",
  kind: "special",
  doc,
  run: (context) => leaveLoops(context, "break"),
};

/** The common body of `break` and `continue`. */
export function leaveLoops(context: CommandContext, kind: "break" | "continue"): number {
  const { loopDepth } = context.shell;
  if (loopDepth === 0) return 0;
  const count = numberOperand(context) ?? 1n;
  if (typeof count === "string") throw new ShellExit(context.shell.status | 128);
  if (count <= 0n) {
    throw new LoopJump("break", loopDepth, context.complain(`${count}: loop count out of range`));
  }
  throw new LoopJump(kind, Math.min(Number(count), loopDepth));
}
