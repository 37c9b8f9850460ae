/**
 * The virtual file system: from a path to the node behind it, with the errors that system calls give.
 *
 * A tree is made of {@linkcode Node}s. Nodes of sysfs and procfs are computed: a directory answers `lookup`, an
 * attribute makes its text when it is read, so no state is kept twice. What a file system allows (does mode 0444
 * bind root? what does creating a file say?) is a row of {@linkcode FileSystem}, named at the mount.
 *
 * ```ts
 * import { Errno } from "../errno.ts";
 * import { SYSFS, Vfs } from "./vfs.ts";
 *
 * const vfs = new Vfs();
 * vfs.mount("/sys", {
 *   kind: "directory",
 *   list: () => ["version"],
 *   lookup: (name) => name === "version" ? { kind: "attribute", mode: 0o444, show: () => "1\n" } : undefined,
 * }, SYSFS);
 * const refused = vfs.open("/sys/version", { write: true });
 * if (refused instanceof Errno) console.log(refused.message); // Permission denied
 * ```
 *
 * *Document*: `path_resolution(7)`, `open(2)`, `mkdir(2)`, `unlink(2)`, `rename(2)`; `fs/{namei.c,sysfs/,proc/}`.
 *
 * *Modelled*: directories, regular files, symbolic links, devices, mounts; every caller is root.
 *
 * *Not modelled*: other users, unmounting, hard limits (open files, space), a write cut at one page.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import {
  EACCES,
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  ENXIO,
  EPERM,
  Errno,
  EXDEV,
} from "../errno.ts";
import type { DeviceNode } from "./device_node.ts";
import { detailsOf, type FileDetails, type FileStat, statOf } from "./file_stat.ts";
import { type FileSystem, ROOTFS, TMPFS } from "./file_systems.ts";
import { OpenAttribute, OpenDirectory, OpenMemory } from "./open_files.ts";
import { MemoryDirectory, MemoryFile, MemoryLink } from "./tmpfs.ts";

export type { DeviceNode } from "./device_node.ts";
export type { FileDetails, FileStat } from "./file_stat.ts";
export { type FileSystem, PROCFS, SYSCTL, SYSFS, SYSFS_3_5, TMPFS } from "./file_systems.ts";
export { immediately } from "./open_files.ts";

/** How `open` shall open. */
export interface OpenFlags {
  /** O_RDONLY, or with `write` O_RDWR. */
  read?: boolean;
  /** O_WRONLY, or with `read` O_RDWR. */
  write?: boolean;
  /** Every write goes to the end of the file. */
  append?: boolean;
  /** Make the file if it is not there. */
  create?: boolean;
  /** Empty the file. */
  truncate?: boolean;
  /** With `create`: fail with EEXIST if the file is there. */
  exclusive?: boolean;
  /** O_DIRECT: not through the page cache. */
  direct?: boolean;
  /** Permission bits of a file that is made; the caller has applied its umask. Default `0o644`. */
  mode?: number;
}

/** An open file description: shells that duplicate a descriptor share the object and so its position. */
export interface OpenFile {
  /**
   * Reads from the position to the end, or at most `length` characters of it. `""` is the end of the file.
   * Fails with EBADF if the file was not opened for reading, EISDIR for a directory, or as the attribute says.
   */
  read(length?: number): Activity<string | Errno>;
  /** It has no end: a read needs a length. */
  readonly endless?: true;
  /**
   * Writes at the position. For an attribute one call is one store, trailing newline included; an empty text does
   * nothing. Returns the number of characters taken, EBADF if not opened for writing, or as the attribute says.
   */
  write(text: string): Activity<number | Errno>;
  /** `lseek(2)`: where the next read or write begins; absent: only on and on. */
  seek?(position: number): void;
  /** `ioctl(2)`, where the device has one; a caller that finds none reports ENOTTY. */
  ioctl?(request: number, argument: number): Activity<number | Errno>;
  /** Releases what the open file holds. */
  close(): void;
}

