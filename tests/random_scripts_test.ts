/**
 * The scripts that `deno task confirm` compares are made of the whole grammar: every rule is walked, or left out with a
 * reason, or is inside of one for which the plan has a text of its own.
 */
import { assert, assertEquals } from "@std/assert";
import { avoided, bashPlan, bashScript, bashWalk } from "./bash_scripts.ts";
import { parseScript } from "../dsl/syntax/parse.ts";

/** Rules of characters, inside of rules whose text the plan gives. */
const insideLeaves = [
  ...[
    "asciiLetter",
    "backquotedCharacter",
    "blank",
    "dqBraceText_backslash",
    "dqBraceText_plain",
    "escapedPair",
  ],
  ...["hereDelimiter", "numberTail", "space", "subscriptChars"],
];

Deno.test("a rule of the grammar is walked, or left out by name", () => {
  const walk = bashWalk(1);
  const { leaves, excluded } = bashPlan;
  const missing = () =>
    [...walk.rules.keys()].filter((rule) =>
      !walk.walked.has(rule) && !(rule in excluded) && !insideLeaves.includes(rule)
    );
  // How many scripts it takes to meet the rarest rule is chance; one that 20,000 do not meet cannot be met.
  for (let i = 0; i < 20_000 && missing().length > 0; i++) walk.text();
  assertEquals(missing(), []);
  for (const name of [...Object.keys(leaves), ...Object.keys(excluded), ...insideLeaves]) {
    assert(walk.rules.has(name), `${name} is no rule of the grammar`);
    if (name in excluded) assert(!walk.walked.has(name), `${name} is left out, and walked`);
  }
});

Deno.test("a script of a seed is always the same, parses, and has no absolute path", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const script = bashScript(seed);
    assertEquals(script, bashScript(seed));
    parseScript(script);
    assert(!/(^|[\s>=<:'"])\/\w/.test(script), script);
    for (const { pattern } of avoided) assert(!pattern.test(script), script);
  }
});
