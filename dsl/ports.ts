/**
 * What the shell needs from the world below it: a machine with a file system and tasks, places for text, and the
 * laboratory's words. The laboratory implements these interfaces; tests implement them with a toy machine.
 *
 * @module
 */
import type { Activity, Step } from "../hw/sim/activity.ts";
import type { Command } from "./commands/command.ts";

/** An error number as the kernel answers it. The shell prints `message` and never makes one of its own. */
export interface Errno {
  /** `"EINVAL"`. */
  readonly name: string;
  readonly number: number;
  /** What `strerror` says: `"Invalid argument"`. */
  readonly message: string;
}

/** Whether an answer `T | Errno` is an error. No other answer of these interfaces has these two fields. */
export function isErrno(answer: unknown): answer is Errno {
  return typeof answer === "object" && answer !== null && "number" in answer && "message" in answer;
}

/** What `stat` answers. */
export interface FileStat {
  readonly kind: "file" | "directory" | "link" | "device";
  /** Permission bits, `0o644`. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
}

/** How a file is opened. */
export interface OpenFlags {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly append?: boolean;
  readonly create?: boolean;
  readonly truncate?: boolean;
  readonly exclusive?: boolean;
  /** Permission bits of a file that is made. */
  readonly mode?: number;
}

/** An open file. Reading and writing happen inside simulated time. */
export interface OpenFile {
  /** Everything from the file's position to its end. */
  read(): Activity<string | Errno>;
  /** Answers how much was written. */
  write(text: string): Activity<number | Errno>;
  close(): void;
}

/** The virtual file system. Paths are absolute and normalised. */
export interface FileSystem {
  /** Follows links. */
  stat(path: string): FileStat | Errno;
  /** Names in a directory, sorted by code unit. */
  list(path: string): readonly string[] | Errno;
  readlink(path: string): string | Errno;
  open(path: string, flags: OpenFlags): OpenFile | Errno;
  /** As `stat`, but does not follow a last link. */
  lstat(path: string): FileStat | Errno;
  /** The path without links, `.` and `..`. */
  realpath(path: string): string | Errno;
  mkdir(path: string, mode?: number): Errno | void;
  remove(path: string): Errno | void;
  symlink(target: string, path: string): Errno | void;
  link(existing: string, path: string): Errno | void;
}

/** What a command is started with: fixed before its task exists. */
export interface Launch {
  /** The command's name and its arguments. */
  readonly argv: readonly string[];
  /** Exported variables. */
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** Writes to descriptor 1, wherever it leads. Text for a file is written when the program ends. */
  stdout(text: string): void;
  /** Writes to descriptor 2. */
  stderr(text: string): void;
  /** What has come in on descriptor 0 and nobody has taken yet; undefined after the end. */
  stdin(): string | undefined;
}

/** A running task as its program sees it. A machine may add to it what its own programs need. */
export interface Process extends Launch {
  readonly pid: number;
}

/** A program of the simulated system: not a built-in of the shell. */
export interface Program {
  readonly name: string;
  /** One line for `help`. */
  readonly summary: string;
  /** Runs inside simulated time; returns the exit status. */
  main(process: Process): Activity<number>;
}

/** A value that a C call takes: an integer that a double holds exactly, or a string. */
export type CallValue = number | string;

/** System calls that scripts make by name. */
export interface CallHandler {
  /** The names it takes: `open`, `close`, `ioctl`, `eventfd`. */
  readonly names: readonly string[];
  /** Runs a call inside simulated time. A negative result is an errno. */
  call(name: string, args: readonly CallValue[], process: Process): Activity<number>;
  /** The errno of a negative result's absolute value, for the message. */
  errno(number: number): Errno | undefined;
  /** Whether the shell shall not wait for this call but go on and report when it ends (a typed `KVM_RUN`). */
  detached?(name: string, args: readonly CallValue[]): boolean;
  /** What is printed when a detached call ends: which exit ended it. */
  report?(name: string, args: readonly CallValue[], result: number): string;
}

/** A computer as a shell sees it. */
export interface Machine {
  /** `"host"`, `"vm0"`. */
  readonly name: string;
  readonly hostname: string;
  readonly vfs: FileSystem;
  readonly programs: ReadonlyMap<string, Program>;
  /** What a built-in costs: about a microsecond. */
  readonly builtinCost: Step;
  /** System calls for C statements, if this machine takes them. */
  readonly calls?: CallHandler;
  /** A CPU-bound activity that never ends: an empty endless loop. */
  hog(process: Process): Activity<number>;
  /** Sleeps for a time in nanoseconds. */
  sleep(process: Process, ns: number): Activity<void>;
  /**
   * Starts a task that runs `body`. `done` is called once, inside the simulation, when the task has ended: with its
   * status, or 128 + signal if a signal killed it. Returns the pid. `launch` is what the process is made of.
   */
  spawn(
    name: string,
    body: (process: Process) => Activity<number>,
    done: (status: number) => void,
    launch: Launch,
  ): number;
  /** A pid for a shell or a subshell, which is no simulated task. */
  newPid(): number;
  /** Sends a signal by number; false if there is no such process. Signal 0 only asks. */
  kill(pid: number, signal: number): boolean;
}

/** Where the terminal's text goes. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Lines typed for a command that reads; undefined at the end. Absent: the input is empty. */
  read?(): string | undefined;
}

/** Slide mode's leniency: may rewrite what is written to a path, and says what a real kernel would want. */
export interface SlideHook {
  write(
    machine: Machine,
    path: string,
    text: string,
  ): { readonly text: string; readonly notes: readonly string[] };
}

/** Everything a shell is given. */
export interface Environment {
  readonly io: Io;
  /** A machine by the name that `ssh` takes. */
  machines(name: string): Machine | undefined;
  /** Constants of C calls: `KVM_RUN`, `O_RDWR`. */
  readonly constants: ReadonlyMap<string, number>;
  /** The laboratory's words: `step`, `run`, `show`, `expect`. */
  readonly words: ReadonlyMap<string, Command>;
  readonly slide?: SlideHook;
  /**
   * Sets an option that belongs to the laboratory: `set -o era=today`. Answers a complaint, undefined if it was
   * taken, or false if there is no such option.
   */
  setOption?(name: string, value: string | boolean): string | false | undefined;
}
