/**
 * Where the lines of the prompt come from: a terminal ({@linkcode readTerminal}), or a pipe, as they are.
 *
 * The laboratory behind the prompt is loaded and booted once the prompt is on the screen, while its user reads and types;
 * for a pipe once it has brought something.
 *
 * @module
 */

import type { RunOptions } from "./host/run_options.ts";
import type { Open, Prompt, PromptLines, PromptPort } from "./prompt/prompt.ts";
import { firstPrompt } from "./prompt/prompt_text.ts";

/** Runs the prompt until its user leaves it; answers the exit status: that of the last input, or what `exit` said. */
export async function repl(options: RunOptions, port: PromptPort): Promise<number> {
  let opened: Promise<Prompt | number> | undefined;
  const open = () =>
    opened ??= import("./prompt/prompt.ts").then(({ openPrompt }) => openPrompt(options, port));
  if (options.profiles.length > 0) { // they may be wrong: that is said in the place of a prompt
    const prompt = await open();
    if (typeof prompt === "number") return prompt;
  }
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) return await readPipe(open);
  const { readTerminal } = await import("./terminal.ts");
  return await readTerminal(firstPrompt(options), open, port.out);
}

/** Runs what a pipe or a file brings. There is nobody to be asked. */
async function readPipe(open: Open): Promise<number> {
  let lines: PromptLines | undefined;
  for await (const typed of pipedLines()) {
    const prompt = await open();
    if (typeof prompt === "number") return prompt;
    lines = prompt.lines;
    for (let line = lines.next(typed); line !== undefined; line = lines.next(typed)) {
      if (lines.exitStatus === undefined) await prompt.run(line); // more may have come than is wanted
    }
    if (lines.exitStatus !== undefined) break;
  }
  return lines?.end() ?? 0;
}

/** The lines of standard input: those that have come together at a time. */
async function* pipedLines(): AsyncGenerator<string[], void> {
  const decoder = new TextDecoder(), bytes = new Uint8Array(65_536);
  let rest = "";
  for (let isOpen = true; isOpen;) {
    const count = await Deno.stdin.read(bytes);
    isOpen = count !== null;
    const typed = (rest + decoder.decode(bytes.subarray(0, count ?? 0), { stream: isOpen })).split(/\r?\n/);
    rest = typed.pop()!;
    if (!isOpen && rest !== "") typed.push(rest);
    if (typed.length > 0) yield typed;
  }
}
