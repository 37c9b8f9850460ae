/**
 * From Ohm's rightmost failure to a sentence a person can use: bash's wording, and a short list of what was expected.
 *
 * @module
 */
import type { SourceMap } from "./parse_nodes.ts";
import { FILLER, openAtEnd } from "./heredoc.ts";
import { remarksOn } from "./mistakes.ts";
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
const separators = ['":"', '"="'];

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
  const text = whole ? masked : source.text;
  const open = whole ? openAtEnd(masked) : undefined;
  const fail = (
    problem: string,
    offset: number,
    expected: readonly string[],
    more: {
      readonly incomplete?: boolean;
      readonly note?: string | undefined;
      readonly isUnclosed?: boolean;
    } = {},
  ) => {
    const { incomplete = false, note, isUnclosed } = more;
    const place = Math.min(offset, source.text.length);
    return new ShellSyntaxError({
      file: source.name,
      text: source.text,
      offset: place,
      problem,
      expected,
      incomplete,
      note,
      isUnclosed,
    });
  };
  // Inside a quote or an expansion that is still open, more input could help wherever the grammar stopped.
  if (open !== undefined && at >= (open.kind === "call" ? masked.length : open.offset)) {
    const problem = `unexpected EOF while looking for matching \`${open.closing}'`;
    const isUnclosed = open.kind !== "command" && open.kind !== "call";
    return fail(problem, open.offset, [`a closing ${open.closing}`], { incomplete: true, isUnclosed });
  }
  const offset = source.base + Math.min(at, masked.length);
  const incomplete = whole && at >= masked.length;
  const token = incomplete ? { text: "", start: offset } : tokenAt(text, offset);
  const refused = refusedBefore(text, token.start);
  if (refused !== undefined) return fail(`${refused.word}: not in this language`, refused.offset, []);
  const remarks = whole ? remarksOn(text, token.start, token.text, incomplete) : undefined;
  const { strange } = remarks ?? {};
  if (strange !== undefined) return fail(strange.problem, strange.offset, [strange.meant]);
  return fail(
    incomplete
      ? "syntax error: unexpected end of file"
      : `syntax error near unexpected token \`${token.text}'`,
    token.start,
    expectedWords(new Set(failures()), text.slice(0, token.start), token.text, remarks?.wanted),
    { incomplete, note: remarks?.note },
  );
}

/** A word or a pattern of bash that the language leaves out, and whose syntax the text at `at` follows. */
function refusedBefore(
  text: string,
  at: number,
): { readonly word: string; readonly offset: number } | undefined {
  const start = text.lastIndexOf("\n", at - 1) + 1;
  const before = text.slice(start, at);
  const word = /^(.*(?:^|[;&|({]|\b(?:then|do|else))[ \t]*)(select|coproc)\b/.exec(before);
  if (word !== null) return { word: word[2] ?? "", offset: start + (word[1] ?? "").length };
  if (text[at] === "," && /\(\([^()]*$/.test(before)) return { word: "the comma operator", offset: at };
  return text[at] === "(" && /[?*+@!]$/.test(before) ? { word: "extglob", offset: at - 1 } : undefined;
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
  const variable = /^\$\w+/.exec(text.slice(at, at + 80));
  if (variable) return { text: variable[0], start: at };
  const inWord = (i: number) => /[\w./:-]/.test(text[i] ?? " ");
  if (!inWord(at)) return { text: c, start: at };
  let start = at;
  while (start > 0 && inWord(start - 1)) start--;
  let end = at;
  while (inWord(end)) end++;
  return { text: text.slice(start, end), start };
}

/**
 * Ohm lists every terminal that could have stood there; a reader wants the kinds. `closing` is what the compound
 * command around the place waits for.
 */
function expectedWords(
  failures: ReadonlySet<string>,
  before: string,
  token: string,
  closing: string | undefined,
): string[] {
  const has = (text: string) => failures.has(text);
  if (/(^|[^<])<<-?[ \t]*$/.test(before)) return ["the word that ends the here-document"];
  if (/(^|[\s;])(for|function)[ \t]+$/.test(before)) return ["a name"];
  const isCommand = commandStarts.every(has);
  const isWord = has('"<("') && has('"\'"');
  const isExpression = has('"~"') && has('"--"');
  const isName = has('"A".."Z"') && !isCommand && !isWord && !isExpression;
  const found = closers.filter(has);
  if (closing !== undefined && !isExpression && !isWord) found.push(`"${closing}"`);
  if (isCommand) found.unshift(has('"!"') ? "a command" : '"{"');
  else if (isExpression) found.unshift("an expression");
  else if (isWord && has('"|"')) found.push("the end of the command");
  else if (isWord && found.length === 0) {
    found.push(/(^|[^<])(<|<>|&?>[>|]?)[ \t]*$/.test(before) ? "a file" : "a word");
  }
  if (has('","')) found.unshift('","');
  else if (has('";"') && has('"**"')) found.unshift('";"');
  if (found.length === 0 && has('"**"')) found.push("an operator");
  if (found.length === 0) found.push(...separators.filter(has));
  if (found.length === 0 && isName) found.push("a name");
  if (found.length === 0 && (has('"\\n"') || token === ";;")) found.push("the end of the command");
  return [...new Set(found)].slice(0, 6);
}
