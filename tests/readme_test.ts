/**
 * README.md says what the program does: its transcripts are run, its scripts parsed, its commands looked up.
 *
 * In a `console` block the first line's prompt is the block's: `# ` is rtkvm's own, `$ ` a shell of the reader's
 * computer. Lines with that prompt are commands (`> ` goes on), what follows is their output, and a line `...` stands for
 * any lines. A block of `# ` is typed at a fresh prompt; `deno run … mod.ts ARGUMENTS` is run in process. Scripts and
 * profiles that the commands name are blocks with `# NAME` as their first line. After a change of the model:
 *
 * ```sh
 * deno run --allow-read=. --allow-write=README.md tests/readme_test.ts
 * ```
 *
 * writes fresh output into the blocks, and the demo's table from a full run.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type HostPort, main } from "../dsl/cli.ts";
import { COMMANDS } from "../dsl/cli_help.ts";
import { parseScript } from "../dsl/parse.ts";
import { PromptLines } from "../dsl/repl.ts";
import { Session } from "../dsl/session.ts";
import { laboratoryWords } from "../dsl/words/index.ts";
import { SYSTEMS } from "../runtime/lab/systems.ts";
import { PUBLISHED_LATENCIES } from "../runtime/measure/published.ts";

const projectUrl = new URL("../", import.meta.url);
const fileOf = (path: string) => Deno.readTextFileSync(new URL(path, projectUrl));

/** A fenced block. */
interface Block {
  readonly language: string;
  readonly text: string;
  /** Of its first line of text, counted from 1. */
  readonly line: number;
}

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map((
    { 1: language = "", 2: text = "", index },
  ) => ({
    language,
    text,
    line: markdown.slice(0, index).split("\n").length + 1,
  }));
}

/** A command of a transcript with the output that is printed below it. */
interface Exchange {
  readonly prompt: string;
  readonly command: string;
  readonly output: string;
  readonly line: number;
}

function exchangesOf({ text, line: firstLine }: Block): Exchange[] {
  const prompt = text.slice(0, 2);
  assert(prompt === "# " || prompt === "$ ", `README.md:${firstLine}: a transcript begins with a prompt`);
  const exchanges: Exchange[] = [];
  for (const [i, line] of text.trimEnd().split("\n").entries()) {
    const last = exchanges.at(-1);
    if (line.startsWith(prompt)) {
      exchanges.push({ prompt, command: line.slice(2), output: "", line: firstLine + i });
    } else if (line.startsWith("> ") && last!.output === "") {
      exchanges.push({ ...exchanges.pop()!, command: `${last!.command}\n${line.slice(2)}` });
    } else exchanges.push({ ...exchanges.pop()!, output: `${last!.output}${line}\n` });
  }
  return exchanges;
}

