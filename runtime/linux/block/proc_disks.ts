/**
 * `/proc/partitions` and `/proc/diskstats`.
 *
 * *Document*: Linux 3.5 and 6.18 `block/genhd.c` (`show_partition()`, `diskstats_show()`), `Documentation/iostats.txt`.
 *
 * @module
 */

import type { Disk, DiskCounts, DiskRange } from "./disk.ts";

/** `/proc/partitions`: sizes in KiB. Without a disk there is no head either. */
export function procPartitions(disks: Iterable<Disk>): string {
  const lines = [...disks].flatMap(({ major, ranges }) =>
    ranges.map(({ name, minor, sectors }) =>
      `${String(major).padStart(4)}  ${String(minor).padStart(7)} ${
        String(Math.floor(sectors / 2)).padStart(10)
      } ${name}\n`
    )
  );
  return lines.length === 0 ? "" : `major minor  #blocks  name\n\n${lines.join("")}`;
}

/** `/proc/diskstats`: 11 numbers of each disk; since 4.18 those of discards, since 5.5 of flushes. @param fields how many */
export function procDiskstats(disks: Iterable<Disk>, fields: number): string {
  return [...disks].flatMap((disk) =>
    disk.ranges.map((range, i) => {
      // The partition has the root file system, which nobody reads here: everything counts for what was opened.
      const numbers = [
        ...numbersOf(disk.reads),
        ...numbersOf(disk.writes),
        disk.inFlight,
        milliseconds(disk.busyNs),
        milliseconds(disk.reads.ns + disk.writes.ns),
      ];
      while (numbers.length < fields) numbers.push(0);
      return line(disk, range, i === 0 ? numbers : numbers.map(() => 0));
    })
  ).join("");
}

function line({ major }: Disk, { minor, name }: DiskRange, numbers: readonly number[]): string {
  return `${String(major).padStart(4)} ${String(minor).padStart(7)} ${name} ${numbers.join(" ")}\n`;
}

/** Requests, merges, sectors, milliseconds. */
function numbersOf({ requests, sectors, ns }: DiskCounts): number[] {
  return [requests, 0, sectors, milliseconds(ns)];
}

function milliseconds(ns: number): number {
  return Math.floor(ns / 1e6);
}
