/**
 * Disks: block devices with their partition, `/dev/vda` and `/dev/vda1`, and what has been read and written.
 *
 * *Document*: Linux 3.5 `block/genhd.c`, `fs/block_dev.c` (`blkdev_direct_IO()`, `blkdev_aio_write()`), `mm/readahead.c`;
 * `Documentation/iostats.txt`; `open(2)`, O_DIRECT.
 *
 * *Modelled*: reads and writes past the page cache (O_DIRECT) and through it, with readahead; one partition from sector
 * 2048 to the end, which holds the root file system.
 *
 * *Not modelled*: the file system itself: the files of `/` are in memory. Partition tables, I/O schedulers, plugging.
 *
 * *Deviations*: a write through the page cache goes to the disk at once. A read without a length gets 128 KiB at most.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EBADF, EINVAL, EIO, ENOSPC, EROFS, Errno } from "../errno.ts";
import type { DeviceNode, OpenFile, OpenFlags } from "../fs/vfs.ts";
import type { BlockSteps } from "./costs.ts";

/** Bytes of a sector. */
export const SECTOR = 512;
const PAGE = 4096;
/** `read_ahead_kb` is 128. */
const READAHEAD = 128 * 1024;
/** Where the partition begins, sectors. */
const PARTITION_START = 2048;

/** Who carries out what a disk is asked for. */
export interface DiskDriver {
  /** Reads `count` sectors; EIO. Executed by the task that waits for it. */
  read(sector: number, count: number): Activity<Uint8Array | Errno>;
  /** Writes whole sectors; EIO. */
  write(sector: number, bytes: Uint8Array): Activity<void | Errno>;
}

/** What `/proc/diskstats` counts of one direction. */
export interface DiskCounts {
  requests: number;
  sectors: number;
  ns: number;
}

/** A disk, or its partition. */
export interface DiskRange {
  readonly name: string;
  readonly minor: number;
  /** First sector. */
  readonly start: number;
  readonly sectors: number;
}

/** One disk. */
export class Disk {
  readonly reads: DiskCounts = { requests: 0, sectors: 0, ns: 0 };
  readonly writes: DiskCounts = { requests: 0, sectors: 0, ns: 0 };
  /** Requests on their way. */
  inFlight = 0;
  /** Time in which there were some, ns. */
  busyNs = 0;
  /** The disk, then its partition. */
  readonly ranges: readonly DiskRange[];
  readonly #cache = new Map<number, Uint8Array>();

  /** @param name `vda` @param major its number @param firstMinor that of the disk itself @param nowNs the kernel's clock */
  constructor(
    readonly name: string,
    readonly major: number,
    readonly firstMinor: number,
    readonly sectors: number,
    readonly readOnly: boolean,
    readonly driver: DiskDriver,
    readonly steps: BlockSteps,
    readonly nowNs: () => number,
  ) {
    const whole = { name, minor: firstMinor, start: 0, sectors };
    const part = {
      name: `${name}1`,
      minor: firstMinor + 1,
      start: PARTITION_START,
      sectors: sectors - PARTITION_START,
    };
    this.ranges = part.sectors > 0 ? [whole, part] : [whole];
  }

  /** The node of one of its ranges in `/dev`. */
  device(range: DiskRange): DeviceNode {
    return {
      kind: "device",
      block: true,
      mode: 0o660,
      number: [this.major, range.minor],
      open: (flags) => this.readOnly && flags.write ? EROFS : new OpenDisk(this, range, flags),
    };
  }

  /** One request, counted. */
  *transfer(sector: number, count: number, data?: Uint8Array): Activity<Uint8Array | Errno> {
    yield this.steps.submit;
    const counts = data === undefined ? this.reads : this.writes;
    const began = this.nowNs();
    this.inFlight++;
    const answer = data === undefined
      ? yield* this.driver.read(sector, count)
      : (yield* this.driver.write(sector, data)) ?? data;
    this.inFlight--;
    const ns = this.nowNs() - began;
    if (this.inFlight === 0) this.busyNs += ns;
    counts.requests++;
    counts.sectors += count;
    counts.ns += ns;
    return answer;
  }

