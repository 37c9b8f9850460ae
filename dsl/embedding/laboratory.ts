/**
 * What a {@linkcode Lab} consists of: the session, its words, and the transcript of what has been done on it.
 *
 * The library loads this module when the first laboratory boots, so that a program which boots none, as one that only
 * prints its help, loads neither the model nor the shell.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { Script } from "../syntax/ast.ts";
import { parseScript } from "../syntax/parse.ts";
import { Session, type SessionOptions } from "../session/session.ts";
import { laboratoryWords } from "../words/index.ts";
import { type LabCommand, nameProblem, ownWord } from "./commands.ts";
import { ShellFailure, type ShellResult } from "./shell_run.ts";
import { type BootWords, Transcript } from "./transcript.ts";
import { Waits } from "./waits.ts";

/** A laboratory without its public face. */
export class Laboratory {
  readonly session: Session;
  readonly transcript: Transcript;
  readonly waits = new Waits();
  /** The words of its shell. */
  readonly words: SessionOptions["words"];
  readonly #written = new Written();
  #usesOwnCommands = false;

  /** @param own commands of the program's own, by name @throws RangeError for a name that cannot be one */
  constructor(boot: BootWords, own: Readonly<Record<string, LabCommand>>) {
    const transcript = this.transcript = new Transcript(boot);
    this.words = young((session) => [
      ...laboratoryWords(session, this.#ownWords(session, own)),
      this.waits.word(session),
    ]);
    const io = {
      out: (text: string) => this.#written.out(text, transcript),
      err: (text: string) => this.#written.err(text, transcript),
    };
    const session = this.session = new Session({ ...boot, io, words: this.words });
    for (const name of Object.keys(own)) {
      const problem = nameProblem(name, laboratoryWords(session));
      if (problem !== undefined) throw new RangeError(`Cannot add a command: ${problem}`);
    }
  }

  #ownWords(session: Session, own: Readonly<Record<string, LabCommand>>) {
    return Object.entries(own).map(([name, command]) => {
      const word = ownWord(name, command, session);
      return {
        ...word,
        run: (context: Parameters<typeof word.run>[0]) => {
          this.#usesOwnCommands = true;
          return word.run(context);
        },
      };
    });
  }

  /** Whether a command of the program's own has been run. */
  usesOwnCommands(): boolean {
    return this.#usesOwnCommands;
  }

  /** Runs a script of the user's. @throws ShellSyntaxError */
  perform(text: string, name: string): ShellResult {
    const script = parseScript(text, name);
    this.transcript.script(text);
    return this.#enter(script, this.transcript);
  }

  /** Runs what is no script of the user's, and leaves no trace in the transcript. @throws ShellFailure */
  demand(text: string): void {
    const result = this.#enter(parseScript(text, "lab"));
    if (result.status !== 0) throw new ShellFailure(result);
  }

  #enter(script: Script, watcher?: Transcript): ShellResult {
    this.#written.begin();
    const status = this.session.run(script, watcher);
    return { status, ...this.#written };
  }
}

/** What a script writes. */
class Written {
  stdout = "";
  stderr = "";

  begin(): void {
    this.stdout = this.stderr = "";
  }

  out(text: string, transcript: Transcript): void {
    this.stdout += text;
    transcript.write(text);
  }

  err(text: string, transcript: Transcript): void {
    this.stderr += text;
    transcript.write(text);
  }
}
