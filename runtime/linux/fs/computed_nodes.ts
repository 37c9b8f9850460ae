/**
 * Directories and files of sysfs, procfs, debugfs and tracefs: nothing is kept, a look-up asks.
 *
 * @module
 */

import type { AttributeNode, DirectoryNode, Node } from "./vfs.ts";

/** Nodes by name. */
export type Entries = ReadonlyMap<string, Node>;

/**
 * A directory that nobody can make anything in.
 *
 * @param entries what it holds, or a function that says so each time it is asked @param mode its bits; `0o755` if absent
 */
export function directory(
  entries: Iterable<readonly [string, Node]> | Readonly<Record<string, Node>> | (() => Entries),
  mode?: number,
): DirectoryNode {
  if (typeof entries === "function" || entries instanceof Map) return new ComputedDirectory(entries, mode);
  return new ComputedDirectory(new Map(Symbol.iterator in entries ? entries : Object.entries(entries)), mode);
}

class ComputedDirectory implements DirectoryNode {
  readonly kind = "directory";

  constructor(readonly entries: Entries | (() => Entries), readonly mode: number | undefined) {}

  list(): Iterable<string> {
    return this.#held.keys();
  }

  lookup(name: string): Node | undefined {
    return this.#held.get(name);
  }

  get #held(): Entries {
    return typeof this.entries === "function" ? this.entries() : this.entries;
  }
}

/** A file that can be read and not written. */
export function readOnly(show: AttributeNode["show"], mode = 0o444): AttributeNode {
  return attribute(mode, show);
}

/** A file with those permission bits, made of text: how it is read, and how it is written if it can be. */
export function attribute(
  mode: number,
  show: AttributeNode["show"],
  store?: AttributeNode["store"],
  truncate?: AttributeNode["truncate"],
): AttributeNode {
  return new Attribute(mode, show, store, truncate);
}

class Attribute implements AttributeNode {
  readonly kind = "attribute";

  constructor(
    readonly mode: number,
    readonly show: AttributeNode["show"],
    readonly store: AttributeNode["store"],
    readonly truncate: AttributeNode["truncate"],
  ) {}
}
