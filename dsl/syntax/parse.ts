/**
 * Text in, tree out: the only module that knows Ohm.
 *
 * A script is parsed as a whole before any of it runs, so a syntax error runs nothing. The grammar (`shell.ohm`) is
 * compiled beforehand into `shell.recipe.ts`, which is read on first use.
 *
 * ```ts
 * import { parseScript } from "./parse.ts";
 *
 * const script = parseScript("echo 0 > /sys/devices/system/cpu/cpu3/online\n", "setup.rtk");
 * console.log(script.body.items.length); // 1
 * ```
 *
 * @module
 */
import * as ohm from "ohm-js";
import type { ActionDict, FailedMatchResult, Grammar, MatchResult, Semantics } from "ohm-js";
import type { Expression, List, ListItem, Script, WordPart } from "./ast.ts";
import { actions } from "./build.ts";
import { explainFailure } from "./explain.ts";
import { compactRecipe, type GrammarMaker, grammarOf } from "./grammar_recipe.ts";
import { FILLER, maskHereDocuments } from "./heredoc.ts";
import { engineLimit } from "./limited.ts";
import { MAX_RULE_DEPTH } from "./limits.ts";
import { type Fragment, type ParseNode, SourceMap, withFragment } from "./parse_nodes.ts";
import { recipe } from "./shell.recipe.ts";
import { ShellSyntaxError } from "./syntax_error.ts";

/** How a text is read. */
export interface ParseOptions {
  /** The text comes from a prompt: a trailing backslash asks for another line. */
  readonly interactive?: boolean;
}

/** What Ohm's declarations leave out. */
interface Failure extends FailedMatchResult {
  getRightmostFailures(): readonly { toString(): string }[];
}

/** A grammar, with what Ohm's declarations leave out. */
interface WholeGrammar extends Grammar {
  readonly rules: Grammar["rules"] & Readonly<Record<string, { readonly body: Evaluated }>>;
  readonly superGrammar: WholeGrammar;
  toRecipe(): string;
}

/** Ohm's grammar of grammars is a grammar itself, above the built-in rules. */
const maker = {
  ...ohm.pexprs,
  Grammar: ohm.ohmGrammar.constructor,
  base: ohm.ohmGrammar.superGrammar,
} as unknown as GrammarMaker;

/** An expression of the grammar as Ohm evaluates it; its declarations leave this out. */
interface Evaluated {
  eval(state: { readonly inputStream: { readonly pos: number } }): boolean;
}

/** The rules have called each other too deeply: where. */
class TooDeep {
  constructor(readonly offset: number) {}
}

/** How deep the rules are in each other: while a text is matched, and no two are at once. */
let depth = 0;

/** Rules that every text passes which stands inside another of its kind. */
const nesting = [
  ...["Command", "TestTerm", "dollar", "conditional", "unary"],
  ...["arithmeticGroup", "conditionGroup", "regexGroup"],
];

/** Makes the rules that nest count how deep they are in each other; more than {@linkcode MAX_RULE_DEPTH} throws. */
function limitDepth(grammar: WholeGrammar): WholeGrammar {
  const { rules } = grammar;
  for (const name of nesting) {
    const { body } = rules[name]!;
    const evaluate = body.eval;
    body.eval = function (state) {
      if (++depth > MAX_RULE_DEPTH) throw new TooDeep(state.inputStream.pos);
      const matched = evaluate.call(this, state);
      depth--;
      return matched;
    };
  }
  return grammar;
}

/** Matches a text that begins at `from` of a source. @throws {ShellSyntaxError} if it is nested too deeply */
function matchRule(text: string, rule: string, source: SourceMap, from: number): MatchResult {
  depth = 0;
  try {
    return shell().grammar.match(text, rule);
  } catch (error) {
    const offset = error instanceof TooDeep ? error.offset : engineLimit(error) === undefined ? undefined : 0;
    if (offset === undefined) throw error;
    throw new ShellSyntaxError({
      file: source.name,
      text: source.text,
      offset: source.base + from + offset,
      problem: "syntax error: nested too deeply",
      expected: [],
      incomplete: false,
    });
  }
}

