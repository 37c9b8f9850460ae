/**
 * The operand of `break`, `continue`, `exit`, `return` and `shift`: one number, or none.
 *
 * @module
 */
import { ShellExit } from "../shell/state.ts";
import type { CommandContext } from "./command.ts";

/**
 * The number, as C reads it; undefined if there is none. A text has been complained about, and is itself the answer.
 *
 * @throws {ShellExit} if there are several, which ends bash in any case
 */
export function numberOperand(context: CommandContext): bigint | undefined | string {
  const [text, ...more] = context.args[0] === "--" ? context.args.slice(1) : context.args;
  if (text === undefined) return undefined;
  const number = /^\s*[-+]?\d+\s*$/.test(text) ? BigInt(text.trim().replace(/^\+/, "")) : undefined;
  if (number === undefined || BigInt.asIntN(64, number) !== number) {
    context.complain(`${text}: numeric argument required`);
    return text;
  }
  if (more.length > 0) throw new ShellExit(context.complain("too many arguments"));
  return number;
}