/** A directory. One without `create`, `mkdir`, … refuses with the errno of its {@linkcode FileSystem}. */
export interface DirectoryNode {
  /** Tells nodes apart. */
  readonly kind: "directory";
  /** Permission bits, `0o755` if absent. */
  readonly mode?: number;
  /** Names in any order, without `.` and `..`. */
  list(): Iterable<string>;
  /** The entry called `name`, made anew each time if it is computed. */
  lookup(name: string): Node | undefined;
  /** Makes a regular file; `name` is not there. */
  create?(name: string, mode: number): Node | Errno;
  /** Makes a directory; EEXIST if the name is taken. */
  mkdir?(name: string, mode: number): Errno | void;
  /** Enters an existing node: symbolic and hard links, renames. EEXIST if the name is taken. */
  attach?(name: string, node: Node): Errno | void;
  /** Removes an entry that is no directory. */
  unlink?(name: string): Errno | void;
  /** Removes a directory; ENOTEMPTY, or EBUSY for one in use. */
  rmdir?(name: string): Errno | void;
  /** Takes an entry out for a rename. */
  detach?(name: string): Node | undefined;
  /** Sets its permission bits. */
  chmod?(mode: number): void;
}

/** A file of sysfs or procfs: text made on demand, and a store that is a piece of kernel code with a cost. */
export interface AttributeNode {
  /** Tells nodes apart. */
  readonly kind: "attribute";
  /** Permission bits. In sysfs they bind root too: 0444 cannot be opened for writing, 0200 not for reading. */
  readonly mode: number;
  /** `stat`'s size if it is not the file system's usual one: 256 for the `config` of a PCI device. */
  readonly size?: number;
  /** The text of one read from the start. It is asked once per open file. */
  show?(): string | Errno | Activity<string | Errno>;
  /** What opening it with O_TRUNC does; nothing where absent. */
  truncate?(): void;
  /** Takes what one `write` brought, trailing newline included. */
  store?(text: string): Errno | void | Activity<Errno | void>;
}

/** A symbolic link. */
export interface LinkNode {
  /** Tells nodes apart. */
  readonly kind: "link";
  /** Absolute, or relative to the directory that the link is in. */
  target(): string;
}

/** What a directory entry can be. */
export type Node = DirectoryNode | AttributeNode | LinkNode | MemoryFile | DeviceNode;

/** Symbolic links followed in one resolution before ELOOP (`MAXSYMLINKS`). */
const LINKS_MAX = 40;
/** Bytes of one file name (`NAME_MAX`). */
const NAME_MAX = 255;

/** Where a walk stands. */
interface Place {
  readonly path: string;
  readonly node: Node;
  readonly mount: Mount;
  /** The directory above; the root is its own. */
  readonly parent: Place | undefined;
}

class Mount {
  constructor(readonly node: Node, readonly fileSystem: FileSystem, readonly source: string) {}
}

/** One tree of files, as the processes of one computer see it. */
export class Vfs {
  readonly #mounts = new Map<string, Mount>();
  /** The clock of those who change files, ns since the boot. */
  nowNs: () => number = () => 0;

  /**
   * Makes a tree with nothing but its root.
   *
   * @param root what `/` is; an empty directory in memory if absent
   */
  constructor(root: DirectoryNode = new MemoryDirectory()) {
    this.#mounts.set("/", new Mount(root, ROOTFS, "rootfs"));
  }

  /**
   * Puts `node` at `path` and hides what was there. Missing directories on the way are made, as start-up scripts do.
   *
   * @param source what is mounted, as `/proc/mounts` calls it
   * @throws {RangeError} if a directory on the way is missing and cannot be made: the model is wired wrongly
   */
  mount(path: string, node: Node, fileSystem: FileSystem = TMPFS, source: string = fileSystem.name): void {
    const names = path.split("/").filter((name) => name !== "");
    let at = "";
    for (const name of names) {
      at += `/${name}`;
      if (!(this.lstat(at) instanceof Errno)) continue;
      const made = this.mkdir(at);
      if (made instanceof Errno) throw new RangeError(`Cannot mount on ${path}: mkdir ${at}: ${made}`);
    }
    this.#mounts.set(at === "" ? "/" : at, new Mount(node, fileSystem, source));
  }

