/**
 * The declarations in `types/std.d.ts` and the modules of the package agree, name by name.
 */
import * as assertModule from "@std/assert";
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as parseArgsModule from "@std/cli/parse-args";
import * as yamlModule from "@std/yaml";

const declarations = Deno.readTextFileSync(new URL("../types/std.d.ts", import.meta.url));

/** The values (functions, classes, constants) that `declare module "name"` exports, sorted. */
function declaredValues(name: string): string[] {
  const start = declarations.indexOf(`declare module "${name}" {`);
  assert(start >= 0, `types/std.d.ts does not declare ${name}`);
  const body = declarations.slice(start, declarations.indexOf("\n}\n", start));
  const values = body.matchAll(/^ {2}export (?:abstract )?(?:function|class|const|let) (\w+)/gm);
  return [...new Set([...values].map((match) => match[1] ?? ""))].sort();
}

const modules: [name: string, namespace: object, exports: number][] = [
  ["@std/assert", assertModule, 27],
  ["@std/yaml", yamlModule, 4],
  ["@std/cli/parse-args", parseArgsModule, 1],
];

for (const [name, namespace, exports] of modules) {
  Deno.test(`every run-time export of ${name} is declared, and nothing else is`, () => {
    assertEquals(declaredValues(name), Object.keys(namespace).sort());
    assertEquals(declaredValues(name).length, exports);
  });
}

Deno.test("a failed assertion throws AssertionError with its message", () => {
  assertThrows(() => assert(0, "zero"), assertModule.AssertionError, "zero");
});

Deno.test("a YAML syntax error carries line and column, counted from 1", () => {
  const error = assertThrows(() => yamlModule.parse("a: 1\na: 2\n"), yamlModule.YamlSyntaxError);
  assertEquals([error.line, error.column], [2, 1]);
});

Deno.test("parseArgs types its result by the flags that were listed", () => {
  const options = { string: ["seed", "set"], boolean: ["json"], collect: ["set"] } as const;
  const args = parseArgsModule.parseArgs(["run", "a.rtk", "--seed", "7", "--json", "--set=a=1"], options);
  const seed: string | undefined = args.seed;
  const json: boolean = args.json;
  const set: string[] = args.set;
  assertEquals([seed, json, set, args._], ["7", true, ["a=1"], ["run", "a.rtk"]]);
});
