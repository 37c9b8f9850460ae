/**
 * Files and directories that live in memory: the root file system, `/tmp`, `/dev`.
 *
 * *Document*: `Documentation/filesystems/tmpfs.txt`; `path_resolution(7)`, `unlink(2)`, `rmdir(2)`, `rename(2)`.
 *
 * *Modelled*: regular files, directories, symbolic and hard links, modes, when contents were changed.
 *
 * *Not modelled*: owners (every process of the model is root), other time stamps, sparse files, size limits, extended
 * attributes.
 *
 * @module
 */

import { EEXIST, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, type Errno } from "../errno.ts";
import type { DirectoryNode, Node } from "./vfs.ts";

/** A regular file. Its text is what readers see at once; open files keep only a position. */
export class MemoryFile {
  /** Tells nodes apart. */
  readonly kind = "memory";
  /** When its contents were last changed, ns since the boot. */
  changedNs = 0;
  /** How many names it has. */
  links = 1;

  /** Makes it; it has no name until it is in a directory. */
  constructor(
    /** The contents, as a string of characters; the size that `stat` reports is that of their UTF-8 form. */
    public text: string = "",
    /** Permission bits, `0o644`. */
    public mode: number = 0o644,
  ) {}
}

/** A symbolic link that somebody made; those of sysfs are computed. */
export class MemoryLink {
  /** Tells nodes apart. */
  readonly kind = "link";

  /**
   * Makes a link; its target need not exist.
   *
   * @param path where it leads, absolute or relative to the directory that the link is in
   * @param changedNs when it was made, ns since the boot
   */
  constructor(readonly path: string, public changedNs = 0) {}

  /** Where it leads. */
  target(): string {
    return this.path;
  }
}

/** A directory whose entries are made and removed by system calls, or put there by the model with `set`. */
export class MemoryDirectory implements DirectoryNode {
  /** Tells nodes apart. */
  readonly kind = "directory";
  /** When an entry was last made or removed, ns since the boot. */
  changedNs = 0;
  readonly #entries = new Map<string, Node>();

  /** Makes it; it has no name until it is in a directory. */
  constructor(
    /** Permission bits, `0o755`. */
    public mode: number = 0o755,
  ) {}

  list(): Iterable<string> {
    return this.#entries.keys();
  }

  /** The entry called `name`. */
  lookup(name: string): Node | undefined {
    return this.#entries.get(name);
  }

  /** Puts any node under `name`, whatever was there before: how the model furnishes `/dev` or `/root`. */
  set(name: string, node: Node): void {
    this.#entries.set(name, node);
  }

  create(name: string, mode: number): Node | Errno {
    if (this.#entries.has(name)) return EEXIST;
    const file = new MemoryFile("", mode);
    this.#entries.set(name, file);
    return file;
  }

  /** Makes a directory; EEXIST. */
  mkdir(name: string, mode: number): Errno | void {
    if (this.#entries.has(name)) return EEXIST;
    this.#entries.set(name, new MemoryDirectory(mode));
  }

  attach(name: string, node: Node): Errno | void {
    if (this.#entries.has(name)) return EEXIST;
    this.#entries.set(name, node);
  }

  /** Removes an entry that is no directory; ENOENT, EISDIR. */
  unlink(name: string): Errno | void {
    const node = this.#entries.get(name);
    if (node === undefined) return ENOENT;
    if (node.kind === "directory") return EISDIR;
    this.#entries.delete(name);
  }

  /** Removes an empty directory; ENOENT, ENOTDIR, ENOTEMPTY. */
  rmdir(name: string): Errno | void {
    const node = this.#entries.get(name);
    if (node === undefined) return ENOENT;
    if (node.kind !== "directory") return ENOTDIR;
    for (const _ of node.list()) return ENOTEMPTY;
    this.#entries.delete(name);
  }

  /** Sets the permission bits. */
  chmod(mode: number): void {
    this.mode = mode;
  }

  /**
   * Takes the entry out for a rename, without the checks of `unlink` and `rmdir`.
   *
   * @returns the node, or `undefined` if there was none
   */
  detach(name: string): Node | undefined {
    const node = this.#entries.get(name);
    this.#entries.delete(name);
    return node;
  }
}
