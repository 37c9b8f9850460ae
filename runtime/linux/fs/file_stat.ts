/**
 * What `stat(2)` tells of a node: kind, mode and size, and what `ls -l` shows beside them.
 *
 * *Modelled*: names of a file, subdirectories of a directory, when a file or directory in memory was last changed, the space
 * that it takes.
 *
 * *Deviations*: what a kernel computes has the time of the boot in sysfs, and in procfs the time of the look, as there; but
 * a real sysfs notes when a file was first looked at.
 *
 * @module
 */

import { deviceStat } from "./device_node.ts";
import { type FileSystem, PROCFS } from "./file_systems.ts";
import { MemoryFile, MemoryLink } from "./tmpfs.ts";
import type { DirectoryNode, Node } from "./vfs.ts";

/** What `stat` tells of a path. */
export interface FileStat {
  /** What it is; `link` only from `lstat`. */
  kind: "file" | "directory" | "link" | "device";
  /** Permission bits, `0o644`. */
  mode: number;
  /** Bytes. Attributes of sysfs have a fixed size (4096), those of procfs 0, whatever a read gives. */
  size: number;
  /** Of a device: its major and its minor number. */
  number?: readonly [major: number, minor: number];
  /** A device that is read and written in blocks. */
  block?: true;
}

/** What takes longer to find out. */
export interface FileDetails {
  /** Its names; of a directory the two of each one's own and one for each directory in it. */
  readonly links: number;
  /** When its contents were last changed, ns since the kernel's boot. */
  readonly changedNs: number;
  /** What it takes of the memory that its file system lies in, in units of 1024 bytes. */
  readonly kib: number;
}

/** Memory is given out by pages, KiB. */
const PAGE_KIB = 4;

/** Kind, mode and size of a node. */
export function statOf(node: Node, fileSystem: FileSystem): FileStat {
  switch (node.kind) {
    case "directory":
      return { kind: "directory", mode: node.mode ?? 0o755, size: fileSystem.directorySize };
    case "attribute":
      return { kind: "file", mode: node.mode, size: node.size ?? fileSystem.attributeSize };
    case "memory":
      return { kind: "file", mode: node.mode, size: new TextEncoder().encode(node.text).length };
    case "link":
      return { kind: "link", mode: 0o777, size: node instanceof MemoryLink ? node.path.length : 0 };
    case "device":
      return deviceStat(node);
  }
}

/** Links, time and space of a node. */
export function detailsOf(node: Node, fileSystem: FileSystem, nowNs: number): FileDetails {
  const pages = node instanceof MemoryFile ? Math.ceil(statOf(node, fileSystem).size / (PAGE_KIB * 1024)) : 0;
  return {
    links: node.kind === "directory" ? 2 + directoriesIn(node) : node instanceof MemoryFile ? node.links : 1,
    changedNs: "changedNs" in node ? node.changedNs : fileSystem.name === PROCFS.name ? nowNs : 0,
    kib: pages * PAGE_KIB,
  };
}

function directoriesIn(directory: DirectoryNode): number {
  let count = 0;
  for (const name of directory.list()) {
    if (directory.lookup(name)?.kind === "directory") count++;
  }
  return count;
}
