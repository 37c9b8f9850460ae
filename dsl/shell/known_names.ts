/**
 * What a command line may start with.
 *
 * @module
 */
import type { Shell } from "./state.ts";

/** Every name that a command line may start with. */
export function knownNames(shell: Shell): string[] {
  const { words, interpreter } = shell.environment;
  return [
    ...interpreter.commands.keys(),
    ...words.keys(),
    ...shell.machine.programs.keys(),
    ...shell.functions.keys(),
  ];
}
