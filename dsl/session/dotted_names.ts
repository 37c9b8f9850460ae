/**
 * Names in parts, `cpu3.lapic.isr`, completed part by part.
 *
 * @module
 */

/** What the names that begin with `word` go on with, up to the next dot. */
export function nextParts(names: Iterable<string>, word: string): string[] {
  const parts = new Set<string>();
  for (const name of names) {
    if (!name.startsWith(word)) continue;
    const dot = name.indexOf(".", word.length);
    parts.add(dot < 0 ? name : name.slice(0, dot + 1));
  }
  return [...parts];
}
