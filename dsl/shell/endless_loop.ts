/**
 * Recognises `while :; do :; done`, the talk's "infinite loop": a CPU-bound task.
 *
 * @module
 */
import type { List, Loop } from "../syntax/ast.ts";
import type { Shell } from "./state.ts";

/** Whether a list does nothing but succeed (`result` true) or fail, and changes nothing. */
function isEmpty(shell: Shell, list: List, names: readonly string[]): boolean {
  return list.items.every(({ background, command }) => {
    const [only] = command.first.commands;
    if (background || command.rest.length > 0 || command.first.commands.length > 1) return false;
    if (command.first.negated || only?.kind !== "simple" || only.redirects.length > 0) return false;
    if (only.assignments.length > 0 || only.words.length !== 1) return false;
    const [word] = only.words;
    if (word?.kind !== "word" || word.parts.length !== 1) return false;
    const [part] = word.parts;
    return part?.kind === "literal" && names.includes(part.text) && !shell.functions.has(part.text);
  });
}

/** Whether a loop turns for ever and does nothing. */
export function isEndless(shell: Shell, command: Loop): boolean {
  if (command.redirects.length > 0) return false;
  return isEmpty(shell, command.condition, command.until ? ["false"] : [":", "true"]) &&
    isEmpty(shell, command.body, [":", "true", "false"]);
}
