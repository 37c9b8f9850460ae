/**
 * What goes beyond the limits of `limits.ts` becomes an error of the script.
 *
 * @module
 */
import { MAX_TEXT, MAX_WORDS, noMemory } from "./limits.ts";
import { ShellError } from "./shell_error.ts";

/** A count of characters, if a text may be that long. @throws {ShellError} */
export function limitedLength(length: number): number {
  if (length <= MAX_TEXT) return length;
  throw new ShellError(`a text of ${length} characters: at most ${MAX_TEXT} are taken`);
}

/** A count of words, if a command may have so many. @throws {ShellError} */
export function limitedWords(count: number): number {
  if (!(count <= MAX_WORDS)) throw new ShellError(`${count} words: at most ${MAX_WORDS} are taken`);
  return count;
}

/**
 * The error of the script that an error of the engine comes from, which has no stack left or no longer texts;
 * undefined for any other. What the named limits leave open ends here.
 */
export function engineLimit(error: unknown): ShellError | undefined {
  if (!(error instanceof RangeError)) return undefined;
  if (/call stack/.test(error.message)) return new ShellError("nested too deeply");
  if (/Invalid (?:string|array|count)|too large/.test(error.message)) return new ShellError(noMemory.message);
  return undefined;
}
