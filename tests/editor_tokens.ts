/**
 * Scripts as an editor sees them: the grammars of `dsl/editor/` in VS Code's tokenizer with its engine of regular
 * expressions, Oniguruma.
 *
 * @module
 */
import process from "node:process";
import { createOnigurumaEngine } from "@shikijs/engine-oniguruma";
import wasm from "@shikijs/engine-oniguruma/wasm-inlined";
import type { IGrammar, IRawGrammar, StateStack } from "@shikijs/vscode-textmate";

/** A grammar to which none of ours belongs: what Markdown is outside its blocks does not matter here. */
const MARKDOWN: IRawGrammar = {
  scopeName: "text.html.markdown",
  patterns: [],
  repository: {} as IRawGrammar["repository"],
};

const ours: Readonly<Record<string, string>> = {
  "source.rtk": "rtk.tmLanguage.json",
  "source.rtk.console": "rtk-console.tmLanguage.json",
};

function rawGrammar(scope: string): IRawGrammar | undefined {
  const file = ours[scope];
  if (file === undefined) return scope === MARKDOWN.scopeName ? MARKDOWN : undefined;
  return JSON.parse(Deno.readTextFileSync(new URL(`../dsl/editor/${file}`, import.meta.url)));
}

/** The tokenizer asks the environment whether it shall log, as it is loaded. The tests may not read that. */
async function withoutEnvironment<T>(load: () => Promise<T>): Promise<T> {
  const held = Object.getOwnPropertyDescriptor(process, "env")!;
  Object.defineProperty(process, "env", { value: {}, configurable: true });
  try {
    return await load();
  } finally {
    Object.defineProperty(process, "env", held);
  }
}

const { INITIAL, Registry } = await withoutEnvironment(() => import("@shikijs/vscode-textmate"));
const engine = await createOnigurumaEngine(wasm);
const registry = new Registry({
  onigLib: {
    createOnigScanner: (patterns) => engine.createScanner(patterns),
    createOnigString: (text) => engine.createString(text),
  },
  loadGrammar: rawGrammar,
  getInjections: (scope) => scope === MARKDOWN.scopeName ? ["source.rtk.console"] : undefined,
});

/** A piece of a line and what it is, the outermost scope first, without the suffix `.rtk`. */
export interface Token {
  readonly text: string;
  readonly scopes: readonly string[];
}

/** A text in tokens. */
export interface Tokenized {
  readonly lines: readonly (readonly Token[])[];
  /** What is still open behind the last line. */
  readonly open: readonly string[];
}

/** A text in the language of a scope: `source.rtk`, `text.html.markdown`. */
export async function tokenize(
  text: string,
  scope = "source.rtk",
): Promise<Tokenized> {
  const grammar: IGrammar | null = await registry.loadGrammar(scope);
  if (grammar === null) throw new Error(`no grammar ${scope}`);
  let state: StateStack = INITIAL;
  const lines = text.split("\n").map((line) => {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    state = ruleStack;
    return tokens.map(({ startIndex, endIndex, scopes }): Token => ({
      text: line.slice(startIndex, endIndex),
      scopes: scopes.slice(1).map((name) => name.replace(/\.rtk$/, "")),
    })).filter(({ text }) => text !== "");
  });
  // A blank behind the end shows what it would belong to.
  const behind = grammar.tokenizeLine(" ", state).tokens[0]?.scopes.slice(1) ??
    [];
  return { lines, open: behind };
}
