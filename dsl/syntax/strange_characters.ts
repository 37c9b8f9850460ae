/**
 * Characters that look like others: what word processors and slides make of blanks, quotes and dashes, and the carriage
 * return of Windows. A shell takes them for letters, which nobody ever meant.
 *
 * @module
 */

/** A character that is not what it looks like. */
export interface StrangeCharacter {
  readonly offset: number;
  /** What it is, as a sentence. */
  readonly problem: string;
  /** What was meant. */
  readonly meant: string;
}

interface Kind {
  readonly expression: RegExp;
  problem(character: string): string;
  readonly meant: string;
}

const code = (character: string) =>
  `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

const KINDS: readonly Kind[] = [
  {
    expression: /\r$/,
    problem: () => "the line ends with a carriage return, as on Windows",
    meant: "the end of the line",
  },
  {
    expression: /[\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff]/,
    problem: (character) => `${code(character)} is no blank, it only looks like one`,
    meant: "a blank",
  },
  {
    expression: /(?<![^=:,])[\u2018\u2019\u201a\u201b]/,
    problem: (character) => `${character} (${code(character)}) is no quote`,
    meant: "'",
  },
  {
    expression: /(?<![^=:,])[\u201c-\u201f\u00ab\u00bb]/,
    problem: (character) => `${character} (${code(character)}) is no quote`,
    meant: '"',
  },
  {
    expression: /^[\u2010-\u2015\u2212](?=\w)/,
    problem: (character) => `${character} (${code(character)}) begins no option`,
    meant: "-",
  },
];

/** The first strange character of a word. */
export function strangeCharacter(word: string): StrangeCharacter | undefined {
  if (!/[\r\u00a0-\uffff]/.test(word)) return undefined;
  let first: StrangeCharacter | undefined;
  for (const { expression, problem, meant } of KINDS) {
    const found = expression.exec(word);
    if (found === null || (first !== undefined && first.offset <= found.index)) continue;
    first = { offset: found.index, problem: problem(found[0]), meant };
  }
  return first;
}
