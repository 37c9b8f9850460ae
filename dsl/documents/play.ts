/**
 * Plays the console blocks of a document: runs their commands, and puts what these write beside what is printed.
 *
 * The first line's prompt is the block's. `# ` is rtkvm's own prompt, and every such block has a fresh one. `$ ` is a shell
 * of the reader's computer: `deno run … mod.ts ARGUMENTS`, `rtkvm ARGUMENTS` and `deno task NAME` are run in process, and
 * `echo $?` tells how the last one ended. A command that is not finished goes on in lines with `> `. What follows is its
 * output, up to the next line with the prompt; but a line that looks like a prompt and that the command has written is
 * output. Blocks in another language whose first line is `# NAME` are files, from there on.
 *
 * @module
 */

import { EXAMPLES } from "../host/examples.ts";
import type { HostPort } from "../host/host_port.ts";
import { parseScript } from "../syntax/parse.ts";
import { PromptLines } from "../prompt/prompt.ts";
import { Session } from "../session/session.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";
import { laboratoryWords } from "../words/index.ts";
import { agrees, refreshed } from "./agreement.ts";
import { type Block, blocksOf, fileNameOf, linesOfDocument } from "./markdown.ts";

/** A command with what it has written and what the document prints below it. */
export interface Exchange {
  /** The number of its line, from 1. */
  readonly line: number;
  /** The lines with the command, prompts included. */
  readonly typed: readonly string[];
  /** What it has written. */
  readonly actual: readonly string[];
  /** What the document prints. */
  readonly printed: readonly string[];
}

/** A block that has been played. */
export interface Played {
  readonly block: Block;
  readonly exchanges: readonly Exchange[];
  /** Why it could not be played to its end. */
  readonly problem: { readonly line: number; readonly text: string } | undefined;
}

/** Why a command cannot be run. */
class Unplayable {
  constructor(readonly text: string) {}
}

/** Whether all of a block is what is printed. */
export function isTrue({ exchanges, problem }: Played): boolean {
  return problem === undefined && exchanges.every(({ actual, printed }) => agrees(actual, printed));
}

/** The lines that a block is to have. */
export function refreshedLines(played: Played): readonly string[] {
  const { exchanges, block } = played;
  const result: string[] = [];
  for (const [i, { typed, actual, printed }] of exchanges.entries()) {
    const output = refreshed(actual, printed), next = exchanges[i + 1]?.typed[0];
    // Behind `...` the next command could be taken for output that it stands for.
    const isClear = next === undefined ||
      outputEnd([...output, next], 0, actual, promptOf(block)) === output.length;
    result.push(...typed, ...isClear ? output : actual);
  }
  return result;
}

/** Runs a command line of the program itself; answers the exit status. */
export type Program = (args: readonly string[], host: HostPort) => Promise<number>;

/** Plays the console blocks of a document, each when it is asked for. */
export async function* play(text: string, host: HostPort, program: Program): AsyncGenerator<Played> {
  const files = new Map<string, string>();
  for (const block of blocksOf(linesOfDocument(text))) {
    const name = fileNameOf(block);
    if (name !== undefined) files.set(name, `${block.lines.join("\n")}\n`);
    if (block.language === "console") yield await playBlock(block, files, host, program);
  }
}

function promptOf({ lines: [first = ""] }: Block): string {
  return first.slice(0, 2);
}

async function playBlock(
  block: Block,
  files: Map<string, string>,
  host: HostPort,
  program: Program,
): Promise<Played> {
  const { lines, line: firstLine } = block;
  const exchanges: Exchange[] = [];
  const prompt = promptOf(block);
  if (prompt !== "# " && prompt !== "$ ") {
    return {
      block,
      exchanges,
      problem: { line: firstLine, text: "a console block begins with a prompt, # or $" },
    };
  }
  const run = prompt === "# " ? freshPrompt() : commandLine(files, host, program);
  for (let i = 0; i < lines.length;) {
    const line = firstLine + i, from = i;
    let command = lines[i++]!.slice(2);
    while (isUnfinished(command) && lines[i]?.startsWith("> ")) command += `\n${lines[i++]!.slice(2)}`;
    const typed = lines.slice(from, i);
    let actual: string[];
    try {
      if (isUnfinished(command)) {
        throw new Unplayable(`the command is not finished: ${command.split("\n", 1)[0]}`);
      }
      actual = linesOfOutput(await run(command));
    } catch (reason) {
      if (!(reason instanceof Unplayable)) throw reason;
      return { block, exchanges, problem: { line, text: reason.text } };
    }
    const end = outputEnd(lines, i, actual, prompt);
    exchanges.push({ line, typed, actual, printed: lines.slice(i, end) });
    i = end;
  }
  return { block, exchanges, problem: undefined };
}

