/**
 * The manual of a command: the text that `help NAME` prints, taken apart.
 *
 * ```text
 * seq - numbers, one a line
 * Usage: seq [-w] [-s SEPARATOR] [FIRST [STEP]] LAST
 * Effects: writes the numbers from FIRST (1) to LAST by STEP (1), one a line; -w with equal width
 * Exit status: 0, or 1 if an operand is no number
 * Errors: invalid floating point argument: 'TEXT'; missing operand
 * Differs from the real one: no -f; at most 10 million numbers
 * Examples: seq 3
 *   seq -w -s , 8 12
 * ```
 *
 * @module
 */

/** A manual. */
export interface Manual {
  /** What the command is called by; several where one text stands for several. */
  readonly names: readonly string[];
  /** One line. */
  readonly summary: string;
  /** The sections by their titles, in the order of the text. */
  readonly sections: ReadonlyMap<string, string>;
  /** Command lines that run. */
  readonly examples: readonly string[];
}

/** Takes a manual apart. @throws RangeError where the text has not its form */
export function manualOf(doc: string): Manual {
  const [head = "", ...lines] = doc.split("\n");
  const [, names, summary] = /^(\S.*?) - (\S.*)$/.exec(head) ?? [];
  if (names === undefined || summary === undefined) {
    throw new RangeError(`A manual begins with "NAME - summary", not with "${head}"`);
  }
  const sections = new Map<string, string>();
  let title: string | undefined;
  for (const line of lines) {
    const [, next, text] = /^([A-Z][A-Za-z ]*): (.*)$/.exec(line) ?? [];
    if (next !== undefined && text !== undefined) sections.set(title = next, text);
    else if (title !== undefined && line.startsWith("  ")) {
      sections.set(title, `${sections.get(title)}\n${line.slice(2)}`);
    } else throw new RangeError(`${names}: "${line}" is neither a section nor the rest of one`);
  }
  const examples = sections.get("Examples")?.split("\n") ?? [];
  return { names: names.split(", "), summary, sections, examples };
}

/** Whether a name is there only to be refused. */
export function isRefused(doc: string): boolean {
  return manualOf(doc).summary.startsWith("not in this language");
}

/** The options that a manual's usage names, in its order. */
export function optionsOf(doc: string): string[] {
  const usage = manualOf(doc).sections.get("Usage") ?? "";
  return [...new Set([...usage.matchAll(/(?<![\w-])--?[A-Za-z][\w-]*/g)].map(([option]) => option))];
}
