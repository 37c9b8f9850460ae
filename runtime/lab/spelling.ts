/**
 * "Did you mean …?": the known word that a misspelt one most probably stands for.
 *
 * @module
 */

/** The number of inserted, deleted, replaced or swapped adjacent characters between two words. */
export function editDistance(a: string, b: string): number {
  // Optimal string alignment: three rows of the table are enough, because a swap looks two rows back.
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replaced, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** Case and separators are no part of a spelling: `vmExit`, `vm-exit` and `VM_EXIT` are one word. */
function plain(word: string): string {
  return word.toLowerCase().replace(/[-_ .]/g, "");
}

/**
 * The candidate nearest to `word`, or undefined if none is near: at most a third of its letters may be wrong, and
 * never more than three. Of equally near candidates one that begins with the word is taken (what was typed is often an
 * abbreviation), else the first one.
 */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(word);
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.max(1, Math.floor(wanted.length / 3))) + 1;
  for (const candidate of candidates) {
    const known = plain(candidate);
    if (Math.abs(known.length - wanted.length) > bestDistance) continue;
    const distance = editDistance(wanted, known);
    const completes = distance === bestDistance && best !== undefined &&
      known.startsWith(wanted) && !plain(best).startsWith(wanted);
    if (distance < bestDistance || completes) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
