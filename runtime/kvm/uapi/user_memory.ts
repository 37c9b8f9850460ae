/**
 * The memory of a process, as far as system calls reach into it: what is mapped, and the bytes there.
 *
 * *Document*: `copy_from_user()`, `copy_to_user()` and `access_ok()` of Linux, `arch/x86/include/asm/uaccess.h`.
 *
 * *Modelled*: anonymous mappings, filled with zeros; an access that leaves a mapping fails as a whole (EFAULT).
 *
 * *Deviations*: a copy that fails in its middle has copied nothing; protections are not looked at.
 *
 * @module
 */

/** Bytes of a page. */
export const PAGE_SIZE = 4096;
/** TASK_SIZE_MAX: the first address that is not the process's. */
const TASK_SIZE = 2 ** 47 - PAGE_SIZE;
/** Where the first mapping lies; the next ones lie above it, with a gap. */
const MMAP_BASE = 0x7f00_0000_0000;
const MMAP_STEP = 2 ** 32;

/** A mapping. */
interface Area {
  readonly start: number;
  readonly bytes: number;
}

/** The address space of one process. */
export class UserMemory {
  readonly #areas: Area[] = [];
  /** Pages that have been written, by page number. */
  readonly #pages = new Map<number, Uint8Array>();
  #next = MMAP_BASE;

  /** `mmap` of anonymous memory: the address of at least `bytes` bytes, in whole pages. */
  map(bytes: number): number {
    const start = this.#next;
    const rounded = Math.ceil(Math.max(bytes, 1) / PAGE_SIZE) * PAGE_SIZE;
    this.#next += Math.ceil(rounded / MMAP_STEP) * MMAP_STEP;
    this.#areas.push({ start, bytes: rounded });
    return start;
  }

  /** `munmap` of a whole mapping. The last one's addresses are given again. */
  unmap(start: number): void {
    const index = this.#areas.findIndex((area) => area.start === start);
    if (index < 0) return;
    const [{ bytes }] = this.#areas.splice(index, 1) as [Area];
    for (let page = start / PAGE_SIZE; page < (start + bytes) / PAGE_SIZE; page++) this.#pages.delete(page);
    if (index === this.#areas.length) this.#next = start;
  }

  /** Bytes of the mapping that begins at `address`; `undefined`: none does. */
  mappedAt(address: number): number | undefined {
    return this.#areas.find(({ start }) => start === address)?.bytes;
  }

  /** `copy_from_user()`: a copy of `length` bytes, or `null` where not all of them are mapped. */
  read(address: number, length: number): Uint8Array<ArrayBuffer> | null {
    if (!this.#mapped(address, length)) return null;
    const bytes = new Uint8Array(length);
    this.#eachPage(address, length, (page, from, at, count) => {
      const held = this.#pages.get(page);
      if (held !== undefined) bytes.set(held.subarray(from, from + count), at);
    });
    return bytes;
  }

  /** `copy_to_user()`: whether all of `bytes` could be written. */
  write(address: number, bytes: Uint8Array): boolean {
    if (!this.#mapped(address, bytes.length)) return false;
    this.#eachPage(address, bytes.length, (page, from, at, count) => {
      let held = this.#pages.get(page);
      if (held === undefined) this.#pages.set(page, held = new Uint8Array(PAGE_SIZE));
      held.set(bytes.subarray(at, at + count), from);
    });
    return true;
  }

  #mapped(address: number, length: number): boolean {
    if (length === 0) return true;
    return this.#areas.some(({ start, bytes }) => address >= start && address + length <= start + bytes);
  }

  #eachPage(
    address: number,
    length: number,
    visit: (page: number, from: number, at: number, count: number) => void,
  ): void {
    for (let at = 0; at < length;) {
      const from = (address + at) % PAGE_SIZE;
      const count = Math.min(PAGE_SIZE - from, length - at);
      visit(Math.floor((address + at) / PAGE_SIZE), from, at, count);
      at += count;
    }
  }
}

/** `access_ok()`: whether the range lies below the kernel's addresses, mapped or not. */
export function accessOk(address: bigint, bytes: bigint): boolean {
  return address + bytes <= BigInt(TASK_SIZE);
}