let compiled: { readonly grammar: WholeGrammar; readonly semantics: Semantics } | undefined;

function shell(): { readonly grammar: WholeGrammar; readonly semantics: Semantics } {
  if (compiled === undefined) {
    const built = limitDepth(grammarOf(recipe, maker) as WholeGrammar);
    // Ohm's own node type does not list the operations that are added here; `ParseNode` does.
    const dictionary = actions as unknown as ActionDict<unknown>;
    compiled = { grammar: built, semantics: built.createSemantics().addOperation("build", dictionary) };
  }
  return compiled;
}

/**
 * The recipe of a grammar: that of `shell.ohm` is what `shell.recipe.ts` must hold. Compiling it takes about 120 ms of
 * processor time, reading the recipe 5 ms.
 */
export function compileGrammar(text: string): string {
  return compactRecipe((ohm.grammar(text) as WholeGrammar).toRecipe());
}

/** The recipe of the grammar by which texts are parsed. */
export function recipeInUse(): string {
  return compactRecipe(shell().grammar.toRecipe());
}

/** Texts that have been parsed, the last used ones last: a run that is repeated is given the same ones again. */
const parsed = new Map<string, Script>();
/** How many are kept. */
const KEPT_TEXTS = 64;
/** Longest of them; a longer one is a program, not something typed again. */
const KEPT_LENGTH = 4096;

/**
 * Parses a whole script. Nobody may change what it answers: the same text has the same tree.
 *
 * @throws {ShellSyntaxError} if the text is not in the language; `incomplete` says whether more text could help.
 */
export function parseScript(text: string, name = "rtkvm", options: ParseOptions = {}): Script {
  if (options.interactive && /(^|[^\\])(\\\\)*\\\n?$/.test(text)) {
    throw new ShellSyntaxError({
      file: name,
      text,
      offset: text.length,
      problem: "syntax error: unexpected end of file",
      expected: ["the rest of the line"],
      incomplete: true,
    });
  }
  const key = `${name}\0${text}`;
  const known = parsed.get(key);
  parsed.delete(key);
  const script = known ??
    { name, text, body: parseFragment<List>(text, "Script", new SourceMap(name, text, 0)) };
  if (text.length <= KEPT_LENGTH) parsed.set(key, script);
  for (const oldest of parsed.keys()) {
    if (parsed.size <= KEPT_TEXTS) break;
    parsed.delete(oldest);
  }
  return script;
}

/** Parses text that stands somewhere inside `source`: the contents of backquotes or of a here-document. */
function parseFragment<T>(text: string, rule: string, source: SourceMap): T {
  if (rule === "Script") return new ScriptParser(text, source).parse() as T;
  const match = matchRule(text, rule, source, 0);
  if (match.failed()) throw failureOf(match, { source, from: 0, text, whole: false });
  return build<T>(match, { source, from: 0, bodies: new Map(), parse: parseFragment });
}

/** Characters of a script that are read at a time. Ohm remembers what it has tried at each until their tree is built. */
const PIECE = 1024;

/**
 * Reads a script, piece by piece, so that a long one takes no more memory than its longest command. A piece gives its
 * complete commands; the next one begins where the last of them ended. What one parse of the whole text would find at
 * fault is at fault in its piece, for the same reasons.
 */
class ScriptParser {
  readonly #text: string;
  readonly #bodies: Fragment["bodies"];