/** Whether a line `...` in `printed` can stand for what `actual` has more. */
function agrees(actual: string, printed: string): boolean {
  const literal = printed.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replace(/^\\\.\\\.\\\.\n/gm, "(?:.*\\n)*?")}$`).test(actual);
}

const readme = fileOf("README.md");
const blocks = blocksOf(readme);

/** What `deno run mod.ts` may read here: the examples, and the blocks that are named. */
function namedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const { text } of blocks) {
    const name = /^# (\w+\.(?:rtk|yaml))\b/.exec(text)?.[1];
    if (name !== undefined) files.set(name, text);
  }
  for (const { name } of Deno.readDirSync(new URL("examples/", projectUrl))) {
    files.set(`examples/${name}`, fileOf(`examples/${name}`));
  }
  return files;
}

const files = namedFiles();

/** Runs a command line of the program; what it writes to both streams. */
async function commandLine(args: readonly string[]): Promise<string> {
  let text = "";
  const write = (part: string) => void (text += part);
  const host: HostPort = {
    read(path) {
      const found = files.get(path);
      return found === undefined ? { problem: "No such file or directory" } : { text: found };
    },
    write: () => "the README writes nothing",
    list: (folder) =>
      [...files.keys()].flatMap((path) => {
        const [name = "", parent = "."] = path.split("/").reverse();
        return parent === folder ? [name] : [];
      }),
    out: write,
    err: write,
    errIsTerminal: false,
    repl: () => Promise.reject(new Error("a transcript of the prompt has the prompt #")),
  };
  await main(args, host);
  return text;
}

/** The prompt of a fresh machine: answers what a command writes. */
function freshPrompt(): (command: string) => string {
  let text = "";
  const write = (part: string) => void (text += part);
  const session = new Session({ io: { out: write, err: write }, interactive: true, words: laboratoryWords });
  const prompt = new PromptLines(session);
  return (command) => {
    text = "";
    for (const line of command.split("\n")) prompt.line(line);
    assert(!prompt.isContinued, `unfinished: ${command}`);
    return text;
  };
}

/** The arguments after `mod.ts`; undefined where a command is another one. */
function argumentsOf(command: string): string[] | undefined {
  return /^deno run (?:--allow-read=\. )?mod\.ts(?: (.*))?$/.exec(command)?.[1]?.split(" ");
}

const DEMO = "deno task demo";

/** What each command of a transcript really writes. */
async function play(
  block: Block,
  demoText: () => Promise<string>,
): Promise<{ exchange: Exchange; actual: string }[]> {
  const type = freshPrompt();
  const played: { exchange: Exchange; actual: string }[] = [];
  for (const exchange of exchangesOf(block)) {
    const { prompt, command, line } = exchange;
    const args = argumentsOf(command);
    if (prompt === "# ") played.push({ exchange, actual: type(command) });
    else if (command === DEMO) played.push({ exchange, actual: await demoText() });
    else {
      assert(args !== undefined, `README.md:${line}: not a command that can be tried here: ${command}`);
      played.push({ exchange, actual: await commandLine(args) });
    }
  }
  return played;
}

const transcripts = blocks.filter(({ language }) => language === "console");
const demoBlock = transcripts.find(({ text }) => text.startsWith(`$ ${DEMO}\n`));

for (const block of transcripts) {
  if (block === demoBlock) continue; // below
  Deno.test(`README.md:${block.line}: the transcript is what the program prints`, async () => {
    for (const { exchange, actual } of await play(block, () => Promise.reject(new Error("not here")))) {
      if (!agrees(actual, exchange.output)) {
        assertEquals(actual, exchange.output, `README.md:${exchange.line}: ${exchange.command}`);
      }
    }
  });
}

/** The table of slide 25 in what the demo prints, line by line. */
function tableOf(demoText: string): string[] {
  return demoText.slice(demoText.indexOf("\nSlide 25: cyclictest -a") + 1).trimEnd().split("\n");
}

// The table in README.md is of 300,000 loops a row. A run of 3,000 has the same form, averages and parameters; its
// minima and maxima are those of a shorter run.
Deno.test("the table in README.md has the talk's figures, and the averages that a short run of the demo finds", async () => {
  assert(demoBlock !== undefined);
  const printed = tableOf(demoBlock.text), short = tableOf(await commandLine(["demo", "--loops", "3000"]));
  const rows = PUBLISHED_LATENCIES.filter(({ slide }) => slide === 25);
  const cells = (line: string) => line.split(/ +/);
  const head = (lines: readonly string[]) => lines.slice(0, 3).map(cells);
  assertEquals(head(printed), head(short));
  assertEquals(printed.length, short.length);
  for (const [i, { system, kernel, minUs, avgUs, maxUs }] of rows.entries()) {
    const ours = cells(printed[3 + i]!), theirs = cells(short[3 + i]!);
    assertEquals(ours.slice(0, 5), [system, kernel, minUs, avgUs, maxUs].map(String));
    const [min, avg, , mean, n, seed, ...verdict] = ours.slice(5);
    assertEquals([avg, n, seed], [theirs[6], "300000", "1"]);
    assert(Math.abs(Number(min) - minUs) <= 1 && Math.abs(Number(avg) - avgUs) <= 1, `${system} ${kernel}`);
    assertEquals(verdict.join(" "), "within 1 us");
    assert(
      Math.abs(Number(mean) - Number(theirs[8])) < 0.2,
      `${system} ${kernel}: mean ${mean}, short run ${theirs[8]}`,
    );
  }
  assertMatch(printed.at(-3)!, /no miss in 300000 samples: rate at most 1\.0e-5/);
  assertEquals(printed.slice(-2), short.slice(-2));
});

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
  for (const path of files.keys()) if (path.startsWith("examples/")) assert(has(`\`${path}\``), path);
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

/** README.md with what the program prints now. Output with `...` that no longer agrees is for its author to cut. */
async function updated(): Promise<string> {
  let text = readme;
  for (const block of transcripts) {
    let fresh = "";
    for (const { exchange, actual } of await play(block, () => commandLine(["demo"]))) {
      const { prompt, command, output } = exchange;
      fresh += `${prompt}${command.replaceAll("\n", "\n> ")}\n`;
      if (command === DEMO) fresh += `...\n${tableOf(actual).join("\n")}\n`;
      else if (output !== "...\n" && agrees(actual, output)) fresh += output;
      else fresh += actual;
    }
    text = text.replace(`\n\`\`\`console\n${block.text}\`\`\`\n`, () => `\n\`\`\`console\n${fresh}\`\`\`\n`);
  }
  return text;
}

if (import.meta.main) Deno.writeTextFileSync(new URL("README.md", projectUrl), await updated());
