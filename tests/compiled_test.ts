/** What is compiled beforehand says what its sources say. */
import { assert, assertEquals } from "@std/assert";
import { recipeInUse } from "../dsl/syntax/parse.ts";
import { recipe } from "../dsl/syntax/shell.recipe.ts";
import { snapshot } from "../runtime/lab/default_profile.snapshot.ts";
import { defaultProfile } from "../runtime/lab/defaults.ts";
import { compileDefaultProfile, compileShellGrammar, readDefaultProfile } from "./compiled_sources.ts";

Deno.test("the compiled grammar is that of shell.ohm", () => {
  assert(recipe === compileShellGrammar(), "stale: deno task compile");
});

Deno.test("the grammar that is read from its recipe is the one that was compiled: Ohm gives the same recipe of it", () => {
  assertEquals(recipeInUse(), recipe);
});

Deno.test("the compiled default profile is that of the YAML files", () => {
  assert(snapshot === compileDefaultProfile(), "stale: deno task compile");
});

Deno.test("the default profile is the same from its snapshot as from its files, provenance and fits included", () => {
  const compiled = defaultProfile(), read = readDefaultProfile();
  assertEquals(compiled.list(), read.list().map((record) => ({ ...record })));
  assertEquals(compiled.values, read.values);
  assertEquals(
    [compiled.name, compiled.hash, compiled.fits],
    [read.name, read.hash, read.fits],
  );
});
