/**
 * What expansion, built-ins, subshells and traps ask of the interpreter, which stands above them: they get it with the
 * environment of their shell, and import nothing of it.
 *
 * @module
 */
import type * as ast from "../syntax/ast.ts";
import type { ArrayArgument, Command } from "../commands/command.ts";
import type { Coroutine } from "./jobs.ts";
import type { Shell } from "./state.ts";

/** Runs commands. */
export interface Interpreter {
  /** The built-ins and filters by name. */
  readonly commands: ReadonlyMap<string, Command>;
  /** Runs commands one after the other; the status is the last one's, 0 if there is none. */
  runList(shell: Shell, list: ast.List): Coroutine;
  /** Parses and runs text in the current shell; `firstLine` is the number of its first line. */
  runText(shell: Shell, text: string, name: string, firstLine?: number): Coroutine;
  /** Finds what the first field names and runs it. */
  runNamed(shell: Shell, fields: readonly string[], search?: Search): Coroutine;
  /** Runs a function. */
  callFunction(shell: Shell, name: string, body: ast.Command, args: readonly string[]): Coroutine;
}

/** How a command's name searches. */
export interface Search {
  readonly arrays?: ReadonlyMap<number, ArrayArgument>;
  /** What stands before the command; it has been carried out. */
  readonly assignments?: readonly ast.Assignment[];
  /** `command NAME`: functions are passed over. */
  readonly skipFunctions?: boolean;
}
