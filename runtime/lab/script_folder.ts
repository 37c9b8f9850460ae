/**
 * A folder of scripts in the virtual tree, so that one script can source another that lies beside it.
 *
 * The texts come from outside, by a port; the folder shows them read-only, with the mode of a script.
 *
 * @module
 */

import { EROFS } from "../linux/errno.ts";
import { type FileSystem, TMPFS } from "../linux/file_systems.ts";
import type { DirectoryNode } from "../linux/vfs.ts";

/** A file system that nothing can be written to. */
export const READ_ONLY: FileSystem = {
  ...TMPFS,
  name: "scripts",
  modeBindsRoot: true,
  createErrno: EROFS,
  mkdirErrno: EROFS,
  removeErrno: EROFS,
};

/** Scripts by name, and where they are found. */
export interface ScriptFolder {
  /** Absolute path in the virtual tree. */
  readonly path: string;
  /** Texts by file name. */
  readonly files: ReadonlyMap<string, string>;
}

/** The directory that a {@linkcode ScriptFolder} is mounted as. */
export function scriptDirectory({ files }: ScriptFolder): DirectoryNode {
  return {
    kind: "directory",
    mode: 0o555,
    list: () => files.keys(),
    lookup(name) {
      const text = files.get(name);
      return text === undefined
        ? undefined
        : { kind: "attribute", mode: 0o555, size: text.length, show: () => text };
    },
  };
}
