/**
 * `set -x`: what is run, word by word, on descriptor 2.
 *
 * *Document*: "The Set Builtin" and PS4 of the bash manual; the quoting is that of bash 5.2.
 *
 * @module
 */
import { expandQuoted } from "./expand.ts";
import type { Request } from "./jobs.ts";
import { parseQuoted } from "../syntax/parse.ts";
import type { Shell } from "./state.ts";

/** A word as the trace writes it: in single quotes where a shell would read it otherwise. */
export function traceQuote(word: string): string {
  if (/^[\w@%+=:,./-][\w@%+=:,./~#-]*$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Writes a line of the trace, if there is one to be written. */
export function* trace(shell: Shell, text: string): Generator<Request, void, unknown> {
  const { options, status, substitutionStatus } = shell;
  if (!options.xtrace || text === "") return;
  const prompt = shell.get("PS4") ?? "";
  let prefix = prompt;
  if (/[$`\\]/.test(prompt)) {
    options.xtrace = false;
    try {
      prefix = yield* expandQuoted(shell, parseQuoted(prompt));
    } finally {
      options.xtrace = true;
      Object.assign(shell, { status, substitutionStatus });
    }
  }
  // The first character says how deep in substitutions, eval and sourced files it is.
  shell.err(prefix.slice(0, 1).repeat(shell.traceLevel) + prefix + text + "\n");
}

/** Writes a command: its name and its arguments. */
export function* traceFields(shell: Shell, fields: readonly string[]): Generator<Request, void, unknown> {
  yield* trace(shell, fields.map(traceQuote).join(" "));
}
