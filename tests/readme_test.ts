/**
 * README.md says what the program does: its transcripts are run (see `dsl/documents/play.ts`), its scripts parsed, its
 * commands looked up. After a change of the model
 *
 * ```sh
 * deno run --allow-read=. --allow-write=README.md mod.ts verify --update README.md
 * ```
 *
 * writes fresh output into the transcripts.
 */
import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../dsl/cli_help.ts";
import { blocksOf, linesOfDocument } from "../dsl/documents/markdown.ts";
import { main } from "../dsl/cli.ts";
import { isTrue, play } from "../dsl/documents/play.ts";
import { report } from "../dsl/documents/verify.ts";
import { parseScript } from "../dsl/syntax/parse.ts";
import { SYSTEMS } from "../runtime/lab/systems.ts";
import { EXAMPLES, FakeHost } from "./session_rig.ts";

const projectUrl = new URL("../", import.meta.url);
const fileOf = (path: string) => Deno.readTextFileSync(new URL(path, projectUrl));

const readme = fileOf("README.md");
const blocks = blocksOf(linesOfDocument(readme)).map((block) => ({
  ...block,
  text: `${block.lines.join("\n")}\n`,
}));

/** The computer that documents are verified on: the files of the project. */
const host = new FakeHost({ ...EXAMPLES, "deno.json": fileOf("deno.json") });

/** Every Markdown file of the tree. */
function* documents(folder = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(`./${folder}`, projectUrl))) {
    if (isDirectory && !/^(\.|node_modules)/.test(name)) yield* documents(`${folder}${name}/`);
    else if (name.endsWith(".md")) yield folder + name;
  }
}

for (const name of documents()) {
  Deno.test(`${name}: every transcript is what the program prints`, async (test) => {
    for await (const played of play(fileOf(name), host, main)) {
      await test.step(`line ${played.block.line}`, () => assert(isTrue(played), report(name, played)));
    }
  });
}

/** The arguments after `mod.ts`; undefined where a command is another one. */
function argumentsOf(command: string): string[] | undefined {
  return /^deno run (?:--allow-read=\. )?mod\.ts(?: (.*))?$/.exec(command)?.[1]?.split(" ");
}

Deno.test("the shell blocks of README.md parse; what they ask of deno exists", () => {
  const tasks = Object.keys(JSON.parse(fileOf("deno.json")).tasks);
  for (const { language, text, line } of blocks) {
    if (language !== "sh" && language !== "rtk") continue;
    parseScript(text, `README.md:${line}`);
    for (const command of text.split("\n").filter((part) => /^(npx|deno) /.test(part))) {
      const task = /^(?:npx -y deno@[\d.]+|deno) task (\w+)$/.exec(command)?.[1];
      const word = argumentsOf(command)?.[0];
      assert(
        task !== undefined ? tasks.includes(task) : COMMANDS.has(word ?? "repl"),
        `README.md:${line}: ${command}`,
      );
    }
  }
});

Deno.test("every task that README.md names exists, and every task is named", () => {
  const tasks = Object.keys(JSON.parse(fileOf("deno.json")).tasks).sort();
  assertEquals([...new Set([...readme.matchAll(/deno task (\w+)/g)].map(([, name]) => name))].sort(), tasks);
});

Deno.test("the TypeScript of README.md is a test of this tree", () => {
  const [block, ...more] = blocks.filter(({ language }) => language === "ts");
  assertEquals(more, []);
  assertEquals(block?.text, fileOf("tests/readme_example_test.ts"));
});

Deno.test("README.md lists every system in its own words, every example and every floor", () => {
  const rows = readme.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  const has = (...cells: string[]) => rows.some((row) => cells.every((cell, i) => row[i + 1] === cell));
  for (const { name, title } of SYSTEMS) assert(has(`\`${name}\``, title), name);
  for (const path of Object.keys(EXAMPLES)) assert(has(`\`${path}\``), path);
  for (const top of ["hw", "runtime"]) {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(`${top}/`, projectUrl))) {
      if (isDirectory && name !== "profiles") assert(readme.includes(`\n${top}/${name}/ `), `${top}/${name}`);
    }
  }
});

Deno.test("files and folders that README.md names exist", () => {
  const names = [
    ...readme.matchAll(/`((?:dsl|runtime|hw|examples|tests|types|\.ci)\/[\w./]*)`|\]\(([\w./]+)\)/g),
  ];
  for (const [, quoted, linked] of names) Deno.statSync(new URL(quoted ?? linked!, projectUrl));
});
