/**
 * The prompt.
 *
 * {@linkcode PromptLines} knows what to do with lines; {@linkcode repl} brings them: from a terminal by `node:readline`, with
 * editing, completion and history, from a pipe as they are. It starts with no permission at all: history is kept in a file only
 * where reading and writing that file have been granted beforehand.
 *
 * @module
 */

import { complete } from "./completion.ts";
import type { HostPort } from "./host_port.ts";
import { EXAMPLES } from "./examples.ts";
import { HistorySearch, type Key } from "./history_search.ts";
import { DeadlockError } from "./jobs.ts";
import { parseScript } from "./parse.ts";
import { ProgressLine, progressText } from "./progress.ts";
import type { RunOptions } from "./run_options.ts";
import { Session } from "./session.ts";
import { atOnce } from "./slices.ts";
import { ShellSyntaxError } from "./syntax_error.ts";
import { isTranscript, scriptOfTranscript } from "./transcript.ts";
import { laboratoryWords } from "./words/index.ts";

/** What a prompt does with the lines that are typed or pasted. */
export class PromptLines {
  /** Set once the user has left. */
  exitStatus: number | undefined;
  /** The status of the last input. */
  status = 0;
  #lines: string[] = [];
  /** The input was pasted with its prompts. */
  #pasted = false;

  constructor(readonly session: Session) {}

  /** Whether an input has begun and its rest is waited for. */
  get isContinued(): boolean {
    return this.#lines.length > 0;
  }

  /** `rfc-v2 0.100s # `, where time stands still at a stop `rfc-v2 0.100s [eoi] # `, or `> ` inside an input. */
  get prompt(): string {
    if (this.isContinued) return "> ";
    const { session } = this;
    const { engine, options: { system } } = session.lab;
    const reason = session.stops.reasonAt(session.now);
    const stop = reason === undefined ? "" : `[${reason}] `;
    return `${system.name} ${(engine.nowNs / 1e9).toFixed(3)}s ${stop}# `;
  }

