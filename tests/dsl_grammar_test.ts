/**
 * The examples above the rules of `shell.ohm`: what stands after `//+` is in the rule, what stands after `//-` is not.
 * Each is a JSON string, the whole of which is matched.
 */
import { assert, assertEquals } from "@std/assert";
import * as ohm from "ohm-js";

const source = Deno.readTextFileSync(new URL("../dsl/syntax/shell.ohm", import.meta.url));
const grammar = ohm.grammar(source);

/** What stands for the parameter of a rule that has one. */
const argumentsOf: Readonly<Record<string, string>> = { w: "braceWord", k: '"if"' };

interface Example {
  /** As Ohm applies it: `dollar<braceWord>`. */
  readonly rule: string;
  readonly text: string;
  readonly accepted: boolean;
  readonly line: number;
}

/** The examples of a grammar. @throws {Error} if a comment looks like one and is none, or stands above no rule */
function examplesOf(text: string): Example[] {
  const found: Example[] = [];
  let waiting: Omit<Example, "rule">[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const example = /^\s*\/\/([+-])(.*)$/.exec(line);
    const rule = /^\s*(\w+)(?:<(\w+)>)?\s*:?=/.exec(line);
    if (example !== null) {
      const texts: unknown = JSON.parse(`[${example[2]}]`);
      assert(Array.isArray(texts) && texts.length > 0, `line ${i + 1}: no example`);
      for (const one of texts) {
        assert(typeof one === "string", `line ${i + 1}: ${one} is no string`);
        waiting.push({ text: one, accepted: example[1] === "+", line: i + 1 });
      }
    } else if (rule !== null) {
      const name = rule[2] === undefined ? rule[1]! : `${rule[1]}<${argumentsOf[rule[2]]}>`;
      found.push(...waiting.map((one) => ({ ...one, rule: name })));
      waiting = [];
    } else {assert(
        waiting.length === 0 || /^\s*\/\//.test(line),
        `line ${i + 1}: examples stand above a rule`,
      );}
  }
  return found;
}

Deno.test("every example above a rule of the grammar is in the rule, or is not, as its comment says", () => {
  const wrong = examplesOf(source).filter(({ rule, text, accepted }) =>
    grammar.match(text, rule).succeeded() !== accepted
  );
  assertEquals(wrong, []);
});

Deno.test("every kind of command, word and expansion has an accepted and a rejected example", () => {
  const examples = examplesOf(source);
  const rules = [
    ...[
      "Script",

      "List",
      "Separator",
      "AndOr",
      "Pipeline",
      "BraceGroup",
      "Subshell",
      "If",
      "For",
      "While",
    ],
    ...[
      "Case",
      "CaseItem",
      "FunctionDefinition",
      "ArithmeticCommand",
      "TestCommand",
      "TestTerm",
      "SimpleCommand",
    ],
    ...["commandWord", "reserved", "assignment", "arrayLiteral", "redirection", "hereDelimiter"],
    ...[
      "ConditionStatement",
      "CallStatement",
      "cCall",
      "cArgument",
      "expression",
      "binary",
      "unary",
      "postfix",
    ],
    ...["lvalue", "number", "word", "plainText", "singleQuoted", "doubleQuoted", "backquoted", "ansiQuoted"],
    ...["processSubstitution", "dollar<braceWord>", "braced<braceWord>", "subscript", "name", "comment"],
  ];
  const lacking = rules.filter((rule) =>
    [true, false].some((accepted) =>
      !examples.some((example) => example.rule === rule && example.accepted === accepted)
    )
  );
  assertEquals(lacking, []);
});

Deno.test("an example that contradicts its rule is found", () => {
  const [good, bad] = examplesOf('//+ "if"\n//- "fi"\nname = x\n');
  assertEquals([good?.rule, good?.accepted, bad?.text, bad?.accepted], ["name", true, "fi", false]);
  assert(grammar.match("fi", "name").succeeded());
});
