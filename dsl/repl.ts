/**
 * Where the lines of the prompt come from: a terminal, by `node:readline`, with editing, completion and history; or a
 * pipe, as they are.
 *
 * It starts with no permission at all: history is kept in a file only where reading and writing that file have been
 * granted beforehand.
 *
 * The laboratory behind the prompt is loaded and booted once the prompt is on the screen, while its user reads and types;
 * for a pipe once it has brought something.
 *
 * @module
 */

import { HistorySearch, type Key } from "./prompt/history_search.ts";
import type { Prompt, PromptLines, PromptPort } from "./prompt/prompt.ts";
import { firstPrompt } from "./prompt/prompt_text.ts";
import type { RunOptions } from "./host/run_options.ts";

/** Where the history is kept, if that has been allowed; asks nobody. */
function historyFile(): string | undefined {
  const granted = (descriptor: Deno.PermissionDescriptor) =>
    Deno.permissions.querySync(descriptor).state === "granted";
  if (!granted({ name: "env", variable: "HOME" })) return undefined;
  const home = Deno.env.get("HOME");
  if (home === undefined) return undefined;
  const path = `${home}/.rtkvm_history`;
  return granted({ name: "read", path }) && granted({ name: "write", path }) ? path : undefined;
}

/** Lines kept from one run to the next. */
const HISTORY_SIZE = 1000;

/** Loads and boots the laboratory; a number is the exit status where it cannot: then it has been said why. */
type Open = () => Promise<Prompt | number>;

/** Runs the prompt until its user leaves it; answers the exit status: that of the last input, or what `exit` said. */
export async function repl(options: RunOptions, port: PromptPort): Promise<number> {
  let opened: Promise<Prompt | number> | undefined;
  const open = () =>
    opened ??= import("./prompt/prompt.ts").then(({ openPrompt }) => openPrompt(options, port));
  if (options.profiles.length > 0) { // they may be wrong: that is said in the place of a prompt
    const prompt = await open();
    if (typeof prompt === "number") return prompt;
  }
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  return await (isTerminal ? readTerminal(firstPrompt(options), open, port.out) : readPipe(open));
}

/** Runs what a pipe or a file brings. There is nobody to be asked, and `node:readline` is not loaded. */
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

/** Runs what is typed on a terminal. */
async function readTerminal(first: string, open: Open, out: (text: string) => void): Promise<number> {
  const [{ createInterface }, { stdin, stdout }] = await Promise.all([
    import("node:readline"),
    import("node:process"),
  ]);
  const file = historyFile();
  const reader = createInterface({
    input: stdin,
    output: stdout,
    terminal: true,
    historySize: HISTORY_SIZE,
    removeHistoryDuplicates: true,
    history: file === undefined ? [] : readHistory(file),
    completer: (line: string, done: (problem: Error | null, found?: [string[], string]) => void) => {
      open().then(
        (prompt) => done(null, typeof prompt === "number" ? [[], line] : prompt.lines.completions(line)),
        done,
      );
    },
  });
  if (file !== undefined) {
    reader.on("history", (history: string[]) => Deno.writeTextFileSync(file, `${history.join("\n")}\n`));
  }
  const bold = (text: string) => Deno.noColor ? text : `\x1b[1m${text}\x1b[0m`;
  let lines: PromptLines | undefined; // there are none before a line has been entered
  const text = () => bold(lines?.prompt ?? first);
  const ask = () => {
    reader.setPrompt(text());
    reader.prompt();
  };
  searchHistory(reader as unknown as LineEditor, text);
  out(
    "rtkvm: real-time KVM on a deterministic model. help lists the words, ls the examples, Ctrl-D leaves.\n",
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const typed: string[] = []; // ahead, while a command runs
  let isBusy = false, isClosed = false;
  const end = () => {
    if (lines?.exitStatus === undefined) out("\n");
    resolve(lines?.end() ?? 0);
  };
  const runTyped = async () => {
    isBusy = true;
    try {
      // The other lines of what was pasted come first: they may belong to the first one.
      await new Promise((resume) => setTimeout(resume));
      const prompt = await open();
      if (typeof prompt === "number") {
        resolve(prompt);
        reader.close();
        return;
      }
      lines = prompt.lines;
      if (typed.length === 0 && !isClosed) ask(); // Ctrl-C has come meanwhile
      let isFirst = true;
      for (let line = lines.next(typed); line !== undefined; line = lines.next(typed)) {
        if (lines.exitStatus !== undefined) continue; // more lines were pasted than are wanted
        // What was typed ahead stands above, before the output of what came before it.
        if (!isFirst) out(`${line}\n`);
        isFirst = false;
        await prompt.run(line);
        if (lines.exitStatus !== undefined) reader.close();
        else if (!isClosed) ask();
      }
    } catch (error) {
      reject(error);
      reader.close();
    } finally {
      isBusy = false;
    }
    if (isClosed) end();
  };
  reader.on("line", (line: string) => {
    typed.push(line);
    if (!isBusy) runTyped();
  });
  reader.on("SIGINT", () => {
    out("^C\n");
    if (isBusy) {
      typed.length = 0;
      lines?.session.interrupt();
      return;
    }
    lines?.clear();
    reader.write(null, { ctrl: true, name: "e" }); // Ctrl-U alone keeps what stands right of the cursor
    reader.write(null, { ctrl: true, name: "u" });
    ask();
  });
  reader.on("close", () => {
    isClosed = true;
    if (!isBusy) end();
  });
  ask();
  open().catch(reject); // while the user reads and types
  return await promise;
}

/** What `node:readline` has beyond its types: the line that is edited, the history, and what a key does. */
interface LineEditor {
  readonly line: string;
  readonly history: readonly string[];
  _ttyWrite(text: string | undefined, key: Key): void;
  setPrompt(prompt: string): void;
  prompt(preserveCursor?: boolean): void;
}

/** Ctrl-R, which `node:readline` does not have. */
function searchHistory(editor: LineEditor, prompt: () => string): void {
  const edit = editor._ttyWrite.bind(editor);
  let search: HistorySearch | undefined;
  const show = (text: string, before: string) => {
    editor.setPrompt(before);
    edit(undefined, { ctrl: true, name: "e" });
    edit(undefined, { ctrl: true, name: "u" });
    if (text !== "") edit(text, {});
    editor.prompt(true);
  };
  editor._ttyWrite = (text, key) => {
    if (search === undefined) {
      if (!key.ctrl || key.name !== "r") return edit(text, key);
      search = new HistorySearch(editor.history, editor.line);
      return show(search.found, search.prompt);
    }
    const result = search.key(text, key);
    if (result === "on") return show(search.found, search.prompt);
    show(result === "take" ? search.found : search.before, prompt());
    search = undefined;
    if (result === "take") edit(text, key);
  };
}

function readHistory(file: string): string[] {
  try {
    return Deno.readTextFileSync(file).split("\n").filter((line) => line !== "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
