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
import type { ActionDict, Grammar, MatchResult, Semantics } from "ohm-js";
import grammarText from "./shell.ohm" with { type: "text" };
import type { Expression, List, Script } from "./ast.ts";
import { actions } from "./build.ts";
import { explainFailure } from "./explain.ts";
import { maskHereDocuments } from "./heredoc.ts";
import { type Fragment, type ParseNode, SourceMap, withFragment } from "./parse_nodes.ts";
import { recipe } from "./shell.recipe.ts";
import { ShellSyntaxError } from "./syntax_error.ts";

/** How a text is read. */
export interface ParseOptions {
  /** The text comes from a prompt: a trailing backslash asks for another line. */
  readonly interactive?: boolean;
}

/** What Ohm's declarations leave out. */
interface Failures {
  getRightmostFailures(): readonly { toString(): string }[];
}
const { makeRecipe } = ohm as unknown as { makeRecipe(recipe: unknown): Grammar };

let compiled: { readonly grammar: Grammar; readonly semantics: Semantics } | undefined;

function shell(): { readonly grammar: Grammar; readonly semantics: Semantics } {
  if (compiled === undefined) {
    const built = makeRecipe(JSON.parse(recipe));
    // Ohm's own node type does not list the operations that are added here; `ParseNode` does.
    const dictionary = actions as unknown as ActionDict<unknown>;
    compiled = { grammar: built, semantics: built.createSemantics().addOperation("build", dictionary) };
  }
  return compiled;
}

/**
 * The recipe of `shell.ohm` as it is now: what `shell.recipe.ts` must hold. Compiling the grammar takes about 120 ms
 * of processor time, reading the recipe 5 ms.
 */
export function compileGrammar(): string {
  return (ohm.grammar(grammarText) as Grammar & { toRecipe(): string }).toRecipe();
}

/**
 * Parses a whole script.
 *
 * @throws {ShellSyntaxError} if the text is not in the language; `incomplete` says whether more text could help.
 */
export function parseScript(text: string, name = "rtkvm", options: ParseOptions = {}): Script {
  const source = new SourceMap(name, text, 0);
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
  return { name, text, body: parseFragment<List>(text, "Script", source) };
}

/** Parses text that stands somewhere inside `source`: the contents of backquotes or of a here-document. */
function parseFragment<T>(text: string, rule: string, source: SourceMap): T {
  const ended = rule !== "Script" || text.endsWith("\n") ? text : text + "\n";
  const masked = rule === "Script"
    ? maskHereDocuments(ended)
    : { text: ended, bodies: new Map(), unterminated: undefined };
  if (masked.unterminated !== undefined) {
    throw new ShellSyntaxError({
      file: source.name,
      text: source.text,
      offset: source.base + masked.unterminated.offset,
      problem: "syntax error: unexpected end of file",
      expected: [`a line ${masked.unterminated.delimiter} that ends the here-document`],
      incomplete: true,
    });
  }
  const { grammar, semantics } = shell();
  const match = grammar.match(masked.text, rule);
  if (match.failed()) {
    throw explainFailure(
      source,
      masked.text,
      match.getRightmostFailurePosition() ?? 0,
      rule === "Script" && source.base === 0,
      () => {
        return (match as MatchResult as MatchResult & Failures).getRightmostFailures().map((failure) =>
          String(failure)
        );
      },
    );
  }
  const fragment: Fragment = { source, bodies: masked.bodies, parse: parseFragment };
  return withFragment(fragment, () => (semantics(match) as unknown as ParseNode).build() as T);
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
