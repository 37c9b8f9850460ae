/**
 * Memory of a kernel that its devices reach: rings and buffers.
 *
 * *Document*: Linux 3.5 `Documentation/DMA-API-HOWTO.txt`, `mm/page_alloc.c` (`alloc_pages_exact()`).
 *
 * *Not modelled*: giving memory back: drivers allocate once.
 *
 * @module
 */

import type { Ram } from "../../hw/ram.ts";

const PAGE = 4096;
/** Below it are kernel and firmware. */
const FIRST = 0x0200_0000;

/** The memory, handed out page by page. */
export class DmaMemory {
  #next = FIRST;

  /** @param ram the computer's */
  constructor(readonly ram: Ram) {}

  /** The address of `bytes` bytes, all 0, that nobody else has; they begin on a page. */
  allocate(bytes: number): number {
    const at = this.#next;
    const size = Math.ceil(bytes / PAGE) * PAGE;
    if (at + size > this.ram.bytes) throw new RangeError(`No ${bytes} bytes are left for devices`);
    this.#next += size;
    this.ram.clear(at, size);
    return at;
  }
}
