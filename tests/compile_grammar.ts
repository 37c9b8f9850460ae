/**
 * Writes `dsl/shell.recipe.ts` from `dsl/shell.ohm`; a test proves that it is fresh.
 *
 * ```sh
 * deno run --allow-read=. --allow-write=dsl tests/compile_grammar.ts
 * ```
 */
import { compileGrammar } from "../dsl/parse.ts";

const text = `/**
 * \`shell.ohm\`, compiled: made by \`tests/compile_grammar.ts\`, not written by hand.
 *
 * @module
 */
// deno-fmt-ignore-file

/** The recipe as JSON; \`parse.ts\` makes the grammar of it. */
export const recipe: string = ${JSON.stringify(compileGrammar())};
`;
Deno.writeTextFileSync(new URL("../dsl/shell.recipe.ts", import.meta.url), text);
