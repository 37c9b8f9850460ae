/**
 * Marks in a text that is shown again: which of its words have changed.
 *
 * @module
 */

const wordsOf = (line: string): string[] => line.trim().split(/\s+/);
const flat = (line: string): string => wordsOf(line).join(" ");

/**
 * The lines; where some are not as in `before`, those have a `*` at their beginning, and one in the blank before what is
 * another there, so that columns stay where they are.
 */
export function markedLines(lines: readonly string[], before: readonly string[]): readonly string[] {
  const old = new Set(before.map(flat)), now = new Set(lines.map(flat));
  if (lines.every((line) => old.has(flat(line)))) return lines;
  const gone = before.map((line, i) => ({ i, words: wordsOf(line) })).filter(({ i }) =>
    !now.has(flat(before[i]!))
  );
  const counterpart = (line: string, at: number): readonly string[] | undefined => {
    const [first] = wordsOf(line);
    let found = gone.findIndex(({ words }) => words[0] === first);
    if (found < 0 && lines.length === before.length) found = gone.findIndex(({ i }) => i === at);
    return found < 0 ? undefined : gone.splice(found, 1)[0]!.words;
  };
  return lines.map((line, i) => {
    if (line.trim() === "") return line;
    if (old.has(flat(line))) return `  ${line}`;
    const was = counterpart(line, i);
    return `* ${was === undefined ? line : markedWords(line, was)}`;
  });
}

/** The line with a mark before each word that is not one of `was` in its place. */
function markedWords(line: string, was: readonly string[]): string {
  const words = wordsOf(line);
  let same = 0; // words that both begin with
  while (same < words.length && words[same] === was[same]) same++;
  let sameEnd = 0; // and end with
  while (
    sameEnd < Math.min(words.length, was.length) - same && words.at(-1 - sameEnd) === was.at(-1 - sameEnd)
  ) {
    sameEnd++;
  }
  const hasChanged = (i: number) =>
    words.length === was.length ? words[i] !== was[i] : i >= same && i < words.length - sameEnd;
  let i = -1;
  return line.replace(/(\s*)(\S+)/g, (text, blanks: string, word: string) => {
    i++;
    const isMarked = blanks === " " && i > 0 && hasChanged(i - 1); // with the word before it
    return hasChanged(i) && !isMarked && blanks.endsWith(" ") ? `${blanks.slice(0, -1)}*${word}` : text;
  });
}
