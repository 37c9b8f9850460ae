/**
 * The prompt on a terminal, by `node:readline`: editing, completion and history.
 *
 * It starts with no permission at all: history is kept in a file only where reading and writing that file have been
 * granted beforehand. Its keyboard and screen are Deno's own streams: with those of `node:process` the first prompt takes an
 * eighth more.
 *
 * @module
 */

import { EventEmitter } from "node:events";
import { createInterface } from "node:readline";
import { HistorySearch, type Key } from "./prompt/history_search.ts";
import type { Open, PromptLines } from "./prompt/prompt.ts";

/** What keys send. */
class Keyboard extends EventEmitter {
  readonly #reader = Deno.stdin.readable.getReader();
  #isReading = false;
  /** While keys are not taken: lets them come. */
  #resume: (() => void) | undefined;
  /** They are taken. */
  #resumed = Promise.resolve();

  setRawMode(isRaw: boolean): void {
    Deno.stdin.setRaw(isRaw);
  }

  pause(): void {
    if (this.#resume !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resumed = promise;
    this.#resume = resolve;
  }

  resume(): void {
    this.#resume?.();
    this.#resume = undefined;
    if (!this.#isReading) this.#read();
  }

  /** Gives up what it waits for, so that the program can end. */
  async close(): Promise<void> {
    await this.#reader.cancel();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    for (;;) {
      const { value, done } = await this.#reader.read();
      await this.#resumed;
      if (done) break;
      this.emit("data", value);
    }
    this.emit("end");
  }
}

/** What is shown, and how wide that may be. */
class Screen extends EventEmitter {
  constructor(readonly write: (text: string) => void) {
    super();
    Deno.addSignalListener("SIGWINCH", () => this.emit("resize"));
  }

  get columns(): number {
    return Deno.consoleSize().columns;
  }
}

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

/** Runs what is typed; `first` is the first prompt, which does not wait for the laboratory. Answers the exit status. */
export async function readTerminal(first: string, open: Open, out: (text: string) => void): Promise<number> {
  const keyboard = new Keyboard();
  const file = historyFile();
  const reader = createInterface({
    input: keyboard as unknown as NodeJS.ReadableStream,
    output: new Screen(out) as unknown as NodeJS.WritableStream,
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
    keyboard.close().catch(reject);
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
