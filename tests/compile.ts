/**
 * Writes what is compiled beforehand, so that starting the program does not pay for it: the grammar of the shell and
 * the default profile. `compiled_test.ts` proves that both are fresh.
 *
 * ```sh
 * deno task compile
 * ```
 */
import { compileDefaultProfile, compileShellGrammar } from "./compiled_sources.ts";

/** Writes a module that exports a JSON text. */
function write(path: string, source: string, name: string, use: string, json: string): void {
  const text = `/**
 * ${source}, compiled: made by \`tests/compile.ts\`, not written by hand.
 *
 * @module
 */
// deno-fmt-ignore-file

/** ${use} */
export const ${name}: string = ${JSON.stringify(json)};
`;
  Deno.writeTextFileSync(new URL(`../${path}`, import.meta.url), text);
}

write(
  "dsl/syntax/shell.recipe.ts",
  "`shell.ohm`",
  "recipe",
  "The recipe as JSON; `parse.ts` makes the grammar of it.",
  compileShellGrammar(),
);
write(
  "runtime/lab/default_profile.snapshot.ts",
  "The default profiles",
  "snapshot",
  "A `ProfileSnapshot` as JSON; `defaults.ts` makes the default profile of it.",
  compileDefaultProfile(),
);