  /** What the end of a line that is being typed may become, and that end. */
  completions(line: string): [candidates: string[], word: string] {
    const typed = this.#pasted && this.isContinued ? line.replace(/^\s*> /, "  ") : line;
    const { candidates, word } = complete([...this.#lines, typed].join("\n"), this.session);
    return [[...candidates], word];
  }

  /**
   * Takes from `typed` what belongs together: a line, and where it is a command the indented options that follow, as of a
   * slide whose backslashes were lost in copying.
   */
  next(typed: string[]): string | undefined {
    const first = typed.shift();
    const isOption = (line: string | undefined) => line !== undefined && /^[ \t]+-\S/.test(line);
    if (first === undefined || this.isContinued || !isOption(typed[0]) || !isCommand(first)) return first;
    const parts = [first];
    while (isOption(typed[0])) parts.push(typed.shift()!);
    const isJoined = isTranscript(first) || parts.slice(0, -1).every((part) => part.endsWith("\\"));
    return parts.join(isJoined ? "\n" : " \\\n");
  }

  /** Takes a line; runs the input once it is complete. */
  line(text: string): void {
    atOnce(this.slices(text));
  }

  /** The same slice by slice, so that {@linkcode interrupt} can come between two. */
  *slices(text: string): Generator<void, void, void> {
    if (!this.isContinued) {
      if (text.trim() === "") return;
      this.#pasted = isTranscript(text);
      yield* this.#run(this.#pasted ? scriptOfTranscript(text) : text);
    } else yield* this.#run(this.#pasted ? text.replace(/^\s*> /, "  ") : text);
  }

  /** Forgets a half-typed input (Ctrl-C). */
  clear(): void {
    this.#lines = [];
  }

  /** There will be no more lines: an unfinished input is an error. Answers the exit status. */
  end(): number {
    if (this.isContinued) {
      this.session.io.err("rtkvm: syntax error: unexpected end of file\n");
      this.status = 2;
      this.clear();
    }
    return this.exitStatus ?? this.status;
  }

  *#run(line: string): Generator<void, void, void> {
    this.#lines.push(line);
    const text = this.#lines.join("\n");
    const { session } = this;
    try {
      this.status = yield* session.lineSlices(text, (status) => this.exitStatus = status);
    } catch (error) {
      if (error instanceof ShellSyntaxError) {
        if (error.incomplete) return; // the next line goes on
        session.io.err(`${error.message}\n`);
        this.status = 2;
      } else if (error instanceof DeadlockError) {
        session.io.err(`rtkvm: ${error.message}\n`);
        this.status = 1;
      } else throw error;
    }
    this.clear();
  }
}

/** Whether a line is a whole command: no here-document that goes on, nothing left open. */
function isCommand(line: string): boolean {
  const text = isTranscript(line) ? scriptOfTranscript(line) : line;
  if (text.trim() === "" || text.trimStart().startsWith("#")) return false;
  try {
    parseScript(text, "rtkvm", { interactive: true });
    return true;
  } catch (error) {
    if (error instanceof ShellSyntaxError) return false;
    throw error;
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

/** What the prompt reaches the computer by. */
type PromptPort = Pick<HostPort, "read" | "write" | "out" | "err" | "interruptible">;

/** Runs the prompt until its user leaves it; answers the exit status: that of the last input, or what `exit` said. */
export async function repl(options: RunOptions, port: PromptPort): Promise<number> {
  const progress = new ProgressLine(Deno.stderr.isTerminal() ? port.err : undefined);
  const cleared = (write: (text: string) => void) => (text: string) => {
    progress.clear();
    write(text);
  };
  const session = new Session({
    ...options,
    io: { out: cleared(port.out), err: cleared(port.err) },
    interactive: true,
    folder: EXAMPLES,
    files: { read: port.read, write: port.write },
    words: laboratoryWords,
  });
  session.onProgress = (name, fraction) => {
    const { system, kernel } = session.lab.options;
    progress.show(progressText(name, fraction, `${system.name}, ${kernel}`));
  };
  const lines = new PromptLines(session);
  const run = async (text: string) => {
    const slices = lines.slices(text);
    if (port.interruptible === undefined) atOnce(slices);
    else await port.interruptible(slices, () => session.interrupt());
    progress.clear();
  };
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  return await (isTerminal ? readTerminal(lines, run, port.out) : readPipe(lines, run));
}

/** Runs what a pipe or a file brings. There is nobody to be asked, and `node:readline` is not loaded. */
async function readPipe(lines: PromptLines, run: (text: string) => Promise<void>): Promise<number> {
  const decoder = new TextDecoder(), bytes = new Uint8Array(65_536);
  let rest = "";
  const runAll = async (typed: string[]) => {
    for (let text = lines.next(typed); text !== undefined; text = lines.next(typed)) {
      if (lines.exitStatus === undefined) await run(text); // a pipe may bring more lines than are wanted
    }
  };
  while (lines.exitStatus === undefined) {
    const count = await Deno.stdin.read(bytes);
    if (count === null) {
      rest += decoder.decode();
      await runAll(rest === "" ? [] : [rest]);
      break;
    }
    const typed = (rest + decoder.decode(bytes.subarray(0, count), { stream: true })).split(/\r?\n/);
    rest = typed.pop()!;
    await runAll(typed);
  }
  return lines.end();
}

/** Runs what is typed on a terminal. */
async function readTerminal(
  lines: PromptLines,
  run: (text: string) => Promise<void>,
  out: (text: string) => void,
): Promise<number> {
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
      for (let text = lines.next(typed); text !== undefined; text = lines.next(typed)) {
        if (lines.exitStatus !== undefined) continue; // more lines were pasted than are wanted
        // What was typed ahead stands above, before the output of what came before it.
        if (!isFirst) out(`${text}\n`);
        isFirst = false;
        await run(text);
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
  reader.on("line", (text: string) => {
    typed.push(text);
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
