/**
 * Where the lines of the prompt come from: a terminal, by `node:readline`, with editing, completion and history; or a
 * pipe, as they are.
 *
 * It starts with no permission at all: history is kept in a file only where reading and writing that file have been
 * granted beforehand.
 *
 * @module
 */

import { HistorySearch, type Key } from "./prompt/history_search.ts";
import { openPrompt, type Prompt, type PromptPort } from "./prompt/prompt.ts";
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

/** Runs the prompt until its user leaves it; answers the exit status: that of the last input, or what `exit` said. */
export async function repl(options: RunOptions, port: PromptPort): Promise<number> {
  const prompt = openPrompt(options, port);
  if (typeof prompt === "number") return prompt;
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  return await (isTerminal ? readTerminal(prompt, port.out) : readPipe(prompt));
}

/** Runs what a pipe or a file brings. There is nobody to be asked, and `node:readline` is not loaded. */
async function readPipe({ lines, run }: Prompt): Promise<number> {
  const decoder = new TextDecoder(), bytes = new Uint8Array(65_536);
  let rest = "";
  for (let isOpen = true; isOpen && lines.exitStatus === undefined;) {
    const count = await Deno.stdin.read(bytes);
    isOpen = count !== null;
    const typed = (rest + decoder.decode(bytes.subarray(0, count ?? 0), { stream: isOpen })).split(/\r?\n/);
    rest = typed.pop()!;
    if (!isOpen && rest !== "") typed.push(rest);
    for (let line = lines.next(typed); line !== undefined; line = lines.next(typed)) {
      if (lines.exitStatus === undefined) await run(line); // a pipe may bring more lines than are wanted
    }
  }
  return lines.end();
}

/** Runs what is typed on a terminal. */
async function readTerminal({ lines, run }: Prompt, out: (text: string) => void): Promise<number> {
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
    completer: (line: string) => lines.completions(line),
  });
  if (file !== undefined) {
    reader.on("history", (history: string[]) => Deno.writeTextFileSync(file, `${history.join("\n")}\n`));
  }
  const bold = (text: string) => Deno.noColor ? text : `\x1b[1m${text}\x1b[0m`;
  const ask = () => {
    reader.setPrompt(bold(lines.prompt));
    reader.prompt();
  };
  searchHistory(reader as unknown as LineEditor, () => bold(lines.prompt));
  out(
    "rtkvm: real-time KVM on a deterministic model. help lists the words, ls the examples, Ctrl-D leaves.\n",
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const typed: string[] = []; // ahead, while a command runs
  let isBusy = false, isClosed = false;
  const end = () => {
    if (lines.exitStatus === undefined) out("\n");
    resolve(lines.end());
  };
  const runTyped = async () => {
    isBusy = true;
    try {
      // The other lines of what was pasted come first: they may belong to the first one.
      await new Promise((resume) => setTimeout(resume));
      let isFirst = true;
      for (let line = lines.next(typed); line !== undefined; line = lines.next(typed)) {
        if (lines.exitStatus !== undefined) continue; // more lines were pasted than are wanted
        // What was typed ahead stands above, before the output of what came before it.
        if (!isFirst) out(`${line}\n`);
        isFirst = false;
        await run(line);
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
      lines.session.interrupt();
      return;
    }
    lines.clear();
    reader.write(null, { ctrl: true, name: "e" }); // Ctrl-U alone keeps what stands right of the cursor
    reader.write(null, { ctrl: true, name: "u" });
    ask();
  });
  reader.on("close", () => {
    isClosed = true;
    if (!isBusy) end();
  });
  ask();
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
