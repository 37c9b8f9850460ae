/**
 * Brace expansion: `{a,b}`, `{0..3}`, `{00..10..5}`, `{a..e}`. It comes before every other expansion and looks only
 * at characters that are not quoted.
 *
 * *Document*: "Brace Expansion" of the bash manual.
 *
 * @module
 */
import type { Word, WordPart } from "../syntax/ast.ts";
import { limitedWords } from "../syntax/limited.ts";

/** A character as typed, or a part that braces do not look into. */
type Atom = string | WordPart;

/** The words that a word stands for: itself if it has no braces. */
export function expandBraces(word: Word): Word[] {
  if (!word.parts.some((part) => part.kind === "literal" && part.text.includes("{"))) return [word];
  const atoms = word.parts.flatMap((part): Atom[] => part.kind === "literal" ? [...part.text] : [part]);
  const expanded = expand(atoms);
  if (expanded.length === 1) return [word];
  return expanded.map((list) => ({ kind: "word", span: word.span, parts: joinAtoms(list) }));
}

/** Braces come before parameters, so that what stands behind `$x` in `$x{a,b}` becomes part of its name. */
function joinAtoms(atoms: readonly Atom[]): WordPart[] {
  const parts: WordPart[] = [];
  for (const atom of atoms) {
    const last = parts[parts.length - 1];
    if (typeof atom !== "string") parts.push(atom);
    else if (last?.kind === "parameter" && last.isBare && /\w/.test(atom)) {
      parts[parts.length - 1] = { ...last, name: last.name + atom };
    } else if (last?.kind === "literal") {
      parts[parts.length - 1] = { kind: "literal", text: last.text + atom };
    } else parts.push({ kind: "literal", text: atom });
  }
  return parts;
}

function expand(atoms: readonly Atom[]): Atom[][] {
  for (let open = 0; open < atoms.length; open++) {
    if (atoms[open] !== "{") continue;
    const group = groupAt(atoms, open);
    if (group === undefined) continue;
    const before = atoms.slice(0, open);
    const after = expand(atoms.slice(group.end + 1));
    limitedWords(group.choices.length * after.length);
    return group.choices.flatMap((choice) => after.map((rest) => [...before, ...choice, ...rest]));
  }
  return [[...atoms]];
}

/** The alternatives of the group that opens at `open`; undefined if it is none. */
function groupAt(atoms: readonly Atom[], open: number): { choices: Atom[][]; end: number } | undefined {
  let depth = 0;
  let start = open + 1;
  const pieces: Atom[][] = [];
  for (let i = open; i < atoms.length; i++) {
    const atom = atoms[i];
    if (atom === "{") depth++;
    else if (atom === "," && depth === 1) {
      pieces.push(atoms.slice(start, i));
      start = i + 1;
    } else if (atom === "}" && --depth === 0) {
      const last = atoms.slice(start, i);
      if (pieces.length > 0) return { choices: [...pieces, last].flatMap(expand), end: i };
      const range = last.every((a) => typeof a === "string") ? rangeOf(last.join("")) : undefined;
      return range === undefined ? undefined : { choices: range.map((text) => [...text]), end: i };
    }
  }
  return undefined;
}

function rangeOf(text: string): string[] | undefined {
  const numbers = /^(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?$/.exec(text);
  const letters = /^([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?$/.exec(text);
  const match = numbers ?? letters;
  if (match === null) return undefined;
  const [, from = "", to = "", by = "1"] = match;
  const value = (s: string) => numbers ? Number(s) : s.charCodeAt(0);
  const [first, last, step] = [value(from), value(to), Math.abs(Number(by)) || 1];
  const padded = numbers !== null && [from, to].some((s) => /^-?0\d/.test(s));
  const width = padded ? Math.max(from.length, to.length) : 0;
  const result: string[] = [];
  limitedWords(Math.floor(Math.abs(last - first) / step) + 1);
  const direction = first <= last ? 1 : -1;
  for (let n = first; direction * (last - n) >= 0; n += direction * step) {
    const sign = n < 0 ? "-" : "";
    result.push(
      numbers ? sign + String(Math.abs(n)).padStart(width - sign.length, "0") : String.fromCharCode(n),
    );
  }
  return result;
}
