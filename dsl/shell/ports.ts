/**
 * What the shell needs from the world below it: a machine with a file system and tasks, places for text, and the
 * laboratory's words. The laboratory implements these interfaces; tests implement them with a toy machine.
 *
 * @module
 */
import type { Activity, Step } from "../../hw/sim/activity.ts";
import type { Command } from "../commands/command.ts";
import type { Interpreter } from "./interpreter.ts";
import type { Shell } from "./state.ts";

/** An error number as the kernel answers it. The shell prints `message` and never makes one of its own. */
export interface Errno {
  /** `"EINVAL"`. */
  readonly name: string;
  /** Positive: 22 for EINVAL. */
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
  /** What it is; `link` only from `lstat`. */
  readonly kind: "file" | "directory" | "link" | "device";
  /** A device that is read and written in blocks. */
  readonly block?: true | undefined;
  /** Permission bits, `0o644`. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  /** Of a device: its major and its minor number. */
  readonly number?: readonly [major: number, minor: number];
}

/** What `ls -l` shows beside what `stat` answers. */
export interface FileDetails {
  /** How many names it has. */
  readonly links: number;
  /** When its contents were last changed, ns since the machine's boot. */
  readonly changedNs: number;
  /** The space that it takes, KiB. */
  readonly kib: number;
}

/** How a file is opened. */
export interface OpenFlags {
  /** O_RDONLY, or with `write` O_RDWR. */
  readonly read?: boolean;
  /** O_WRONLY, or with `read` O_RDWR. */
  readonly write?: boolean;
  /** Every write goes to the end. */
  readonly append?: boolean;
  /** Makes the file if it is not there. */
  readonly create?: boolean;
  /** Empties the file. */
  readonly truncate?: boolean;
  /** With `create`: an existing file is an error. */
  readonly exclusive?: boolean;
  /** Permission bits of a file that is made. */
  readonly mode?: number;
}

/** An open file. Reading and writing happen inside simulated time. */
export interface OpenFile {
  /** What stands from the file's position to its end, or at most `length` characters of it. */
  read(length?: number): Activity<string | Errno>;
  /** It has no end: a read needs a length. */
  readonly endless?: true;
  /** Answers how much was written. */
  write(text: string): Activity<number | Errno>;
  /** The same at once, outside simulated time: files that are nothing but memory. */
  writeNow?(text: string): number | Errno;
  /** Releases what it holds. */
  close(): void;
}

/** The virtual file system. Paths are absolute and normalised. */
export interface FileSystem {
  /** Follows links. */
  stat(path: string): FileStat | Errno;
  /** Names in a directory, sorted by code unit. */
  list(path: string): readonly string[] | Errno;
  /** Where a link leads, as it says it. */
  readlink(path: string): string | Errno;
  /** Opens a file; takes no simulated time. */
  open(path: string, flags: OpenFlags): OpenFile | Errno;
  /** As `stat`, but does not follow a last link. */
  lstat(path: string): FileStat | Errno;
  /** Links, time and space of what is at a path; a last link is not followed. */
  details(path: string): FileDetails | Errno;
  /** Gives a file the present time. */
  touch(path: string): Errno | void;
  /** The path without links, `.` and `..`. */
  realpath(path: string): string | Errno;
  /** Makes a directory. */
  mkdir(path: string, mode?: number): Errno | void;
  /** Removes a file, a link or an empty directory. */
  remove(path: string): Errno | void;
  /** Makes a symbolic link at `path`. */
  symlink(target: string, path: string): Errno | void;
  /** Gives a file or directory another name. */
  rename(oldPath: string, newPath: string): Errno | void;
  /** Makes a second name for a file. */
  link(existing: string, path: string): Errno | void;
}

/** What a command is started with: fixed before its task exists. */
export interface Launch {
  /** The command's name and its arguments. */
  readonly argv: readonly string[];
  /** Exported variables. */
  readonly env: ReadonlyMap<string, string>;
  /** The current directory. */
  readonly cwd: string;
  /** Writes to descriptor 1, wherever it leads. Text for a file is written when the program ends. */
  stdout(text: string): void;
  /** Writes to descriptor 2. */
  stderr(text: string): void;
  /** Descriptor 0 where it leads to a pipe, a file or a here-document; undefined for the terminal and `/dev/null`. */
  readonly stdin: Input | undefined;
  /** The process id of its shell. */
  readonly shellPid: number;
  /** Where its tasks run, and how, as a program around it has been told: the machine's own affair. */
  readonly placement?: object | undefined;
  /** Descriptor 1 leads to the terminal. */
  readonly toTerminal?: boolean | undefined;
  /**
   * Starts a command of the shell, a built-in as well as a program, as a child of this one; undefined: there is none of
   * that name.
   */
  start?(argv: readonly string[], placement?: object): Child | undefined;
}

/** A command that a program has started by way of its shell. */
export interface Child {
  /** Its exit status, once it has ended. */
  readonly status: number | undefined;
  /** Calls when it has ended. */
  whenEnded(wake: () => void): void;
  /** Sends it a signal. */
  signal(signal: number): void;
}

