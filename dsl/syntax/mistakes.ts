/**
 * What was probably meant by a text that does not parse: the sentence after `note:` in a syntax error.
 *
 * Each rule looks at one mistake that people make, and answers nothing where it does not apply. The first answer
 * counts.
 *
 * @module
 */
import { type OpenCommand, OpenCommands, OWNERS } from "./open_commands.ts";
import { openAtEnd } from "./heredoc.ts";
import type { StrangeCharacter } from "./strange_characters.ts";

/** A text that does not parse, as the rules see it. */
interface Mistake {
  readonly text: string;
  /** Where the first thing stands that cannot be there. */
  readonly at: number;
  /** That thing, as bash names it. */
  readonly token: string;
  /** More text was expected, not another one. */
  readonly atEnd: boolean;
  readonly open: OpenCommands;
  /** It stands in an expression or in the arguments of a call. */
  readonly isQuoted: boolean;
  /** The text of the line up to `at`. */
  readonly before: string;
}

type Rule = (mistake: Mistake) => string | undefined;

/** What is to be said about a text that does not parse. */
export interface Remarks {
  /** What was probably meant. */
  readonly note: string | undefined;
  /** What the compound command waits for that is open there. */
  readonly wanted: string | undefined;
  /** A character before the place that is not what it looks like: the error itself, whatever came of it. */
  readonly strange: StrangeCharacter | undefined;
}

