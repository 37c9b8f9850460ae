/**
 * Random-access memory of a computer: bytes at physical addresses, as processors and devices read and write them.
 *
 * *Modelled*: accesses of 1 to 8 bytes in the byte order of x86, and blocks. What nobody has written reads 0.
 *
 * *Not modelled*: caches and their time; what programs keep in memory, for which the model has objects.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";

const PAGE = 4096;

/** The memory. Pages take room once they have been written. */
export class Ram {
  readonly #pages = new Map<number, DataView>();

  /** @param bytes how much there is @throws RangeError if that is no whole number of pages */
  constructor(readonly bytes: number) {
    if (bytes % PAGE !== 0) throw new RangeError(`${bytes} bytes are no whole number of pages of ${PAGE}`);
  }

  /** Reads an aligned number of `size` bytes. */
  read(address: number, size: 1 | 2 | 4 | 8): number {
    const page = this.#pages.get(Math.floor(address / PAGE));
    if (page === undefined) return 0;
    const at = address % PAGE;
    switch (size) {
      case 1:
        return page.getUint8(at);
      case 2:
        return page.getUint16(at, true);
      case 4:
        return page.getUint32(at, true);
      case 8:
        return page.getUint32(at, true) + page.getUint32(at + 4, true) * 2 ** 32;
    }
  }

  /** Writes an aligned number of `size` bytes. @throws RangeError beyond the end of memory */
  write(address: number, size: 1 | 2 | 4 | 8, value: number): void {
    const page = this.#page(address);
    const at = address % PAGE;
    switch (size) {
      case 1:
        return page.setUint8(at, value);
      case 2:
        return page.setUint16(at, value, true);
      case 4:
        return page.setUint32(at, value, true);
      case 8:
        page.setUint32(at, value % 2 ** 32, true);
        page.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
    }
  }

  /** A copy of `length` bytes. */
  copyOut(address: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const at = (address + done) % PAGE;
      const part = Math.min(PAGE - at, length - done);
      const page = this.#pages.get(Math.floor((address + done) / PAGE));
      if (page !== undefined) bytes.set(new Uint8Array(page.buffer, at, part), done);
      done += part;
    }
    return bytes;
  }

  /** Writes `bytes`. @throws RangeError beyond the end of memory */
  copyIn(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const at = (address + done) % PAGE;
      const part = Math.min(PAGE - at, bytes.length - done);
      new Uint8Array(this.#page(address + done).buffer).set(bytes.subarray(done, done + part), at);
      done += part;
    }
  }

  /** `bytes` bytes from `address` on, whole pages, read 0 again. */
  clear(address: number, bytes: number): void {
    for (let page = address / PAGE; page < (address + bytes) / PAGE; page++) this.#pages.delete(page);
  }

  #page(address: number): DataView {
    if (!(address >= 0 && address < this.bytes)) {
      throw new RangeError(`Address 0x${address.toString(16)} is beyond ${this.bytes} bytes of memory`);
    }
    const number = Math.floor(address / PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) this.#pages.set(number, page = new DataView(new ArrayBuffer(PAGE)));
    return page;
  }

  /** Adds what is in memory to `hash`. */
  hashInto(hash: StateHash): void {
    for (const [number, page] of this.#pages) hash.word(number).words(new Uint32Array(page.buffer));
  }
}
