import { LoopJump } from "../state.ts";
import type { Command, CommandContext } from "./command.ts";

/** `break`. */
export const doc = `Usage: break [N]
Effects: leaves the innermost N loops, one without N
Exit status: 0
Errors: only meaningful in a \`for', \`while', or \`until' loop; N: numeric argument required
Differs from the real one: no`;

export const breakCommand: Command = {
  name: "break",
  kind: "special",
  doc,
  run: (context) => leaveLoops(context, "break"),
};

/** The common body of `break` and `continue`. */
export function leaveLoops(context: CommandContext, kind: "break" | "continue"): number {
  const { loopDepth } = context.shell;
  const [count = "1"] = context.args;
  if (!/^\d+$/.test(count)) return context.complain(`${count}: numeric argument required`, 128);
  if (Number(count) === 0) return context.complain(`${count}: loop count out of range`);
  if (loopDepth === 0) {
    context.complain("only meaningful in a `for', `while', or `until' loop");
    return 0;
  }
  throw new LoopJump(kind, Math.min(Number(count), loopDepth));
}
