/**
 * The message about a name that nobody knows.
 *
 * @module
 */

import { closest } from "../../runtime/lab/spelling.ts";

/** `unknown system "kvn": did you mean kvm?`, or the list of what is known where nothing is near. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const meant = closest(name, known);
  const hint = meant === undefined ? `expected one of ${known.join(", ")}` : `did you mean ${meant}?`;
  return `unknown ${what} "${name}": ${hint}`;
}
