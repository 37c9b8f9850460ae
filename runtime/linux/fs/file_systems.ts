/**
 * What is peculiar to each type of file system, as data.
 *
 * *Document*: Linux 3.5 and 6.18 `fs/namei.c`, `fs/sysfs/`, `fs/kernfs/`, `fs/proc/`.
 *
 * @module
 */

import { EACCES, ENOENT, EPERM, type Errno } from "../errno.ts";

/** What is peculiar to a type of file system. Every row is data: a kernel version may bring a row of its own. */
export interface FileSystem {
  /** The name in `/proc/mounts`. */
  readonly name: string;
  /** Whether a mode binds root as well. Elsewhere root may open anything. */
  readonly modeBindsRoot: boolean;
  /** `open` with O_CREAT of an absent name in a directory that makes no files. */
  readonly createErrno: Errno;
  /** `mkdir` of an absent name in a directory that makes none. */
  readonly mkdirErrno: Errno;
  /** Removing a name from a directory that gives none up. */
  readonly removeErrno: Errno;
  /** `stat`'s size of an attribute, bytes. */
  readonly attributeSize: number;
  /** `stat`'s size of a directory, bytes. */
  readonly directorySize: number;
}

/** `/sys`: its open looks at the mode even for root; nothing can be made or removed. */
export const SYSFS: FileSystem = {
  name: "sysfs",
  modeBindsRoot: true,
  createErrno: EACCES,
  mkdirErrno: EPERM,
  removeErrno: EPERM,
  attributeSize: 4096,
  directorySize: 0,
};

/**
 * `/sys` of Linux 3.5: its look-up of an absent name fails before anybody asks whether it could be made, so creating
 * says ENOENT where later kernels say EACCES or EPERM.
 */
export const SYSFS_3_5: FileSystem = { ...SYSFS, createErrno: ENOENT, mkdirErrno: ENOENT };

/** `/proc`: root opens everything, and the missing read or write then says EIO; an absent name is just absent. */
export const PROCFS: FileSystem = {
  name: "proc",
  modeBindsRoot: false,
  createErrno: ENOENT,
  mkdirErrno: ENOENT,
  removeErrno: EPERM,
  attributeSize: 0,
  directorySize: 0,
};

/** `/proc/sys`: has its own permission check, which binds root. */
export const SYSCTL: FileSystem = { ...PROCFS, modeBindsRoot: true };

/** cpusets: directories are made and removed, their files come with them. */
export const CPUSET: FileSystem = {
  name: "cpuset",
  modeBindsRoot: false,
  createErrno: EACCES,
  mkdirErrno: EPERM,
  removeErrno: EPERM,
  attributeSize: 0,
  directorySize: 0,
};

/** Memory that programs mount for themselves. */
export const TMPFS: FileSystem = {
  name: "tmpfs",
  modeBindsRoot: false,
  createErrno: EACCES,
  mkdirErrno: EPERM,
  removeErrno: EPERM,
  attributeSize: 0,
  directorySize: 4096,
};

/** debugfs: root may open anything; nothing can be made. */
export const DEBUGFS: FileSystem = { ...CPUSET, name: "debugfs" };

/** tracefs, since 4.1; until then tracing was part of debugfs. */
export const TRACEFS: FileSystem = { ...DEBUGFS, name: "tracefs" };

/** The root file system, with `/tmp` and `/dev`: in memory too. */
export const ROOTFS: FileSystem = { ...TMPFS, name: "rootfs" };
