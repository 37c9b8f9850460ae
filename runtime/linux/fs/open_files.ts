/**
 * Open files: what a descriptor of a directory, a file in memory or an attribute does.
 *
 * *Document*: `read(2)`, `write(2)`; `fs/sysfs/file.c`, `fs/read_write.c`.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EBADF, EIO, EISDIR, Errno } from "../errno.ts";
import type { MemoryFile } from "./tmpfs.ts";
import type { AttributeNode, OpenFile, OpenFlags } from "./vfs.ts";

/** An activity that takes no time and answers `value`. */
// deno-lint-ignore require-yield -- work of no duration has no step to yield
export function* immediately<T>(value: T): Activity<T> {
  return value;
}

/** Whether an attribute answered with work to be done first. */
export function isActivity<T>(value: T | Activity<T>): value is Activity<T> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

/** A directory opened for reading, as a redirection does it: the error comes with the first read. */
export class OpenDirectory implements OpenFile {
  read(): Activity<string | Errno> {
    return immediately(EISDIR);
  }

  write(_text: string): Activity<number | Errno> {
    return immediately(EBADF);
  }

  /** Nothing to release. */
  close(): void {}
}

/** A regular file: all open files of it share its text, each has a position. */
export class OpenMemory implements OpenFile {
  #position = 0;

  /** Opens at position 0. */
  constructor(readonly file: MemoryFile, readonly flags: OpenFlags, readonly nowNs: () => number) {}

  read(length = Infinity): Activity<string | Errno> {
    if (!this.flags.read) return immediately(EBADF);
    const text = this.file.text.slice(this.#position, this.#position + length);
    this.#position += text.length;
    return immediately(text);
  }

  write(text: string): Activity<number | Errno> {
    return immediately(this.writeNow(text));
  }

  seek(position: number): void {
    this.#position = position;
  }

  writeNow(text: string): number | Errno {
    if (!this.flags.write && !this.flags.append) return EBADF;
    const { file } = this;
    const at = this.flags.append ? file.text.length : this.#position;
    // Most writes go to the end, where a string grows cheaply; a position beyond it leaves a hole of zeros.
    if (at >= file.text.length) file.text += "\0".repeat(at - file.text.length) + text;
    else file.text = file.text.slice(0, at) + text + file.text.slice(at + text.length);
    this.#position = at + text.length;
    if (text !== "") file.changedNs = this.nowNs();
    return text.length;
  }

  /** Nothing to release. */
  close(): void {}
}

/** A file of sysfs or procfs: the first read makes the text, later reads go on in it. */
export class OpenAttribute implements OpenFile {
  #text: string | undefined;
  #position = 0;

  /** Opens; the text is made at the first read. */
  constructor(readonly node: AttributeNode, readonly flags: OpenFlags) {}

  *read(length = Infinity): Activity<string | Errno> {
    if (!this.flags.read) return EBADF;
    if (this.#text === undefined) {
      if (!this.node.show) return EIO;
      const shown = this.node.show();
      const text = isActivity(shown) ? yield* shown : shown;
      if (text instanceof Errno) return text;
      this.#text = text;
    }
    const part = this.#text.slice(this.#position, this.#position + length);
    this.#position += part.length;
    return part;
  }

  *write(text: string): Activity<number | Errno> {
    if (!this.flags.write && !this.flags.append) return EBADF;
    if (text === "") return 0;
    if (!this.node.store) return EIO;
    const stored = this.node.store(text);
    const answer = isActivity<Errno | void>(stored) ? yield* stored : stored;
    return answer instanceof Errno ? answer : text.length;
  }

  /** Nothing to release. */
  close(): void {}
}