  /** @throws {ShellSyntaxError} if a here-document does not end */
  constructor(text: string, readonly source: SourceMap) {
    const masked = maskHereDocuments(text.endsWith("\n") ? text : text + "\n");
    this.#text = masked.text;
    this.#bodies = masked.bodies;
    if (masked.unterminated === undefined) return;
    const { offset, delimiter } = masked.unterminated;
    const like = text.split("\n").findIndex((line) => line !== delimiter && line.trim() === delimiter);
    throw new ShellSyntaxError({
      file: source.name,
      text: source.text,
      offset: source.base + offset,
      problem: "syntax error: unexpected end of file",
      expected: [`a line ${delimiter} that ends the here-document`],
      incomplete: true,
      note: like === -1 ? undefined : `line ${like + 1} has blanks beside its ${delimiter}`,
    });
  }

  /** @throws {ShellSyntaxError} */
  parse(): List {
    const items: ListItem[] = [];
    let from = 0;
    for (let size = PIECE;;) {
      const end = this.#lineEnd(from + size);
      if (end === this.#text.length) break;
      const match = matchRule(this.#text.slice(from, end), "Piece", this.source, from);
      const piece = build<Piece>(match, this.#fragment(from));
      items.push(...piece.items);
      from += piece.length;
      size = piece.length > 0 ? PIECE : this.#doubled(from, end);
    }
    items.push(...this.#all(from, this.#text.length).items);
    return { items };
  }

  /** Twice the length of a piece in which no command ends. @throws {ShellSyntaxError} if more text would not help. */
  #doubled(from: number, end: number): number {
    const match = matchRule(this.#text.slice(from, end), "Script", this.source, from);
    if (match.failed() && match.getRightmostFailurePosition() < end - from) throw this.#failure(match, from);
    return 2 * (end - from);
  }

  #all(from: number, end: number): List {
    const match = matchRule(this.#text.slice(from, end), "Script", this.source, from);
    if (match.failed()) throw this.#failure(match, from);
    return build<List>(match, this.#fragment(from));
  }

  /** Where the line ends in which `at` lies, with the here-documents that begin on it. */
  #lineEnd(at: number): number {
    const newline = this.#text.indexOf("\n", at);
    if (newline === -1) return this.#text.length;
    let end = newline + 1;
    while (this.#text[end] === FILLER) end++;
    return end;
  }

  #fragment(from: number): Fragment {
    return {
      source: this.source.at(this.source.base + from),
      from,
      bodies: this.#bodies,
      parse: parseFragment,
    };
  }

  #failure(match: FailedMatchResult, from: number): ShellSyntaxError {
    return failureOf(match, { source: this.source, from, text: this.#text, whole: this.source.base === 0 });
  }
}

/** What the rule `Piece` gives: the commands that ended, and how much text they take. */
interface Piece {
  readonly items: readonly ListItem[];
  readonly length: number;
}

function build<T>(match: MatchResult, fragment: Fragment): T {
  return withFragment(fragment, () => (shell().semantics(match) as unknown as ParseNode).build() as T);
}

/** The error of a `match` that failed in a `text` from `from` on. */
function failureOf(
  match: FailedMatchResult,
  { source, from, text, whole }: { source: SourceMap; from: number; text: string; whole: boolean },
): ShellSyntaxError {
  const at = from + match.getRightmostFailurePosition();
  return explainFailure(source, text, at, whole, () => (match as Failure).getRightmostFailures().map(String));
}

/**
 * Parses a text as between double quotes, which themselves are ordinary: PS4.
 *
 * @throws {ShellSyntaxError} if an expansion in it is none
 */
export function parseQuoted(text: string): WordPart[] {
  return parseFragment<WordPart[]>(text, "hereBody", new SourceMap("rtkvm", text, 0));
}

const expressions = new Map<string, Expression>();

/**
 * Parses an expression of C, as in `$(( ))`. The same text gives the same tree.
 *
 * @throws {ShellSyntaxError} if it is none.
 */
export function parseExpression(text: string): Expression {
  let expression = expressions.get(text);
  if (expression === undefined) {
    expression = parseFragment<Expression>(text, "expression", new SourceMap("rtkvm", text, 0));
    if (expressions.size > 4096) expressions.clear();
    expressions.set(text, expression);
  }
  return expression;
}
