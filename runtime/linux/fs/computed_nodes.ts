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
  const held = typeof entries === "function" ? entries : always(entries);
  return {
    kind: "directory",
    ...mode === undefined ? {} : { mode },
    list: () => held().keys(),
    lookup: (name) => held().get(name),
  };
}

function always(entries: Iterable<readonly [string, Node]> | Readonly<Record<string, Node>>): () => Entries {
  const held = entries instanceof Map
    ? entries
    : new Map(Symbol.iterator in entries ? entries : Object.entries(entries));
  return () => held;
}

/** A file that can be read and not written. */
export function readOnly(show: () => string): AttributeNode {
  return { kind: "attribute", mode: 0o444, show };
}
