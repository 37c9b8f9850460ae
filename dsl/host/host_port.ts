/**
 * The computer that the program runs on, as everything but `cli.ts`, `repl.ts` and `terminal.ts` sees it.
 *
 * @module
 */
import type { RunOptions } from "./run_options.ts";

/** A file that was read, or why it could not be. */
export type HostFile = { readonly text: string } | { readonly problem: string };

/** Files of the computer that the program runs on, or whatever stands for them. */
export interface FilePort {
  /** Reads a file. */
  read(path: string): HostFile;
  /** Writes a file, with the folders that it lies in; answers why it could not be. */
  write(path: string, text: string): string | undefined;
}

/** The computer that the program runs on. */
export interface HostPort extends FilePort {
  /** Reads standard input to its end; absent where there is none. */
  readInput?(): HostFile;
  /** Names of the files in a folder; empty where it cannot be listed. */
  list(path: string): readonly string[];
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Whether standard error is a terminal. */
  readonly errIsTerminal: boolean;
  /**
   * Runs something slice by slice to its end; `interrupt` is called at each Ctrl-C that comes meanwhile. Absent: there is
   * no keyboard.
   */
  interruptible?<T>(slices: Generator<void, T, void>, interrupt: () => void): Promise<T>;
  /** How many threads can run at a time; 1 where absent. */
  readonly processors?: number;
  /** Runs the prompt until its user leaves; answers the exit status. */
  repl(options: RunOptions): Promise<number>;
}