/** The remarks on a masked text in which `token` cannot stand at `at`. */
export function remarksOn(text: string, at: number, token: string, atEnd: boolean): Remarks {
  const open = new OpenCommands();
  const newline = text.indexOf("\n", at);
  openAtEnd(text.slice(0, newline === -1 ? text.length : newline), open);
  const { strange } = open;
  const here = new OpenCommands();
  const inside = openAtEnd(text.slice(0, at), here);
  const before = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
  const isQuoted = inside !== undefined && inside.kind !== "command";
  const mistake: Mistake = { text, at, token, atEnd, open: here, isQuoted, before };
  let note: string | undefined;
  for (const rule of RULES) note ??= rule(mistake);
  return { note, wanted: isQuoted ? undefined : here.wanted, strange };
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** `on line 3`, or `in column 7` of the line of the error itself. */
function place({ text, at }: Mistake, offset: number): string {
  const line = lineOf(text, offset);
  const column = offset - text.lastIndexOf("\n", offset - 1);
  return line === lineOf(text, Math.min(at, text.trimEnd().length))
    ? `in column ${column}`
    : `on line ${line}`;
}

/** `if [ -e x ] then`: a word that ends nothing, since it is an argument. */
function wordIsArgument(mistake: Mistake): string | undefined {
  const { innermost, wanted, strays } = mistake.open;
  if (innermost === undefined) return undefined;
  const stray = strays.find(({ word, offset }) => word === wanted && offset > innermost.offset);
  if (stray === undefined) return undefined;
  return `the "${wanted}" ${
    place(mistake, stray.offset)
  } is an argument of "${stray.command}": put ; before it`;
}

/** Words of other languages. */
const FOREIGN: ReadonlyMap<string, string> = new Map([
  ["elsif", "elif"],
  ["elseif", "elif"],
  ["endif", "fi"],
  ["end", "done"],
  ["next", "continue"],
  ["foreach", "for"],
]);

function foreignWord(mistake: Mistake): string | undefined {
  const { innermost, starts } = mistake.open;
  const found = starts.findLast(({ word, offset }) => {
    return FOREIGN.has(word) && (innermost === undefined || offset > innermost.offset);
  });
  if (found === undefined || (innermost === undefined && found.word !== "foreach")) return undefined;
  const meant = innermost?.word === "if" && found.word === "end" ? "fi" : FOREIGN.get(found.word);
  return `"${found.word}" ${place(mistake, found.offset)}: did you mean ${meant}?`;
}

function elseIf(mistake: Mistake): string | undefined {
  const { innermost } = mistake.open;
  const { stack } = mistake.open;
  // The inner one has had its fi: the outer one is open and its last word is else.
  const inner = stack.findLast(({ afterElse }) => afterElse);
  if (inner === undefined && !(innermost?.last === "else" && /\belse[ \t]+if\b/.test(mistake.text))) {
    return undefined;
  }
  return mistake.atEnd ? `"else if" begins another "if" with a "fi" of its own; "elif" does not` : undefined;
}

/** `the "for" on line 3 has no "done"`. */
function unclosed(mistake: Mistake): string | undefined {
  const { open, atEnd, token, isQuoted } = mistake;
  const { innermost, wanted } = open;
  if (isQuoted || innermost === undefined || wanted === undefined) return undefined;
  if (!atEnd && !OWNERS.has(token)) return undefined;
  if (wanted === token || (token === ";;" && innermost.word === "case")) return undefined;
  if (!atEnd && belongs(innermost, token)) return undefined;
  return `the "${innermost.word}" ${place(mistake, innermost.offset)} has no "${wanted}"`;
}

/** Whether a closing word stands in its own command, and only its body is missing. */
function belongs({ word, last }: OpenCommand, token: string): boolean {
  if (word === "if") return ["elif", "else", "fi"].includes(token) && last !== "if" && last !== "elif";
  return token === "done" && last === "do";
}

function nothingOpen({ open, token, atEnd, isQuoted }: Mistake): string | undefined {
  const owner = OWNERS.get(token);
  if (isQuoted || owner === undefined || atEnd || open.innermost !== undefined) return undefined;
  const glued = open.starts.findLast(({ word }) => /^(\{\w|(if|elif|while|until)[[({])/.test(word));
  const [, keyword, rest] = /^(\{|\w+)(.*)$/.exec(glued?.word ?? "") ?? [];
  if (glued !== undefined) return `"${glued.word}" is one word: a blank makes two of it, ${keyword} ${rest}`;
  return `no ${owner} is open here`;
}

/** A keyword with a body that says nothing. */
function emptyBody({ open, token, atEnd }: Mistake): string | undefined {
  const last = open.starts[open.starts.length - 1]?.word ?? "";
  if (atEnd || !/^(if|then|elif|else|while|until|do|\{)$/.test(last)) return undefined;
  if (token === ";" || token === "&") return `a command follows "${last}", not ${token}`;
  return OWNERS.has(token) && /^(then|else|do|\{)$/.test(last)
    ? `a body that does nothing is a colon: ${last} :; ${token}`
    : undefined;
}

/** What stands at the beginning of a line belongs to the end of the one before. */
function operatorFirst({ text, at, token, before }: Mistake): string | undefined {
  if (!["&&", "||", "|"].includes(token) || before.trim() !== "") return undefined;
  if (text.slice(0, at).trim() === "") return `a command stands before ${token}`;
  return `${token} stands at the end of the line before, not at the start of this one`;
}

function functionHead({ before, token }: Mistake): string | undefined {
  if (token !== "{") {
    if (
      /(^|[\s;])(function[ \t]+[\w.:-]+|[\w.:-]+[ \t]*\([ \t]*\))[ \t]*$/.test(before) &&
      !/[;{}(]$/.test(token)
    ) {
      return "the body of a function is { …; } or another compound command";
    }
    return undefined;
  }
  if (/^\s*function[ \t]*$/.test(before)) return "a function has a name: function NAME { …; }";
  if (!/(^|[\s;])(function[ \t]+)?[\w.:-]+[ \t]*\([^()]+\)[ \t]*$/.test(before)) return undefined;
  return "a function names no parameters: NAME() { …; }, and $1, $2 in its body";
}

function forHead({ before, token, text, at }: Mistake): string | undefined {
  if (!/(^|[\s;])for[ \t]+$/.test(before)) return undefined;
  if (token.startsWith("$")) return `the variable without $: for ${token.slice(1)} in …`;
  if (token !== "(") return undefined;
  const head = /^\(([^()]*)\)/.exec(text.slice(at));
  return `two parentheses: for ((${head?.[1] ?? "i = 0; i < 3; i++"}))`;
}

function callArguments({ text, before, token, at }: Mistake): string | undefined {
  if (!/\w\([^()]*$/.test(before)) return undefined;
  if (token === "'") return `a string in a C call has double quotes`;
  if (token.startsWith("/")) return `a path is a string: "${token}"`;
  const between = /[\w\])"][ \t]+$/.test(before) && /^\w/.test(text.slice(at));
  return between && /\bioctl|open|close|eventfd/.test(before)
    ? `a comma stands between two arguments`
    : undefined;
}

function declaredVariable({ before }: Mistake): string | undefined {
  const found = /^\s*((?:const |unsigned |struct )*(?:int|long|char|void|short|bool|u?int\d+_t)\b[\s*]*)(\w+)/
    .exec(before);
  return found === null ? undefined : `a variable has no type: ${found[2]} = …`;
}

function endOfCommand({ before, token, atEnd }: Mistake): string | undefined {
  if (atEnd) return undefined;
  if (token === ";" && /&[ \t]*$/.test(before)) return "& ends a command as ; does: one of them is enough";
  if (token === ")" && /\w\(.*\)$/.test(before)) return "one ) too many";
  return undefined;
}

function singleBracket({ open, token }: Mistake): string | undefined {
  if (open.innermost?.word !== "[[") return undefined;
  return token === "]" ? "[[ ends with ]]" : `the "[[" has no "]]"`;
}

function loopHead({ token, before, isQuoted }: Mistake): string | undefined {
  if (!isQuoted || token !== ")" || !/\bfor[ \t]*\(\([^;]*(;[^;]*)?$/.test(before)) return undefined;
  return "three parts with two ; between them: for ((i = 0; i < 3; i++))";
}

function pattern({ token, open }: Mistake): string | undefined {
  if (token !== ")" || open.stack.findLast(({ word }) => word !== "(")?.word !== "case") return undefined;
  return '";;" ends an item of "case": put it before the next pattern';
}

const RULES: readonly Rule[] = [
  loopHead,
  functionHead,
  forHead,
  foreignWord,
  emptyBody,
  singleBracket,
  pattern,
  operatorFirst,
  endOfCommand,
  declaredVariable,
  callArguments,
  elseIf,
  wordIsArgument,
  unclosed,
  nothingOpen,
];
