/**
 * What the prompt does with its lines: the laboratory behind it, and what belongs together.
 *
 * @module
 */

import { ProfileError } from "../../runtime/lab/profile.ts";
import { complete } from "./completion.ts";
import { EXAMPLES } from "../host/examples.ts";
import type { HostPort } from "../host/host_port.ts";
import { DeadlockError } from "../shell/jobs.ts";
import { parseScript } from "../syntax/parse.ts";
import { ProgressLine, progressText } from "../host/progress.ts";
import type { RunOptions } from "../host/run_options.ts";
import { Session } from "../session/session.ts";
import { atOnce } from "../session/slices.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";
import { promptText } from "./prompt_text.ts";
import { isTranscript, scriptOfTranscript } from "./transcript.ts";
import { laboratoryWords } from "../words/index.ts";

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

  /** What stands before the line that is typed next: {@linkcode promptText}, or `> ` inside an input. */
  get prompt(): string {
    if (this.isContinued) return "> ";
    const { session } = this;
    const { engine, options: { system } } = session.lab;
    return promptText(system, engine.nowNs, session.stops.reasonAt(session.now));
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

/** What the prompt reaches the computer by. */
export type PromptPort = Pick<HostPort, "read" | "write" | "out" | "err" | "errIsTerminal" | "interruptible">;

/** A prompt whose laboratory has booted. */
export interface Prompt {
  readonly lines: PromptLines;
  /** Runs a line; signals are looked for meanwhile. */
  run(text: string): Promise<void>;
}

/** Loads what a prompt needs and opens it, once: later calls answer the same. */
export type Open = () => Promise<Prompt | number>;

/** Boots the laboratory of a prompt; a number is the exit status where it cannot: then it has been said why. */
export function openPrompt(options: RunOptions, port: PromptPort): Prompt | number {
  const progress = new ProgressLine(port.errIsTerminal ? port.err : undefined);
  const cleared = (write: (text: string) => void) => (text: string) => {
    progress.clear();
    write(text);
  };
  let session: Session;
  try {
    session = new Session({
      ...options,
      io: { out: cleared(port.out), err: cleared(port.err) },
      interactive: true,
      folder: EXAMPLES,
      files: { read: port.read, write: port.write },
      words: laboratoryWords,
    });
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    port.err(`${error.message}\n`);
    return 1;
  }
  session.onProgress = (name, fraction) => {
    const { system, kernel } = session.lab.options;
    progress.show(progressText(name, fraction, `${system.name}, ${kernel}`));
  };
  const lines = new PromptLines(session);
  return {
    lines,
    async run(text) {
      const slices = lines.slices(text);
      if (port.interruptible === undefined) atOnce(slices);
      else await port.interruptible(slices, () => session.interrupt());
      progress.clear();
    },
  };
}
