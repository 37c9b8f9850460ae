/**
 * The node of a device in a directory.
 *
 * @module
 */

import type { Errno } from "../errno.ts";
import type { FileStat, OpenFile, OpenFlags } from "./vfs.ts";

/** A device: `/dev/null`, `/dev/kvm`, `/dev/pts/0`, `/dev/vda`. */
export interface DeviceNode {
  /** Tells nodes apart. */
  readonly kind: "device";
  /** It is read and written in blocks; absent: by characters. */
  readonly block?: true;
  /** Permission bits. */
  readonly mode: number;
  /** Its major and its minor number. */
  readonly number: readonly [major: number, minor: number];
  /** Makes the open file. ENXIO is what a device without hardware behind it says. */
  open(flags: OpenFlags): OpenFile | Errno;
}

/** What `stat` tells of a device. */
export function deviceStat({ mode, number, block }: DeviceNode): FileStat {
  return { kind: "device", mode, size: 0, number, ...(block && { block }) };
}
