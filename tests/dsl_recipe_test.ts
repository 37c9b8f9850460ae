import { assert } from "@std/assert";
import { compileGrammar } from "../dsl/parse.ts";
import { recipe } from "../dsl/shell.recipe.ts";

Deno.test("the compiled grammar is that of shell.ohm", () => {
  assert(
    recipe === compileGrammar(),
    "stale: deno run --allow-read=. --allow-write=dsl tests/compile_grammar.ts",
  );
});
