/**
 * What a built-in or a filter is: a name, its documentation, and what it does with a {@linkcode CommandContext}.
 *
 * @module
 */
import type { Activity } from "../../hw/sim/activity.ts";
import { type Description, endless, keepRead } from "../shell/descriptors.ts";
import { openTarget } from "../shell/redirect.ts";
import { hintOnPath } from "../shell/hints.ts";
import type { Coroutine, Request } from "../shell/jobs.ts";
import { type Errno, isErrno, type OpenFile } from "../shell/ports.ts";
import { ShellError } from "../syntax/shell_error.ts";
import type { Shell } from "../shell/state.ts";

/** A command that the shell itself carries out. */
export interface Command {
  /** What it is called by. */
  readonly name: string;
  /**
   * `special`: a special built-in of POSIX (found before functions; a failed redirection ends a script).
   * `builtin`: another built-in. `filter`: a program of the system. `laboratory`: a word of the laboratory, which
   * costs no simulated time.
   */
  readonly kind: "special" | "builtin" | "filter" | "laboratory";
  /**
   * Its manual, which `help` prints: `NAME - summary`, then sections in this order, each on lines of its own: Usage, Effects,
   * Exit status, Errors, Differs from the real one, Examples. A word of the laboratory has no real one.
   */
  readonly doc: string;
  /**
   * What may stand where `word` has been begun, behind the arguments `before`, besides options. What does not begin with
   * `word` is left out by who asks. Absent: a path.
   */
  complete?(before: readonly string[], word: string): readonly string[];
  /** What may stand behind it and begins with `-`, besides the options of its manual. */
  readonly options?: readonly string[];
  /** Does it; answers the exit status. What is written with `out` is delivered when it has returned. */
  run(context: CommandContext): number | Coroutine;
}

/** An array given to `declare` and its like: `a=(1 2)`. */
export interface ArrayArgument {
  /** The array. */
  readonly name: string;
  /** `+=`. */
  readonly append: boolean;
  /** In the order in which they stand there. */
  readonly elements: readonly ArrayElement[];
}

/** An element, expanded. */
export interface ArrayElement {
  /** The text of its subscript, if it has one. */
  readonly key: string | undefined;
  /** Its text. */
  readonly value: string;
}

/** A piece of output and where it goes. */
export interface Output {
  /** Where it goes. */
  readonly description: Description;
  /** What is written. */
  text: string;
  /** It is a message: that it cannot be written changes no status. */
  isMessage?: boolean;
}

/** One run of a command: its arguments and the world it may use. */
export class CommandContext {
  /** What was written, in order; delivered by the command's task. */
  readonly output: Output[] = [];
  /** A task of the command's own has taken its time: none is added, unless there is output to deliver. */
  spent = false;

  /** Made by `simple.ts` for each run. */
  constructor(
    /** The shell that runs it. */
    readonly shell: Shell,
    /** What is run. */
    readonly command: Command,
    /** The name it was called by. */
    readonly name: string,
    /** The arguments, expanded. */
    readonly args: readonly string[],
    /** Array assignments among the arguments, by position. */
    readonly arrays: ReadonlyMap<number, ArrayArgument>,
    /** Exported variables and the assignments before the command. */
    readonly env: ReadonlyMap<string, string>,
    /** That it fails ends the script that calls it: a special built-in, and not behind `command`. */
    readonly endsScript: boolean,
  ) {}

  /** Writes to a descriptor. */
  write(fd: number, text: string): void {
    const description = this.shell.descriptors.get(fd);
    if (description === undefined || text === "") return;
    const last = this.output[this.output.length - 1];
    const isMessage = fd === 2;
    if (last?.description === description) {
      last.text += text;
      last.isMessage &&= isMessage;
    } else this.output.push({ description, text, isMessage });
  }

  /** Writes to descriptor 1. */
  out(text: string): void {
    this.write(1, text);
  }

  /** Writes to descriptor 2. */
  err(text: string): void {
    this.write(2, text);
  }

  /** Prints `NAME: MESSAGE`, for a built-in with the script and line before it; answers `status`. */
  complain(message: string, status = 1): number {
    const prefix = this.command.kind === "filter" ? "" : this.shell.prefix();
    this.err(`${prefix}${this.name}: ${message}\n`);
    return status;
  }

