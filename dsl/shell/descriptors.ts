/**
 * Open descriptions and the descriptor table of a shell: where text comes from and goes to.
 *
 * A description is shared by every descriptor that was duplicated from it, with its position, as in Unix. Reading
 * may wait (a pipe) or take simulated time (a file); writing to a file takes simulated time, so it happens inside a
 * task.
 *
 * @module
 */
import type { Activity } from "../../hw/sim/activity.ts";
import { type Request, Signal } from "./jobs.ts";
import { MAX_PIPE, MAX_TEXT, noMemory } from "../syntax/limits.ts";
import {
  type Errno,
  type Input,
  type Io,
  isErrno,
  type Launch,
  type Machine,
  type OpenFile,
  type Process,
  type SlideHook,
} from "./ports.ts";

/** The error of writing to a pipe that nobody reads, and of using a descriptor the wrong way round. */
export const brokenPipe: Errno = { name: "EPIPE", number: 32, message: "Broken pipe" };
const badDescriptor: Errno = { name: "EBADF", number: 9, message: "Bad file descriptor" };

/** What a command that reads all of its input is told of one that has no end. */
export const endless: Errno = { ...noMemory, message: "endless: take a part of it with head -c" };

/** How much is read of an endless file at a time. */
const CHUNK = 4096;

/** The life of a task that reads a file, to its end or at most `length` characters, and hands on what it has got. */
export function* keepRead(
  file: OpenFile,
  length: number | undefined,
  keep: (read: string | Errno) => void,
): Activity<number> {
  keep(yield* file.read(length));
  return 0;
}

/** A time of waiting has passed: what a read answers then. */
export const timedOut: Errno = { name: "ETIMEDOUT", number: 110, message: "Connection timed out" };

/** What opens a file for reading needs to make a task of it. */
export interface Reader {
  readonly machine: Machine;
  readonly launch: Launch;
  readonly name: string;
  /** Until when it waits. */
  readonly deadline?: Deadline;
}

function* sleepFor(machine: Machine, process: Process, ns: number): Activity<number> {
  yield* machine.sleep(process, ns);
  return 0;
}

/** A time after which nobody waits any more; a process sleeps until then. */
export class Deadline {
  /** It has passed. */
  expired = false;
  /** Notified when it passes. */
  readonly passed: Signal = new Signal();
  readonly #pid: number;

  constructor(readonly machine: Machine, name: string, launch: Launch, ns: number) {
    this.#pid = machine.spawn(name, (process) => sleepFor(machine, process, ns), () => this.#pass(), launch);
  }

  #pass(): void {
    this.expired = true;
    this.passed.notify();
  }

  /** Nobody waits for it any more. */
  cancel(): void {
    if (!this.expired) this.machine.kill(this.#pid, 9);
  }
}

/** An open description. */
export abstract class Description {
  /** Whether a write happens at once, outside simulated time. */
  readonly immediate: boolean = true;
  /** Descriptors and shells that hold it. */
  #holders = 0;
  /** Text that was read ahead and not taken yet. */
  #buffer = "";
  #position = 0;

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    if (--this.#holders === 0) this.closed();
  }

  /** The last holder is gone. */
  protected closed(): void {}

  /** More text to read, undefined at the end; may wait. */
  // deno-lint-ignore require-yield
  protected *more(_reader: Reader): Generator<Request, string | Errno | undefined, unknown> {
    return badDescriptor;
  }

  /** Writes outside simulated time; only if {@linkcode immediate}. */
  writeNow(_text: string): Errno | undefined {
    return badDescriptor;
  }

  /** Writes inside a task. */
  // deno-lint-ignore require-yield
  *write(text: string): Activity<Errno | undefined> {
    return this.writeNow(text);
  }

  /** Whether there is no end to what can be read. */
  get isEndless(): boolean {
    return false;
  }

  /** The rest of the text. */
  *readAll(reader: Reader): Generator<Request, string | Errno, unknown> {
    if (this.isEndless) return endless;
    let text = this.#take(this.#buffer.length);
    for (;;) {
      const more = yield* this.more(reader);
      if (more === undefined) return text;
      if (isErrno(more)) return more;
      text += more;
    }
  }

