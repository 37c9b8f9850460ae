/**
 * From Ohm's rightmost failure to a sentence a person can use: bash's wording, and a short list of what was expected.
 *
 * @module
 */
import type { SourceMap } from "./parse_nodes.ts";
import { FILLER } from "./heredoc.ts";
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
  '":"',
  '","',
];
const quotes = ['"\'"', '"\\""', '"`"'];

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
  const incomplete = whole && at >= masked.length;
  const text = whole ? masked : source.text;
  let offset = source.base + Math.min(at, masked.length);
  let problem: string;
  if (incomplete) {
    const quote = wanted.size <= 3 ? quotes.find((one) => wanted.has(one)) : undefined;
    problem = quote === undefined
      ? "syntax error: unexpected end of file"
      : `unexpected EOF while looking for matching \`${JSON.parse(quote)}'`;
  } else {
    const token = tokenAt(text, offset);
    offset = token.start;
    const refused = /^[ \t]*(select|coproc)\b/.exec(text.slice(text.lastIndexOf("\n", offset - 1) + 1));
    problem = refused === null
      ? `syntax error near unexpected token \`${token.text}'`
      : `${refused[1]}: not in this language, unexpected`;
  }
  return new ShellSyntaxError({
    file: source.name,
    text: source.text,
    offset: Math.min(offset, source.text.length),
    problem,
    expected: expectedWords(wanted),
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
  const isWord = has('"$(("') && has('"\'"');
  const isExpression = has('"~"') && has('"--"');
  const found = closers.filter((closer) => has(closer) && !(isCommand && closer === '":"'));
  if (isCommand) found.unshift("a command");
  else if (isExpression) found.unshift("an expression");
  else if (isWord && found.length === 0) found.unshift("a word");
  else if (found.length === 0 && has('"A".."Z"')) found.unshift("a name");
  if (found.length === 0 && has('"="')) found.push('"="');
  if (found.length === 0) {
    for (const quote of quotes) if (has(quote)) return [`a closing ${JSON.parse(quote)}`];
  }
  if (found.length === 0 && has('"\\n"')) found.push("the end of the command");
  return found.slice(0, 6);
}