  /** A page of the page cache; read from the disk, with what follows it, where it is not there. */
  *page(index: number): Activity<Uint8Array | Errno> {
    const cached = this.#cache.get(index);
    if (cached !== undefined) return cached;
    const first = index * PAGE;
    const bytes = Math.min(READAHEAD, this.sectors * SECTOR - first);
    const read = yield* this.transfer(first / SECTOR, bytes / SECTOR);
    if (read instanceof Errno) return read;
    for (let at = 0; at < bytes; at += PAGE) {
      this.#cache.set((first + at) / PAGE, read.slice(at, at + PAGE));
    }
    return this.#cache.get(index)!;
  }

  /** Pages from `first` to before `end`, bytes, are not what the disk holds any more. */
  invalidate(first: number, end: number): void {
    for (let page = Math.floor(first / PAGE); page * PAGE < end; page++) this.#cache.delete(page);
  }
}

/** An open `/dev/vda`. Its text has a character for each byte. */
class OpenDisk implements OpenFile {
  #position = 0;

  constructor(readonly disk: Disk, readonly range: DiskRange, readonly flags: OpenFlags) {}

  *read(length = READAHEAD): Activity<string | Errno> {
    if (!this.flags.read) return EBADF;
    const { range } = this;
    const bytes = Math.min(length, range.sectors * SECTOR - this.#position);
    if (bytes <= 0) return "";
    const first = range.start * SECTOR + this.#position;
    const read = this.flags.direct ? yield* this.#direct(first, bytes) : yield* this.#cached(first, bytes);
    if (read instanceof Errno) return read;
    this.#position += bytes;
    return textOf(read);
  }

  *#direct(first: number, bytes: number): Activity<Uint8Array | Errno> {
    if (first % SECTOR !== 0 || bytes % SECTOR !== 0) return EINVAL;
    return yield* this.disk.transfer(first / SECTOR, bytes / SECTOR);
  }

  *#cached(first: number, bytes: number): Activity<Uint8Array | Errno> {
    const found = new Uint8Array(bytes);
    for (let done = 0; done < bytes;) {
      const at = (first + done) % PAGE;
      const page = yield* this.disk.page(Math.floor((first + done) / PAGE));
      if (page instanceof Errno) return page;
      yield this.disk.steps.cachedPage;
      const part = page.subarray(at, at + bytes - done);
      found.set(part, done);
      done += part.length;
    }
    return found;
  }

  *write(text: string): Activity<number | Errno> {
    if (!this.flags.write && !this.flags.append) return EBADF;
    const { disk, range } = this;
    const bytes = bytesOf(text).subarray(0, range.sectors * SECTOR - this.#position);
    if (bytes.length === 0) return text === "" ? 0 : ENOSPC;
    const first = range.start * SECTOR + this.#position;
    const from = Math.floor(first / SECTOR) * SECTOR,
      end = Math.ceil((first + bytes.length) / SECTOR) * SECTOR;
    let sectors = bytes;
    if (from !== first || end !== first + bytes.length) {
      if (this.flags.direct) return EINVAL;
      const around = yield* this.#cached(from, end - from);
      if (around instanceof Errno) return around;
      around.set(bytes, first - from);
      sectors = around;
    }
    const written = yield* disk.transfer(from / SECTOR, sectors.length / SECTOR, sectors);
    if (written instanceof Errno) return EIO;
    disk.invalidate(from, end);
    this.#position += bytes.length;
    return bytes.length;
  }

  seek(position: number): void {
    this.#position = position;
  }

  /** Nothing is held back. */
  close(): void {}
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PAGE) {
    text += Reflect.apply(String.fromCharCode, null, bytes.subarray(at, at + PAGE));
  }
  return text;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
}