  /** Complains about arguments as GNU's filters do, with a line on where help is; answers `status`. */
  misuse(message: string, status = 1): number {
    this.complain(message, status);
    this.err(`Try '${this.name} --help' for more information.\n`);
    return status;
  }

  /** Prints `NAME: PATH: STRERROR`, and which path was probably meant; answers 1. */
  complainOf(path: string, error: Errno): number {
    this.complain(`${path}: ${error.message}`);
    if (error.name === "ENOENT") this.note(hintOnPath(this.shell, path));
    return 1;
  }

  /** Prints a note below a message, if there is one. */
  note(text: string | undefined): void {
    if (text !== undefined) this.err(`note: ${text}\n`);
  }

  /** Everything on standard input; waits for a pipe's end. @throws {ShellError} if it cannot be read */
  *readInput(): Generator<Request, string, unknown> {
    const text = yield* this.readDescription(this.shell.descriptors.get(0));
    if (isErrno(text)) throw new ShellError(`read error: ${text.message}`, 1);
    return text;
  }

  /** The whole of a file, or its first `length` characters; `-` is standard input. */
  *readFile(path: string, length?: number): Generator<Request, string | Errno, unknown> {
    if (path === "-") return yield* this.readDescription(this.shell.descriptors.get(0), length);
    const { vfs } = this.shell.machine;
    const absolute = this.shell.resolve(path);
    if (/^\/dev\/(null|fd\/\d+|std(in|out|err))$/.test(absolute)) {
      const opened = openTarget(this.shell, path, "<");
      return typeof opened === "string" ? "" : yield* this.readDescription(opened, length);
    }
    const stat = vfs.stat(absolute);
    if (isErrno(stat)) return stat;
    if (stat.kind === "directory") return { name: "EISDIR", number: 21, message: "Is a directory" };
    const file = vfs.open(absolute, { read: true });
    if (isErrno(file)) return file;
    if (file.endless && length === undefined) return endless;
    let answer: string | Errno = "";
    const { shell } = this;
    yield {
      kind: "task",
      machine: shell.machine,
      name: this.name,
      launch: shell.launch([this.name, ...this.args], this.env),
      body: () => keepRead(file, length, (read) => answer = read),
    };
    file.close();
    return answer;
  }

  /** Writes a text to a file, which is made or emptied first; answers what went wrong. */
  *writeFile(path: string, text: string): Generator<Request, Errno | undefined, unknown> {
    const { shell, name } = this;
    const absolute = shell.resolve(path);
    const file = shell.machine.vfs.open(absolute, { write: true, create: true, truncate: true });
    if (isErrno(file)) return file;
    let error: Errno | undefined;
    yield {
      kind: "task",
      machine: shell.machine,
      name,
      launch: shell.launch([name, ...this.args], this.env),
      body: () => keepWritten(file, text, (failed) => error = failed),
    };
    file.close();
    return error;
  }

  /** The rest of an open description, or the first `length` characters of it. */
  *readDescription(
    description: Description | undefined,
    length?: number,
  ): Generator<Request, string | Errno, unknown> {
    if (description === undefined) return "";
    const { shell, name } = this;
    const reader = { machine: shell.machine, name, launch: shell.launch([name], this.env) };
    return yield* length === undefined ? description.readAll(reader) : description.readPart(reader, length);
  }

  /**
   * The texts of the files named, or of standard input if there are none. A file that cannot be read is reported as
   * `NAME: PATH: STRERROR` and left out; `failed` is then set.
   */
  *readFiles(
    paths: readonly string[],
  ): Generator<Request, { texts: { path: string; text: string }[]; failed: boolean }, unknown> {
    const texts: { path: string; text: string }[] = [];
    let failed = false;
    for (const path of paths.length > 0 ? paths : ["-"]) {
      const text = yield* this.readFile(path);
      if (isErrno(text)) {
        this.complainOf(path, text);
        failed = true;
      } else texts.push({ path, text });
    }
    return { texts, failed };
  }
}

/** The lines of a text without their newlines, or what else ends them; a last line without newline counts. */
export function linesOf(text: string, end = "\n"): string[] {
  if (text === "") return [];
  const lines = text.split(end);
  if (lines[lines.length - 1] === "") lines.pop();
  return lines;
}

/** The life of a task that writes a text to a file, and tells what went wrong. */
function* keepWritten(file: OpenFile, text: string, fail: (error: Errno) => void): Activity<number> {
  const written = yield* file.write(text);
  if (isErrno(written)) fail(written);
  return 0;
}