  /** What is at `path`, symbolic links followed; ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG. */
  stat(path: string): FileStat | Errno {
    const place = this.#walk(path, true);
    return place instanceof Errno ? place : statOf(place.node, place.mount.fileSystem);
  }

  /** As {@linkcode stat}, but a link in the last place is reported itself. */
  lstat(path: string): FileStat | Errno {
    const place = this.#walk(path, false);
    return place instanceof Errno ? place : statOf(place.node, place.mount.fileSystem);
  }

  /** Links, time and space of what is at `path`, a link in the last place itself. */
  details(path: string): FileDetails | Errno {
    const place = this.#walk(path, false);
    return place instanceof Errno ? place : detailsOf(place.node, place.mount.fileSystem, this.nowNs());
  }

  /** Gives a file or directory in memory the present time, as `utimensat(2)`; others keep theirs. */
  touch(path: string): Errno | void {
    const place = this.#walk(path, true);
    return place instanceof Errno ? place : this.#changed(place.node);
  }

  #changed(node: Node): void {
    if ("changedNs" in node) node.changedNs = this.nowNs();
  }

  /** The names in a directory, sorted by code unit as in the C locale, without `.` and `..`. ENOTDIR. */
  list(path: string): string[] | Errno {
    const place = this.#walk(path, true);
    if (place instanceof Errno) return place;
    if (place.node.kind !== "directory") return ENOTDIR;
    return [...place.node.list()].sort();
  }

  /** Where the symbolic link at `path` leads; EINVAL if it is no link. */
  readlink(path: string): string | Errno {
    const place = this.#walk(path, false);
    if (place instanceof Errno) return place;
    return place.node.kind === "link" ? place.node.target() : EINVAL;
  }

  /** The absolute path without links, `.` and `..`, of something that exists. */
  realpath(path: string): string | Errno {
    const place = this.#walk(path, true);
    return place instanceof Errno ? place : place.path;
  }

  /** The node at `path`, symbolic links followed, for code of the model that has business with the node itself. */
  node(path: string): Node | Errno {
    const place = this.#walk(path, true);
    return place instanceof Errno ? place : place.node;
  }

  /**
   * Opens a file.
   *
   * Errors: ENOENT, ENOTDIR, ELOOP; EISDIR (a directory, for writing); EACCES (the mode, in sysfs even for root; or a
   * file that sysfs shall create); EEXIST (`exclusive`); what the device says. An attribute is not truncated.
   */
  open(path: string, flags: OpenFlags): OpenFile | Errno {
    let place = this.#walk(path, true);
    if (place === ENOENT && flags.create) place = this.#create(path, flags.mode ?? 0o644);
    else if (!(place instanceof Errno) && flags.create && flags.exclusive) return EEXIST;
    if (place instanceof Errno) return place;
    const { node } = place;
    const { fileSystem } = place.mount;
    const writes = flags.write === true || flags.append === true || flags.truncate === true;
    switch (node.kind) {
      case "directory":
        return writes || flags.create ? EISDIR : new OpenDirectory();
      case "attribute":
        if (fileSystem.modeBindsRoot) {
          if (writes && (node.mode & 0o222) === 0) return EACCES;
          if (flags.read && (node.mode & 0o444) === 0) return EACCES;
        }
        if (flags.direct) return EINVAL;
        if (flags.truncate) node.truncate?.();
        return new OpenAttribute(node, flags);
      case "memory":
        if (flags.truncate) {
          node.text = "";
          this.#changed(node);
        }
        return new OpenMemory(node, flags, this.nowNs);
      case "device":
        return node.open(flags);
      case "link":
        // A walk that follows links ends at one only if the link is the node of a mount.
        return ENXIO;
    }
  }

  /** Makes a directory; EEXIST, ENOENT (parent), EPERM (sysfs). The caller has applied its umask to `mode`. */
  mkdir(path: string, mode = 0o755): Errno | void {
    const entry = this.#entry(path);
    if (entry instanceof Errno) return entry;
    const { directory, name, place } = entry;
    if (directory.lookup(name) !== undefined) return EEXIST;
    const refused = directory.mkdir ? directory.mkdir(name, mode) : place.mount.fileSystem.mkdirErrno;
    if (refused === undefined) [directory, directory.lookup(name)!].forEach((node) => this.#changed(node));
    return refused;
  }

  /** Removes a file, a link or an empty directory; ENOENT, ENOTEMPTY, EBUSY (a mount), EPERM (sysfs). */
  remove(path: string): Errno | void {
    const entry = this.#entry(path);
    if (entry instanceof Errno) return entry;
    const { directory, name, place } = entry;
    const node = directory.lookup(name);
    if (node === undefined) return ENOENT;
    if (this.#mounts.has(join(place.path, name))) return EBUSY;
    this.#changed(directory);
    if (node.kind === "directory") {
      return directory.rmdir ? directory.rmdir(name) : place.mount.fileSystem.removeErrno;
    }
    if (node instanceof MemoryFile) node.links--;
    return directory.unlink ? directory.unlink(name) : place.mount.fileSystem.removeErrno;
  }

  /** Makes a symbolic link at `path` that leads to `target`, which need not exist. */
  symlink(target: string, path: string): Errno | void {
    if (target === "") return ENOENT;
    return this.#attach(path, new MemoryLink(target, this.nowNs()));
  }

  /** Makes a second name for a file; EPERM for a directory, EXDEV across file systems. */
  link(existing: string, path: string): Errno | void {
    const from = this.#walk(existing, false);
    if (from instanceof Errno) return from;
    if (from.node.kind === "directory") return EPERM;
    const to = this.#entry(path);
    if (to instanceof Errno) return to;
    if (to.place.mount !== from.mount) return EXDEV;
    return this.#attach(path, from.node);
  }

  /**
   * Moves an entry, over a file or an empty directory that is in its way.
   *
   * Errors: ENOENT; EISDIR, ENOTDIR (one is a directory, the other not); ENOTEMPTY; EINVAL (into itself); EBUSY (a
   * mount); EXDEV (another file system); EPERM (sysfs).
   */
  rename(oldPath: string, newPath: string): Errno | void {
    const from = this.#entry(oldPath);
    if (from instanceof Errno) return from;
    const to = this.#entry(newPath);
    if (to instanceof Errno) return to;
    const node = from.directory.lookup(from.name);
    if (node === undefined) return ENOENT;
    if (from.place.mount !== to.place.mount) return EXDEV;
    if (!from.directory.detach || !to.directory.attach) return from.place.mount.fileSystem.removeErrno;
    const source = join(from.place.path, from.name);
    const target = join(to.place.path, to.name);
    if (this.#mounts.has(source) || this.#mounts.has(target)) return EBUSY;
    if (target.startsWith(`${source}/`)) return EINVAL;
    const inTheWay = to.directory.lookup(to.name);
    if (inTheWay === node) return;
    if (inTheWay !== undefined) {
      if (inTheWay.kind === "directory" && node.kind !== "directory") return EISDIR;
      if (inTheWay.kind !== "directory" && node.kind === "directory") return ENOTDIR;
      if (inTheWay.kind === "directory" && [...inTheWay.list()].length > 0) return ENOTEMPTY;
      to.directory.detach?.(to.name);
      if (inTheWay instanceof MemoryFile) inTheWay.links--;
    }
    for (const directory of [from.directory, to.directory]) this.#changed(directory);
    from.directory.detach(from.name);
    return to.directory.attach(to.name, node);
  }

  /** Sets the permission bits of a file or directory in memory; EPERM elsewhere. */
  chmod(path: string, mode: number): Errno | void {
    const place = this.#walk(path, true);
    if (place instanceof Errno) return place;
    const { node } = place;
    if (node.kind === "memory") node.mode = mode;
    else if (node.kind === "directory" && node.chmod) node.chmod(mode);
    else return EPERM;
  }

  /**
   * Every mount, in the order made: source, path and type, for `/proc/mounts`. Parts of a file system that the model
   * mounts within one of the same type are not told of.
   */
  *mounts(): Iterable<{ source: string; path: string; fileSystem: FileSystem }> {
    for (const [path, { source, fileSystem }] of this.#mounts) {
      if (path === "/" || this.#mountAbove(path).fileSystem.name !== fileSystem.name) {
        yield { source, path, fileSystem };
      }
    }
  }

  /** The mount that a mount point is in. */
  #mountAbove(path: string): Mount {
    const above = path.slice(0, path.lastIndexOf("/")) || "/";
    return this.#mounts.get(above) ?? this.#mountAbove(above);
  }

  #attach(path: string, node: Node): Errno | void {
    const entry = this.#entry(path);
    if (entry instanceof Errno) return entry;
    const { directory, name, place } = entry;
    if (directory.lookup(name) !== undefined) return EEXIST;
    this.#changed(directory);
    if (node instanceof MemoryFile) node.links++;
    return directory.attach ? directory.attach(name, node) : place.mount.fileSystem.createErrno;
  }

  /** Makes the file that `open` did not find. A link that leads nowhere is followed: its target is made. */
  #create(path: string, mode: number): Place | Errno {
    if (path.endsWith("/")) return EISDIR;
    for (let links = 0, at = path; links <= LINKS_MAX; links++) {
      const entry = this.#entry(at);
      if (entry instanceof Errno) return entry;
      const { directory, name, place } = entry;
      const there = directory.lookup(name);
      if (there?.kind === "link") {
        at = relativeTo(place.path, there.target());
        continue;
      }
      if (there !== undefined) return ENOENT;
      const made = directory.create ? directory.create(name, mode) : place.mount.fileSystem.createErrno;
      if (made instanceof Errno) return made;
      for (const node of [directory, made]) this.#changed(node);
      return { path: join(place.path, name), node: made, mount: place.mount, parent: place };
    }
    return ELOOP;
  }

  /** The directory that holds, or would hold, the last name of `path`. */
  #entry(path: string): { place: Place; directory: DirectoryNode; name: string } | Errno {
    const trimmed = path.replace(/\/+$/, "");
    const slash = trimmed.lastIndexOf("/");
    const name = trimmed.slice(slash + 1);
    // The root, `.` and `..` are no entries that could be made or removed.
    if (name === "") return path === "" ? ENOENT : EEXIST;
    if (name === "." || name === "..") return EINVAL;
    if (name.length > NAME_MAX) return ENAMETOOLONG;
    const place = this.#walk(slash <= 0 ? "/" : trimmed.slice(0, slash), true);
    if (place instanceof Errno) return place;
    if (place.node.kind !== "directory") return ENOTDIR;
    return { place, directory: place.node, name };
  }

  /** Resolves a path. `..` goes to the directory really above, so it leads out of a followed link's target. */
  #walk(path: string, followLast: boolean): Place | Errno {
    if (path === "") return ENOENT;
    const root = this.#mounts.get("/") as Mount;
    const top: Place = { path: "/", node: root.node, mount: root, parent: undefined };
    let place = top;
    let links = 0;
    // Names still to be taken, the next one last, so that a link's names can be put in front of them.
    const names = namesOf(path);
    for (;;) {
      const name = names.pop();
      if (name === undefined) return place;
      if (place.node.kind !== "directory") return ENOTDIR;
      if (name === ".") continue;
      if (name === "..") {
        place = place.parent ?? top;
        continue;
      }
      if (name.length > NAME_MAX) return ENAMETOOLONG;
      const at = join(place.path, name);
      const mounted = this.#mounts.get(at);
      const node = mounted?.node ?? place.node.lookup(name);
      if (node === undefined) return ENOENT;
      if (node.kind === "link" && mounted === undefined && (followLast || names.length > 0)) {
        if (++links > LINKS_MAX) return ELOOP;
        const target = node.target();
        if (target.startsWith("/")) place = top;
        names.push(...namesOf(target));
        continue;
      }
      place = { path: at, node, mount: mounted ?? place.mount, parent: place };
    }
  }
}

/** The names of a path in reverse. A slash at the end asks for a directory, which `.` checks. */
function namesOf(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  if (path.endsWith("/")) names.push(".");
  return names.reverse();
}

function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

function relativeTo(directory: string, target: string): string {
  return target.startsWith("/") ? target : join(directory, target);
}
