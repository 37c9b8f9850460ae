/**
 * A folder of scripts in the virtual tree, so that one script can source another that lies beside it.
 *
 * The texts come from outside, by a port; the folder shows them read-only, with the mode of a script.
 *
 * @module
 */

import { EROFS } from "../linux/errno.ts";
import { type FileSystem, TMPFS } from "../linux/fs/file_systems.ts";
import type { DirectoryNode, Node } from "../linux/fs/vfs.ts";

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
  /** Texts by file name; those in folders of it by path, `setup/sriov.rtk`. */
  readonly files: ReadonlyMap<string, string>;
}

/** The directory that a {@linkcode ScriptFolder} is mounted as. */
export function scriptDirectory({ files }: Pick<ScriptFolder, "files">): DirectoryNode {
  const entries = new Map<string, Node>();
  const folders = new Map<string, Map<string, string>>();
  for (const [path, text] of files) {
    const slash = path.indexOf("/");
    if (slash < 0) {
      entries.set(path, { kind: "attribute", mode: 0o555, size: text.length, show: () => text });
      continue;
    }
    const name = path.slice(0, slash);
    const inside = folders.get(name) ?? new Map<string, string>();
    folders.set(name, inside.set(path.slice(slash + 1), text));
  }
  for (const [name, inside] of folders) entries.set(name, scriptDirectory({ files: inside }));
  return { kind: "directory", mode: 0o555, list: () => entries.keys(), lookup: (name) => entries.get(name) };
}

/** Where a script of a folder of the computer, `set/a.rtk`, lies in the virtual tree; undefined: it was named without folder. */
export function pathIn({ path, files }: ScriptFolder, script: string): string | undefined {
  const [, name = ""] = /\/([^/]+)$/.exec(script) ?? [];
  return files.has(name) ? `${path}/${name}` : undefined;
}
