/**
 * A folder of scripts in the virtual tree, so that one script can source another that lies beside it.
 *
 * The texts come from outside, by a port. In the tree the folder lives in memory as `/tmp` does: what a script writes
 * beside itself, `cyclictest -q > out.txt`, is there until the machine is gone, and never on the computer that runs it.
 *
 * @module
 */

import { ROOTFS } from "../linux/fs/file_systems.ts";
import { MemoryDirectory, MemoryFile } from "../linux/fs/tmpfs.ts";
import type { Vfs } from "../linux/fs/vfs.ts";

/** Scripts by name, and where they are found. */
export interface ScriptFolder {
  /** Absolute path in the virtual tree. */
  readonly path: string;
  /** Texts by file name; those in folders of it by path, `setup/sriov.rtk`. */
  readonly files: ReadonlyMap<string, string>;
}

/** Puts the folder where it is found. */
export function mountScripts(folder: ScriptFolder, vfs: Vfs): void {
  vfs.mount(folder.path, directoryOf(folder.files), ROOTFS);
}

function directoryOf(files: ReadonlyMap<string, string>): MemoryDirectory {
  const directory = new MemoryDirectory();
  const folders = new Map<string, Map<string, string>>();
  for (const [path, text] of files) {
    const slash = path.indexOf("/");
    if (slash < 0) {
      directory.set(path, new MemoryFile(text, 0o755));
      continue;
    }
    const name = path.slice(0, slash);
    const inside = folders.get(name) ?? new Map<string, string>();
    folders.set(name, inside.set(path.slice(slash + 1), text));
  }
  for (const [name, inside] of folders) directory.set(name, directoryOf(inside));
  return directory;
}

/** Where a script of a folder of the computer, `set/a.rtk`, lies in the virtual tree; undefined: it was named without folder. */
export function pathIn({ path, files }: ScriptFolder, script: string): string | undefined {
  const [, name = ""] = /\/([^/]+)$/.exec(script) ?? [];
  return files.has(name) ? `${path}/${name}` : undefined;
}
