/**
 * The error of a script that does not parse: bash's sentence, then the line with a caret and what was expected.
 *
 * ```text
 * setup.rtk: line 3: syntax error near unexpected token `fi'
 *   3 | fi
 *     | ^ column 1: expected a command
 * note: no "if" is open here
 * ```
 *
 * @module
 */

/** A line and a column, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The place of an offset; a newline belongs to the line it ends. */
export function position(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  let line = 1;
  for (let i = before.indexOf("\n"); i !== -1; i = before.indexOf("\n", i + 1)) line++;
  return { line, column: offset - lineStart + 1 };
}

/** What {@linkcode ShellSyntaxError} is made of. */
export interface SyntaxErrorDetails {
  /** The source's name, as `$0` prints it. */
  readonly file: string;
  /** The whole text. */
  readonly text: string;
  /** Where the first thing stands that cannot be there. */
  readonly offset: number;
  /** bash's sentence, without file and line. */
  readonly problem: string;
  /** What could have stood there, in words. */
  readonly expected: readonly string[];
  /** More input could make the text right: a prompt asks for another line. */
  readonly incomplete: boolean;
  /** What was probably meant. */
  readonly note?: string | undefined;
  /** The text ends inside a quote or a `${` or a `((`. */
  readonly isUnclosed?: boolean;
}

/** A script that does not parse. Nothing of it has run. */
export class ShellSyntaxError extends SyntaxError {
  /** The name that a stack trace prints. */
  override readonly name = "ShellSyntaxError";
  /** The source's name. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** Into the text, in UTF-16 units. */
  readonly offset: number;
  /** The line with a caret below it, and a note if there is one. */
  readonly excerpt: string;
  /** Where the caret stands: at the end of a file, behind the last thing that it says. */
  readonly place: Place;
  /** What could have stood there, in words. */
  readonly expected: readonly string[];
  /** More input could make the text right. */
  readonly incomplete: boolean;
  /** bash's sentence alone. */
  readonly problem: string;
  /** The text ends inside a quote or a `${` or a `((`: bash, which reads on for its end, does not call that bad syntax. */
  readonly isUnclosed: boolean;

  /** Makes the message of its parts. */
  constructor(details: SyntaxErrorDetails) {
    const { line, column } = position(details.text, details.offset);
    const place = placeOf(details);
    const excerpt = excerptOf(details, place);
    super(`${details.file}: line ${line}: ${details.problem}\n${excerpt}`);
    this.file = details.file;
    this.line = line;
    this.column = column;
    this.offset = details.offset;
    this.excerpt = excerpt;
    this.place = place;
    this.expected = details.expected;
    this.incomplete = details.incomplete;
    this.problem = details.problem;
    this.isUnclosed = details.isUnclosed ?? false;
  }
}

/** Where the caret stands; for the end of the file, behind the last line that says something. */
function placeOf({ text, offset }: SyntaxErrorDetails): Place {
  const end = text.trimEnd().length;
  return position(text, offset >= end ? end : offset);
}

/** The line with a caret. */
function excerptOf({ text, expected, note }: SyntaxErrorDetails, { line, column }: Place): string {
  const source = text.split("\n")[line - 1]?.replace(/\r$/, "") ?? "";
  const margin = String(line);
  const wanted = expected.length > 0 ? `: expected ${list(expected)}` : "";
  const indent = source.slice(0, column - 1).replace(/[^\t]/g, " ");
  const caret = `  ${margin} | ${source}\n  ${
    " ".repeat(margin.length)
  } | ${indent}^ column ${column}${wanted}`;
  return note === undefined ? caret : `${caret}\nnote: ${note}`;
}

/** `a`, `a or b`, `a, b or c`. */
function list(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}
