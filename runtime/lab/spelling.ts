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
 * How many mistakes two words may be apart to be near: a third of the shorter one's letters, rounded down, and never more
 * than three. Where the shorter one has but one letter or two, one letter may be missing or two may be swapped, and none
 * may be another one: that would leave too little to go by.
 */
function tolerance(wanted: string, known: string): number {
  const shorter = Math.min(wanted.length, known.length);
  if (shorter >= 3) return Math.min(3, Math.floor(shorter / 3));
  const isSwapped = wanted.length === 2 && wanted === [...known].reverse().join("");
  return shorter > 0 && (isSwapped || wanted.length !== known.length) ? 1 : 0;
}

/**
 * The candidate nearest to `word`, or undefined if none is near: {@linkcode tolerance} says how near it has to be. Of
 * equally near candidates one that begins with the word is taken (what was typed is often an abbreviation), else the
 * first one.
 */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(word);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const known = plain(candidate);
    const allowed = Math.min(bestDistance, tolerance(wanted, known));
    if (Math.abs(known.length - wanted.length) > allowed) continue;
    const distance = editDistance(wanted, known);
    if (distance > allowed) continue;
    const completes = distance === bestDistance && best !== undefined &&
      known.startsWith(wanted) && !plain(best).startsWith(wanted);
    if (distance < bestDistance || completes) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