/** Text that a program reads inside simulated time. */
export interface Input {
  /** What is there now: empty where nothing has come yet, undefined after the end. */
  read(): Activity<string | undefined>;
  /** Calls once as soon as there may be more. */
  whenMore(wake: () => void): void;
}

/** Who sends a signal. */
export interface Sender {
  /** Its process id. */
  readonly pid: number;
  /** What it was started as. */
  readonly name: string;
}

/** A running task as its program sees it. A machine may add to it what its own programs need. */
export interface Process extends Launch {
  /** Its process id on its machine. */
  readonly pid: number;
}

/** A program of the simulated system: not a built-in of the shell. */
export interface Program {
  /** What it is called by. */
  readonly name: string;
  /** Its manual, as of {@linkcode Command.doc}. */
  readonly doc: string;
  /** Its options, where its manual does not name them all. */
  readonly options?: readonly string[];
  /** Runs inside simulated time; returns the exit status. */
  main(process: Process): Activity<number>;
}

/** An integer of C: a `bigint` where a double does not hold it exactly. */
export type Integer = number | bigint;

/** `{ … }`, or with a tag `&(struct tag){ … }`. */
export interface Initializer {
  readonly kind: "initializer";
  readonly tag?: string;
  readonly items: readonly {
    /** Members by name, elements by number. */
    readonly designators: readonly (string | number)[];
    readonly value: Integer | Initializer;
  }[];
}

/** A variable that stands for memory: `&regs`. */
export interface VariableArgument {
  readonly kind: "variable";
  readonly name: string;
  /** Its value where a number is wanted: element 0 of an array. */
  readonly number: Integer | undefined;
  /** Its elements are numbered, not named. */
  readonly numbered: boolean;
  readonly elements: ReadonlyMap<string, bigint>;
  /** Takes what the call has written. */
  store(elements: ReadonlyMap<string, bigint>): void;
}

/** `NULL`, `(void *)0x1000`. */
export interface AddressArgument {
  readonly kind: "address";
  readonly address: number;
}

/** A value that a C call takes. */
export type CallValue = Integer | string | Initializer | VariableArgument | AddressArgument;

/** System calls that scripts make by name. */
export interface CallHandler {
  /** The names it takes: `open`, `close`, `ioctl`, `eventfd`. */
  readonly names: readonly string[];
  /** What `help` says of a call, a request or a structure; undefined: it is none. */
  help?(word: string): string | undefined;
  /** The manuals of the calls. */
  readonly manuals?: readonly { readonly name: string; readonly doc: string }[];
  /** Words that `help` may ask about. */
  readonly helpWords?: readonly string[];
  /** What a C compiler would say of a call's arguments; undefined: nothing. */
  complaint?(name: string, args: readonly CallValue[]): string | undefined;
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
  /** What `hostname` prints. */
  readonly hostname: string;
  /** Its files. */
  readonly vfs: FileSystem;
  /** Its programs by name. */
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
  /** Whether it has been switched off: nothing can be started there any more. */
  readonly ended?: boolean;
  /** What its clock says: nanoseconds since it booted, and when that was, seconds since 1970. */
  clock(): { readonly uptimeNs: number; readonly bootTime: number };
  /** A number of 32 bits from the stream of random numbers that its shells share. */
  draw(): number;
  /** A pid for a shell or a subshell, which is no simulated task; `parent` is the shell that has started it. */
  newPid(parent?: number): number;
  /**
   * Sends a signal by number; false if there is no such process. Signal 0 only asks. A negative pid is a program with
   * the processes that it has made.
   */
  kill(pid: number, signal: number, sender?: Sender): boolean;
}

/** Where the terminal's text goes. */
export interface Io {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
  /** Lines typed for a command that reads; undefined at the end. Absent: the input is empty. */
  read?(): string | undefined;
}

/** Slide mode's leniency: may rewrite what is written to a path, and says what a real kernel would want. */
export interface SlideHook {
  /** What is written instead, and notes for standard error, one line each. */
  write(
    machine: Machine,
    path: string,
    text: string,
  ): { readonly text: string; readonly notes: readonly string[] };
}

/** Everything a shell is given. */
export interface Environment {
  /** The terminal. */
  readonly io: Io;
  /** A machine by the name that `ssh` takes. */
  machines(name: string): Machine | undefined;
  /** What runs commands. */
  readonly interpreter: Interpreter;
  /** Constants of C calls: `KVM_RUN`, `O_RDWR`. */
  readonly constants: ReadonlyMap<string, number>;
  /** The laboratory's words: `step`, `run`, `show`, `expect`. */
  readonly words: ReadonlyMap<string, Command>;
  /** Slide mode's leniency; strict mode does not ask it. */
  readonly slide?: SlideHook;
  /**
   * Sets an option that belongs to the laboratory: `set -o era=today`. Answers a complaint, undefined if it was
   * taken, or false if there is no such option. `shell` is where it was said.
   */
  setOption?(name: string, value: string | boolean, shell: Shell): string | false | undefined;
}
