/**
 * Whether a command has written what a document prints, where a line `...` stands for any lines.
 *
 * @module
 */

/** Stands for any lines, also for none. */
const ANY = "...";

/** A line of a comparison: `same` in both, `gone` only in the document, `come` only in what was written. */
export interface DiffLine {
  readonly kind: "same" | "gone" | "come";
  readonly text: string;
  /** Its place among the document's lines, from 0; of a line that has come that of the next one. */
  readonly at: number;
}

/** Whether `actual` is what `printed` says. */
export function agrees(actual: readonly string[], printed: readonly string[]): boolean {
  const parts: string[][] = [[]];
  for (const line of printed) {
    if (line === ANY) parts.push([]);
    else parts.at(-1)!.push(line);
  }
  const [first = [], ...more] = parts, last = more.pop();
  const isAt = (part: readonly string[], at: number) => part.every((line, i) => actual[at + i] === line);
  if (last === undefined) return actual.length === first.length && isAt(first, 0);
  const end = actual.length - last.length;
  if (!isAt(first, 0) || !isAt(last, end)) return false;
  let at = first.length;
  for (const part of more) { // the leftmost place is as good as any
    while (at + part.length <= end && !isAt(part, at)) at++;
    at += part.length;
    if (at > end) return false;
  }
  return at <= end;
}

/**
 * What a document is to print: `printed` where it agrees, otherwise `actual` with `...` in the places where `printed` has
 * it, as far as its lines beside them are found again, be it with other numbers.
 */
export function refreshed(actual: readonly string[], printed: readonly string[]): readonly string[] {
  if (agrees(actual, printed)) return printed;
  if (!printed.includes(ANY)) return actual;
  const result: string[] = [];
  let from = 0, fromActual = 0;
  for (const [at, atActual] of [...pairsOf(actual, printed), [printed.length, actual.length] as const]) {
    result.push(...refreshedGap(actual.slice(fromActual, atActual), printed.slice(from, at)));
    if (atActual < actual.length) result.push(actual[atActual]!);
    [from, fromActual] = [at + 1, atActual + 1];
  }
  return agrees(actual, result) ? result : actual;
}

/** The same between two lines that were found again: as many lines beside `...` as there were. */
function refreshedGap(actual: readonly string[], printed: readonly string[]): readonly string[] {
  const first = printed.indexOf(ANY), after = printed.length - 1 - printed.lastIndexOf(ANY);
  if (first === -1 || actual.length < first + after) return actual;
  return [...actual.slice(0, first), ANY, ...actual.slice(actual.length - after)];
}

/** The lines of both, put beside each other; what `...` stands for is left out. */
export function difference(actual: readonly string[], printed: readonly string[]): DiffLine[] {
  const lines: DiffLine[] = [];
  let from = 0, fromActual = 0;
  for (const [at, atActual] of [...pairsOf(actual, printed), [printed.length, actual.length] as const]) {
    const gap = printed.slice(from, at), isOpen = gap.includes(ANY);
    for (const [i, text] of gap.entries()) {
      lines.push({ kind: text === ANY ? "same" : "gone", text, at: from + i });
    }
    const literal = gap.length - gap.filter((line) => line === ANY).length;
    const come = actual.slice(fromActual, atActual);
    for (const text of isOpen ? come.slice(0, literal) : come) lines.push({ kind: "come", text, at });
    if (at === printed.length) break;
    if (printed[at] === actual[atActual]) lines.push({ kind: "same", text: printed[at]!, at });
    else {
      lines.push({ kind: "gone", text: printed[at]!, at }, {
        kind: "come",
        text: actual[atActual]!,
        at: at + 1,
      });
    }
    [from, fromActual] = [at + 1, atActual + 1];
  }
  return lines;
}

/** A line whatever its numbers are. */
function shapeOf(line: string): string {
  return line.replace(/\d[\d.]*/g, "0").replace(/\s+/g, " ");
}

/** Longest table that is filled to put lines beside each other; of longer outputs only their ends are. */
const TABLE_CELLS = 4_000_000;

/** Pairs of lines of the same shape, in order, as many as there can be: places in `printed` and in `actual`. */
function pairsOf(actual: readonly string[], printed: readonly string[]): (readonly [number, number])[] {
  const ours = actual.map(shapeOf), theirs = printed.map((line) => line === ANY ? "\n" : shapeOf(line));
  const pairs: (readonly [number, number])[] = [];
  let start = 0, end = 0;
  const most = Math.min(ours.length, theirs.length);
  while (start < most && ours[start] === theirs[start]) pairs.push([start, start++]);
  while (end < most - start && ours.at(-1 - end) === theirs.at(-1 - end)) end++;
  const rows = theirs.length - start - end, columns = ours.length - start - end;
  if (rows * columns <= TABLE_CELLS) {
    const width = columns + 1, longest = new Uint32Array((rows + 1) * width);
    for (let i = rows - 1; i >= 0; i--) {
      for (let j = columns - 1; j >= 0; j--) {
        longest[i * width + j] = theirs[start + i] === ours[start + j]
          ? 1 + longest[(i + 1) * width + j + 1]!
          : Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!);
      }
    }
    for (let i = 0, j = 0; i < rows && j < columns;) {
      if (theirs[start + i] === ours[start + j]) pairs.push([start + i++, start + j++]);
      else if (longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!) i++;
      else j++;
    }
  }
  for (let i = end; i > 0; i--) pairs.push([theirs.length - i, ours.length - i]);
  return pairs;
}