  /** One line with its newline; without it at the end; undefined after the end. `end` is the delimiter. */
  *readLine(reader: Reader, end = "\n"): Generator<Request, string | Errno | undefined, unknown> {
    for (;;) {
      const newline = this.#buffer.indexOf(end, this.#position);
      if (newline !== -1) return this.#take(newline + 1);
      const more = yield* this.more(reader);
      if (isErrno(more)) return more;
      if (more === undefined) {
        return this.#position < this.#buffer.length ? this.#take(this.#buffer.length) : undefined;
      }
      this.#buffer = this.#buffer.slice(this.#position) + more;
      this.#position = 0;
      if (this.isEndless && this.#buffer.length > MAX_TEXT) return noMemory;
    }
  }

  /** At most so many characters; fewer only at the end. */
  *readPart(reader: Reader, length: number): Generator<Request, string | Errno, unknown> {
    while (this.#buffer.length - this.#position < length) {
      const more = yield* this.more(reader);
      if (more === undefined) break;
      if (isErrno(more)) return more;
      this.#buffer = this.#buffer.slice(this.#position) + more;
      this.#position = 0;
    }
    return this.#take(Math.min(this.#position + length, this.#buffer.length));
  }

  /** One character; undefined after the end. */
  *readCharacter(reader: Reader): Generator<Request, string | Errno | undefined, unknown> {
    while (this.#position === this.#buffer.length) {
      const more = yield* this.more(reader);
      if (more === undefined || isErrno(more)) return more;
      this.#buffer = more;
      this.#position = 0;
    }
    const code = this.#buffer.codePointAt(this.#position)!;
    return this.#take(this.#position + (code > 0xffff ? 2 : 1));
  }

  /** Whether a read would not have to wait. */
  get isReady(): boolean {
    return true;
  }

  /** What has been read ahead; undefined where nothing has. */
  protected left(): string | undefined {
    return this.#position < this.#buffer.length ? this.#take(this.#buffer.length) : undefined;
  }

  /** What a program reads from it; undefined where that is nothing at all, or what is typed. */
  input(): Input | undefined {
    return undefined;
  }

  #take(end: number): string {
    const text = this.#buffer.slice(this.#position, end);
    this.#position = end;
    return text;
  }
}

/** The terminal. */
export class Terminal extends Description {
  constructor(readonly io: Io, readonly stream: "in" | "out" | "err") {
    super();
  }

  // deno-lint-ignore require-yield
  protected override *more(): Generator<Request, string | undefined, unknown> {
    return this.io.read?.();
  }

  override writeNow(text: string): undefined {
    if (this.stream === "err") this.io.err(text);
    else this.io.out(text);
  }
}

/** `/dev/null`. */
export class NullDevice extends Description {
  // deno-lint-ignore require-yield
  protected override *more(): Generator<Request, undefined, unknown> {
    return undefined;
  }

  override writeNow(_text: string): undefined {}
}

/** Text that is there already: a here-document. */
export class TextSource extends Description {
  #text: string | undefined;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  // deno-lint-ignore require-yield
  protected override *more(): Generator<Request, string | undefined, unknown> {
    return this.#rest();
  }

  #rest(): string | undefined {
    const text = this.#text;
    this.#text = undefined;
    return text;
  }

  override input(): Input {
    const text = () => this.left() ?? this.#rest();
    return {
      // deno-lint-ignore require-yield
      *read() {
        return text();
      },
      whenMore() {},
    };
  }
}

/** Collects what is written: a command substitution. */
export class Capture extends Description {
  text = "";

  override writeNow(text: string): Errno | undefined {
    if (this.text.length + text.length > MAX_TEXT) return noMemory;
    this.text += text;
    return undefined;
  }
}

/** A pipe. It holds much more than the kernel's 64 KiB: what limits it is the reader's wish. */
export class Pipe {
  readonly changed: Signal = new Signal();
  text = "";
  writersGone = false;
  readersGone = false;
  readonly input: PipeInput = new PipeInput(this);
  readonly output: PipeOutput = new PipeOutput(this);
}

/** The end that is written to. */
export class PipeInput extends Description {
  constructor(readonly pipe: Pipe) {
    super();
  }

  override writeNow(text: string): Errno | undefined {
    if (this.pipe.readersGone) return brokenPipe;
    if (this.pipe.text.length + text.length > MAX_PIPE) return noMemory;
    this.pipe.text += text;
    this.pipe.changed.notify();
    return undefined;
  }

  protected override closed(): void {
    this.pipe.writersGone = true;
    this.pipe.changed.notify();
  }
}

