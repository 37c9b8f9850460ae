/**
 * Virtqueues: rings in memory by which a driver gives buffers to a device, and gets them back.
 *
 * *Document*: Virtio PCI Card Specification 0.9.5, 2.3 "Virtqueue Configuration", appendix A "virtio_ring.h".
 *
 * *Modelled*: descriptor table, available and used ring; chains, direct and by a table of their own (indirect
 * descriptors); suppression of notifications and interrupts, by flags and by event index.
 *
 * *Deviations*: the order of accesses is that of the program: there is no other for barriers to prevent.
 *
 * @module
 */

/** The memory in which a queue lies. */
export interface QueueMemory {
  /** Reads an aligned number. */
  read(address: number, size: 1 | 2 | 4 | 8): number;
  /** Writes an aligned number. */
  write(address: number, size: 1 | 2 | 4 | 8, value: number): void;
}

/** A queue begins on a page, and so does its used ring. */
export const QUEUE_PAGE = 4096;
/** Bytes of a descriptor: address, length, flags, next. */
export const DESCRIPTOR_BYTES = 16;
/** Flags of a descriptor: `next` is valid; the device writes; the buffer is a table of descriptors. */
export const DescriptorFlag = Object.freeze({ Next: 1, Write: 2, Indirect: 4 });
/** Flag of the available ring: no interrupt, please. */
const NO_INTERRUPT = 1;
/** Flag of the used ring: no notification, please. */
const NO_NOTIFY = 1;
/** Ring features, by their bits. */
export const RingFeature = Object.freeze({ NotifyOnEmpty: 24, IndirectDescriptors: 28, EventIndex: 29 });

/** Part of a request: memory that the device reads or, `writable`, writes. */
export interface QueueBuffer {
  readonly address: number;
  readonly length: number;
  readonly writable: boolean;
}

/** A request: its buffers in order, and the descriptor by which the device gives it back. */
export interface QueueChain {
  readonly head: number;
  readonly buffers: readonly QueueBuffer[];
}

/** Bytes of a queue of `size` descriptors. */
export function queueBytes(size: number): number {
  return usedOffset(size) + pages(6 + 8 * size);
}

function pages(bytes: number): number {
  return Math.ceil(bytes / QUEUE_PAGE) * QUEUE_PAGE;
}

function usedOffset(size: number): number {
  return pages(DESCRIPTOR_BYTES * size + 6 + 2 * size);
}

/** `vring_need_event()`: whether index `event` lies among those from `old` on that `now` has passed. All are 16 bits. */
export function needsEvent(event: number, now: number, old: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - old) & 0xffff);
}

/** Where the parts of a queue are. Indices count on without end, and are kept in 16 bits. */
class Rings {
  protected readonly available: number;
  protected readonly used: number;

  constructor(readonly memory: QueueMemory, readonly address: number, readonly size: number) {
    this.available = address + DESCRIPTOR_BYTES * size;
    this.used = address + usedOffset(size);
  }

  protected get availableIndex(): number {
    return this.memory.read(this.available + 2, 2);
  }

  protected get usedIndex(): number {
    return this.memory.read(this.used + 2, 2);
  }

  /** Where the driver says at which used index it wants an interrupt. */
  protected get usedEvent(): number {
    return this.available + 4 + 2 * this.size;
  }

  /** Where the device says at which available index it wants a notification. */
  protected get availableEvent(): number {
    return this.used + 4 + 8 * this.size;
  }
}

/** The device's side. */
export class DeviceQueue extends Rings {
  #taken = 0;
  /** Used index at the last interrupt. */
  #signalled = 0;
  #signalledValid = false;

  /** @param eventIndex the driver has accepted that feature */
  constructor(memory: QueueMemory, address: number, size: number, readonly eventIndex: boolean) {
    super(memory, address, size);
  }