/** Where the output of a command ends that begins at `from`: at a line with the prompt that it has not written. */
function outputEnd(
  lines: readonly string[],
  from: number,
  actual: readonly string[],
  prompt: string,
): number {
  const written = actual.filter((line) => line.startsWith(prompt));
  let hasGap = false;
  for (let i = from; i < lines.length; i++) {
    const line = lines[i]!;
    hasGap ||= line === "...";
    if (!line.startsWith(prompt)) continue;
    const at = written.indexOf(line);
    if (at === -1 || (at > 0 && !hasGap)) return i;
    written.splice(0, at + 1);
  }
  return lines.length;
}

function linesOfOutput(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\n$/, "").split("\n").map((line) => line.replace(/\r$/, ""));
}

function isUnfinished(command: string): boolean {
  try {
    parseScript(command, "rtkvm", { interactive: true });
  } catch (error) {
    return error instanceof ShellSyntaxError && error.incomplete;
  }
  return false;
}

/** Runs a command and answers what it has written to both streams. */
type Runner = (command: string) => Promise<string> | string;

/** The prompt of a fresh machine. */
function freshPrompt(): Runner {
  let text = "";
  const write = (part: string) => void (text += part);
  const session = new Session({
    io: { out: write, err: write },
    interactive: true,
    folder: EXAMPLES,
    words: laboratoryWords,
  });
  const prompt = new PromptLines(session);
  return (command) => {
    if (prompt.exitStatus !== undefined) throw new Unplayable("the shell has ended with exit");
    text = "";
    for (const line of command.split("\n")) prompt.line(line);
    return text;
  };
}

/** The program itself. What it writes to files stays in `files`. */
function commandLine(files: Map<string, string>, host: HostPort, program: Program): Runner {
  let text = "", status = 0;
  const write = (part: string) => void (text += part);
  const inner: HostPort = {
    read(path) {
      const found = files.get(path.replace(/^\.\//, ""));
      return found === undefined ? host.read(path) : { text: found };
    },
    write: (path, content) => void files.set(path.replace(/^\.\//, ""), content),
    list: (folder) => {
      const prefix = folder === "." ? "" : `${folder}/`;
      const named = [...files.keys()].filter((path) =>
        path.startsWith(prefix) && !path.slice(prefix.length).includes("/")
      );
      return [...new Set([...host.list(folder), ...named.map((path) => path.slice(prefix.length))])].sort();
    },
    out: write,
    err: write,
    errIsTerminal: false,
    repl: () => Promise.reject(new Unplayable("a transcript of rtkvm's own prompt has the prompt #")),
  };
  return async (command) => {
    text = "";
    const asked = /^(.*?)(?:; )?echo \$\?$/s.exec(command);
    const [, first = command] = asked ?? [];
    if (first !== "") status = await program(argumentsOf(first, host), inner);
    return asked === null ? text : `${text}${status}\n`;
  };
}

/** The program's arguments in a command of the reader's shell. */
function argumentsOf(command: string, host: HostPort): string[] {
  const words = plainWords(command);
  const [program, verb, ...rest] = words ?? [];
  let args: string[] | undefined;
  if (program === "rtkvm") args = words!.slice(1);
  else if (program === "deno" && verb === "run") {
    const at = rest.findIndex((word) => !word.startsWith("-"));
    if (/(^|\/)mod\.ts$/.test(rest[at] ?? "")) args = rest.slice(at + 1);
  } else if (program === "deno" && verb === "task" && rest.length > 0) {
    const task = taskNamed(rest[0]!, host);
    if (task !== undefined && task !== command) return [...argumentsOf(task, host), ...rest.slice(1)];
  }
  if (args === undefined) {
    throw new Unplayable(
      `only rtkvm, deno run … mod.ts and tasks that are such commands can be run here, not: ${command}`,
    );
  }
  if (args[0] === "verify") throw new Unplayable("a document that is verified verifies no other one");
  return args;
}

/** The command of a task of `deno.json`. */
function taskNamed(name: string, host: HostPort): string | undefined {
  const file = host.read("deno.json");
  if ("problem" in file) return undefined;
  const { tasks = {} } = JSON.parse(file.text) as { tasks?: Record<string, string | { command?: string }> };
  const task = tasks[name];
  return typeof task === "string" ? task : task?.command;
}

/** The words of a command that has nothing but words. */
function plainWords(command: string): string[] | undefined {
  let items;
  try {
    ({ body: { items } } = parseScript(command, "rtkvm", { interactive: true }));
  } catch (error) {
    if (error instanceof ShellSyntaxError) return undefined;
    throw error;
  }
  const [item, ...others] = items;
  const [simple, ...piped] = item?.command.first.commands ?? [];
  if (simple?.kind !== "simple" || others.length + piped.length + item!.command.rest.length > 0) {
    return undefined;
  }
  if (item!.background || simple.redirects.length + simple.assignments.length > 0) return undefined;
  const words: string[] = [];
  for (const word of simple.words) {
    if (word.kind !== "word") return undefined;
    let text = "";
    for (const part of word.parts.flatMap((each) => each.kind === "double" ? each.parts : [each])) {
      if (part.kind !== "literal" && part.kind !== "quoted") return undefined;
      text += part.text;
    }
    words.push(text);
  }
  return words;
}