/** The end that is read from. */
export class PipeOutput extends Description {
  constructor(readonly pipe: Pipe) {
    super();
  }

  protected override *more({ deadline }: Reader): Generator<Request, string | Errno | undefined, unknown> {
    const { pipe } = this;
    deadline?.passed.add(() => pipe.changed.notify());
    yield { kind: "ready", signal: pipe.changed, ready: () => this.isReady || deadline?.expired === true };
    return this.isReady ? this.#drain() : timedOut;
  }

  override get isReady(): boolean {
    return this.pipe.text !== "" || this.pipe.writersGone;
  }

  override input(): Input {
    const text = () => this.left() ?? this.#drain() ?? (this.pipe.writersGone ? undefined : "");
    return {
      // deno-lint-ignore require-yield
      *read() {
        return text();
      },
      whenMore: (wake) => this.pipe.changed.add(wake),
    };
  }

  #drain(): string | undefined {
    const { text } = this.pipe;
    this.pipe.text = "";
    return text === "" ? undefined : text;
  }

  protected override closed(): void {
    this.pipe.readersGone = true;
  }
}

/** A file of the virtual file system. */
export class FileDescription extends Description {
  override readonly immediate: boolean;
  #ended = false;

  constructor(
    readonly machine: Machine,
    readonly path: string,
    readonly file: OpenFile,
    /** Slide mode's rewriting, and where its notes go. */
    readonly slide: { readonly hook: SlideHook; readonly note: (text: string) => void } | undefined,
  ) {
    super();
    this.immediate = file.writeNow !== undefined;
  }

  override get isEndless(): boolean {
    return this.file.endless === true;
  }

  protected override *more(reader: Reader): Generator<Request, string | Errno | undefined, unknown> {
    if (this.#ended) return undefined;
    const { file, isEndless } = this;
    let answer: string | Errno = "";
    yield {
      kind: "task",
      machine: reader.machine,
      name: reader.name,
      launch: reader.launch,
      body: () => keepRead(file, isEndless ? CHUNK : undefined, (read) => answer = read),
    };
    this.#ended = !isEndless;
    return answer;
  }

  override input(): Input {
    const { file } = this;
    const left = () => this.left();
    const hasEnded = () => {
      const before = this.#ended;
      this.#ended = true;
      return before;
    };
    return {
      *read() {
        const ahead = left();
        if (ahead !== undefined || hasEnded()) return ahead;
        const text = yield* file.read();
        return isErrno(text) ? undefined : text; // a program that reads all of an endless file gets nothing of it
      },
      whenMore() {},
    };
  }

  override writeNow(text: string): Errno | undefined {
    const answer = this.file.writeNow?.(text);
    return isErrno(answer) ? answer : undefined;
  }

  override *write(text: string): Activity<Errno | undefined> {
    if (this.immediate) return this.writeNow(text);
    let written = text;
    if (this.slide !== undefined) {
      const rewritten = this.slide.hook.write(this.machine, this.path, text);
      written = rewritten.text;
      for (const note of rewritten.notes) this.slide.note(note + "\n");
    }
    const answer = yield* this.file.write(written);
    return isErrno(answer) ? answer : undefined;
  }

  protected override closed(): void {
    this.file.close();
  }
}

/** The descriptors of a shell. */
export class DescriptorTable {
  readonly #table = new Map<number, Description>();

  get(fd: number): Description | undefined {
    return this.#table.get(fd);
  }

  set(fd: number, description: Description): void {
    const before = this.#table.get(fd);
    description.retain();
    this.#table.set(fd, description);
    before?.release();
  }

  close(fd: number): void {
    const before = this.#table.get(fd);
    this.#table.delete(fd);
    before?.release();
  }

  /** Whether nothing but the terminal is open. */
  get onlyTerminal(): boolean {
    return [...this.#table.values()].every((description) => description instanceof Terminal);
  }

  /** A copy for a subshell. */
  clone(): DescriptorTable {
    const copy = new DescriptorTable();
    for (const [fd, description] of this.#table) copy.set(fd, description);
    return copy;
  }

  /** The highest descriptor below 64 that is not in use, as bash picks one for `<( )`. */
  highestFree(): number {
    let fd = 63;
    while (this.#table.has(fd)) fd--;
    return fd;
  }

  closeAll(): void {
    for (const fd of [...this.#table.keys()]) this.close(fd);
  }
}