  /** The next request; undefined: there is none. */
  pop(): QueueChain | undefined {
    if (this.#taken === this.availableIndex) return undefined;
    const head = this.memory.read(this.available + 4 + 2 * (this.#taken % this.size), 2) % this.size;
    this.#taken = (this.#taken + 1) & 0xffff;
    if (this.eventIndex) this.memory.write(this.availableEvent, 2, this.#taken);
    return { head, buffers: this.#chain(head) };
  }

  #chain(head: number): QueueBuffer[] {
    let table = this.address, length = this.size, index = head;
    const first = this.#descriptor(table, head);
    if ((first.flags & DescriptorFlag.Indirect) !== 0) {
      table = first.address;
      length = Math.floor(first.length / DESCRIPTOR_BYTES);
      index = 0;
    }
    const buffers: QueueBuffer[] = [];
    for (;;) { // a chain is no longer than its table, whatever the driver has written
      const { address, length: bytes, flags, next } = this.#descriptor(table, index);
      buffers.push({ address, length: bytes, writable: (flags & DescriptorFlag.Write) !== 0 });
      if ((flags & DescriptorFlag.Next) === 0 || next >= length || buffers.length === length) return buffers;
      index = next;
    }
  }

  #descriptor(table: number, index: number) {
    const { memory } = this;
    const at = table + DESCRIPTOR_BYTES * index;
    return {
      address: memory.read(at, 8),
      length: memory.read(at + 8, 4),
      flags: memory.read(at + 12, 2),
      next: memory.read(at + 14, 2),
    };
  }

  /** Gives a request back. @param written how many bytes of its writable part */
  push(head: number, written: number): void {
    const { memory } = this;
    const index = this.usedIndex;
    const at = this.used + 4 + 8 * (index % this.size);
    memory.write(at, 4, head);
    memory.write(at + 4, 4, written);
    memory.write(this.used + 2, 2, index + 1);
  }

  /** Whether the driver wants an interrupt for what has been given back since the last one. */
  wantsInterrupt(): boolean {
    if (!this.eventIndex) return (this.memory.read(this.available, 2) & NO_INTERRUPT) === 0;
    const now = this.usedIndex;
    const wanted = !this.#signalledValid ||
      needsEvent(this.memory.read(this.usedEvent, 2), now, this.#signalled);
    this.#signalled = now;
    this.#signalledValid = true;
    return wanted;
  }
}

/** The driver's side: descriptors by number, and the two indices that it keeps. */
export class DriverQueue extends Rings {
  readonly #free: number[] = [];
  #published = 0;
  #seen = 0;
  #notified = 0;

  /** @param eventIndex both sides have that feature @param indirect each request is a table of its own */
  constructor(
    memory: QueueMemory,
    address: number,
    size: number,
    readonly eventIndex: boolean,
    readonly indirect: boolean,
  ) {
    super(memory, address, size);
    for (let index = 0; index < size; index++) this.#free.push(index);
  }

  /**
   * Makes a request available.
   *
   * @param tableOf where the table of a request with that head lies, if it has one @returns its head; -1: there is no room
   */
  add(buffers: readonly QueueBuffer[], tableOf: (head: number) => number): number {
    const needed = this.indirect ? 1 : buffers.length;
    if (this.#free.length < needed) return -1;
    const numbers = this.#free.splice(0, needed);
    const head = numbers[0]!;
    if (this.indirect) {
      const table = tableOf(head);
      this.#write(table, buffers, buffers.map((_, index) => index));
      this.#descriptor(
        this.address,
        head,
        table,
        DESCRIPTOR_BYTES * buffers.length,
        DescriptorFlag.Indirect,
        0,
      );
    } else this.#write(this.address, buffers, numbers);
    const index = this.#published;
    this.memory.write(this.available + 4 + 2 * (index % this.size), 2, head);
    this.#published = (index + 1) & 0xffff;
    this.memory.write(this.available + 2, 2, this.#published);
    return head;
  }

  #write(table: number, buffers: readonly QueueBuffer[], numbers: readonly number[]): void {
    for (const [i, { address, length, writable }] of buffers.entries()) {
      const next = numbers[i + 1];
      const flags = (writable ? DescriptorFlag.Write : 0) | (next === undefined ? 0 : DescriptorFlag.Next);
      this.#descriptor(table, numbers[i]!, address, length, flags, next ?? 0);
    }
  }

  #descriptor(table: number, index: number, address: number, length: number, flags: number, next: number) {
    const { memory } = this;
    const at = table + DESCRIPTOR_BYTES * index;
    memory.write(at, 8, address);
    memory.write(at + 8, 4, length);
    memory.write(at + 12, 2, flags);
    memory.write(at + 14, 2, next);
  }

  /** Whether the device wants to be notified of what has been made available since this was asked last. */
  needsNotification(): boolean {
    const old = this.#notified;
    this.#notified = this.#published;
    if (!this.eventIndex) return (this.memory.read(this.used, 2) & NO_NOTIFY) === 0;
    return needsEvent(this.memory.read(this.availableEvent, 2), this.#published, old);
  }

  /** The head of a request that has come back; -1: none. The next one shall interrupt. */
  take(): number {
    const { memory } = this;
    if (this.#seen === this.usedIndex) return -1;
    const head = memory.read(this.used + 4 + 8 * (this.#seen % this.size), 4);
    this.#seen = (this.#seen + 1) & 0xffff;
    if (this.eventIndex) memory.write(this.usedEvent, 2, this.#seen);
    this.#release(head);
    return head;
  }

  #release(head: number): void {
    for (let index = head;;) {
      const at = this.address + DESCRIPTOR_BYTES * index;
      const flags = this.memory.read(at + 12, 2);
      this.#free.push(index);
      if ((flags & DescriptorFlag.Next) === 0) return;
      index = this.memory.read(at + 14, 2);
    }
  }
}
