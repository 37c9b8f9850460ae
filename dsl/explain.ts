/**
 * From Ohm's rightmost failure to a sentence a person can use: bash's wording, and a short list of what was expected.
 *
 * @module
 */
import type { SourceMap } from "./parse_nodes.ts";
import { FILLER, openAtEnd } from "./heredoc.ts";
import { ShellSyntaxError } from "./syntax_error.ts";

const commandStarts = ['"if"', '"while"', '"{"'];
const closers = [
  '"then"',
  '"fi"',
  '"do"',
  '"done"',
  '"esac"',
  '"in"',
  '"}"',
  '")"',
  '"))"',
  '"]"',
  '"]]"',
  '";;"',
];
const separators = ['","', '":"', '"="'];

/**
 * Makes the error of a text that does not match. `failures` are Ohm's descriptions at `at`. Only the end of a `whole`
 * script can be mended by more input; a part of one ends where something else begins.
 */
export function explainFailure(
  source: SourceMap,
  masked: string,
  at: number,
  whole: boolean,
  failures: () => string[],
): ShellSyntaxError {
  const wanted = new Set(failures());
  const text = whole ? masked : source.text;
  const open = whole ? openAtEnd(masked) : undefined;
  // Inside something that is still open, more input could help wherever the grammar stopped.
  const unclosed = open !== undefined && at >= open.offset ? open : undefined;
  const incomplete = whole && (at >= masked.length || unclosed !== undefined);
  let offset = source.base + Math.min(at, masked.length);
  let problem: string;
  if (unclosed !== undefined) {
    offset = unclosed.offset;
    problem = `unexpected EOF while looking for matching \`${unclosed.closing}'`;
  } else if (incomplete) problem = "syntax error: unexpected end of file";
  else {
    const token = tokenAt(text, offset);
    offset = token.start;
    const refused = /^[ \t]*(select|coproc)\b/.exec(text.slice(text.lastIndexOf("\n", offset - 1) + 1));
    problem = refused === null
      ? `syntax error near unexpected token \`${token.text}'`
      : `${refused[1]}: not in this language`;
  }
  return new ShellSyntaxError({
    file: source.name,
    text: source.text,
    offset: Math.min(offset, source.text.length),
    problem,
    expected: unclosed === undefined ? expectedWords(wanted) : [`a closing ${unclosed.closing}`],
    incomplete,
  });
}

const operators = /;;|&&|\|\||<<<|<<|>>|>&|<&|<>|&>|[;&|()<>]/y;

/** The token at an offset, as bash names it. An offset inside a word or an operator means the whole of it. */
function tokenAt(text: string, at: number): { text: string; start: number } {
  while (/[ \t]/.test(text[at] ?? "")) at++;
  const c = text[at] ?? "\n";
  if (c === "\n" || c === FILLER) return { text: "newline", start: at };
  if (/;;|&&|\|\|/.test(text.slice(at - 1, at + 1))) at--;
  operators.lastIndex = at;
  const found = operators.exec(text);
  if (found) return { text: found[0], start: at };
  const inWord = (i: number) => /[\w./:-]/.test(text[i] ?? " ");
  if (!inWord(at)) return { text: c, start: at };
  let start = at;
  while (start > 0 && inWord(start - 1)) start--;
  let end = at;
  while (inWord(end)) end++;
  return { text: text.slice(start, end), start };
}

/** Ohm lists every terminal that could have stood there; a reader wants the kinds. */
function expectedWords(wanted: ReadonlySet<string>): string[] {
  const has = (text: string) => wanted.has(text);
  const isCommand = commandStarts.every(has);
  const isWord = has('"<("') && has('"\'"');
  const isExpression = has('"~"') && has('"--"');
  const isName = has('"A".."Z"') && !isCommand && !isWord && !isExpression;
  const found = closers.filter(has);
  if (isCommand) found.unshift("a command");
  else if (isExpression) found.unshift("an expression");
  else if (found.length === 0 && isWord) found.unshift("a word");
  else if (found.length === 0 && isName) found.unshift("a name");
  if (found.length === 0) found.push(...separators.filter(has));
  if (found.length === 0 && has('"\\n"')) found.push("the end of the command");
  return found.slice(0, 6);
}
