/** Measured by `bench.ts`: parses a script of so many lines, made of the examples. */
import { parseScript } from "../dsl/syntax/parse.ts";

const count = Number(Deno.args[0]);
const folder = new URL("../examples/", import.meta.url);
const examples = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".rtk"))
  .map(({ name }) => Deno.readTextFileSync(new URL(name, folder))).sort();
const lines: string[] = [];
while (lines.length < count) lines.push(...examples.join("\n").split("\n"));
parseScript(lines.join("\n"), "long.rtk");
