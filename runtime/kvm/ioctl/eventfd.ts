/**
 * `eventfd(2)`: a counter that a write adds to and a read takes, and what KVM hangs on it.
 *
 * *Document*: `man 2 eventfd`; Linux `fs/eventfd.c`, `virt/kvm/eventfd.c`.
 *
 * *Modelled*: counter, EFD_SEMAPHORE, EFD_NONBLOCK; an interrupt line raised by every write (`KVM_IRQFD`).
 *
 * *Not modelled*: a read of 0 or a write of too much that would wait: EAGAIN, as with EFD_NONBLOCK; `poll`.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EAGAIN, EINVAL, type Errno } from "../../linux/errno.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { KernelFile } from "./descriptors.ts";

/** Flags of `eventfd2`. */
export const EventfdFlag = Object.freeze({ EFD_SEMAPHORE: 1, EFD_NONBLOCK: 0o4000, EFD_CLOEXEC: 0o2000000 });

const FLAGS = EventfdFlag.EFD_SEMAPHORE | EventfdFlag.EFD_NONBLOCK | EventfdFlag.EFD_CLOEXEC;
/** Bytes of the counter. */
const COUNTER_BYTES = 8;
/** The counter never holds this. */
const UNREACHABLE = 0xffff_ffff_ffff_ffffn;

/** An eventfd. */
export class EventFile extends KernelFile {
  #count: bigint;
  /** Who is told of every write, in order. */
  readonly #waiters: ((from: KernelCpu) => void)[] = [];

  /** @param count the initial value @param semaphore a read takes 1 */
  constructor(count: number, readonly semaphore: boolean) {
    super();
    this.#count = BigInt(count >>> 0);
  }

  /** `eventfd2(count, flags)`. */
  static open(count: number, flags: number): EventFile | Errno {
    return (flags & ~FLAGS) !== 0 ? EINVAL : new EventFile(count, (flags & EventfdFlag.EFD_SEMAPHORE) !== 0);
  }

  /** What the counter holds. */
  get count(): bigint {
    return this.#count;
  }

  /** Tells `waiter` of every write from now on. */
  watch(waiter: (from: KernelCpu) => void): void {
    this.#waiters.push(waiter);
  }

  /** Ends {@linkcode watch}. */
  unwatch(waiter: (from: KernelCpu) => void): void {
    const index = this.#waiters.indexOf(waiter);
    if (index >= 0) this.#waiters.splice(index, 1);
  }

  /** `eventfd_signal()`: adds to the counter, as far as that goes. @param from the CPU that does */
  signal(from: KernelCpu, by = 1n): void {
    const sum = this.#count + by;
    this.#count = sum < UNREACHABLE ? sum : UNREACHABLE - 1n;
    for (const waiter of [...this.#waiters]) waiter(from);
  }

  override read(length: number): Uint8Array<ArrayBuffer> | Errno {
    if (length < COUNTER_BYTES) return EINVAL;
    if (this.#count === 0n) return EAGAIN;
    const taken = this.semaphore ? 1n : this.#count;
    this.#count -= taken;
    const bytes = new Uint8Array(COUNTER_BYTES);
    new DataView(bytes.buffer).setBigUint64(0, taken, true);
    return bytes;
  }

  override write(bytes: Uint8Array, from: KernelCpu): number | Errno {
    if (bytes.length < COUNTER_BYTES) return EINVAL;
    const value = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    if (value === UNREACHABLE) return EINVAL;
    if (this.#count + value >= UNREACHABLE) return EAGAIN;
    this.signal(from, value);
    return COUNTER_BYTES;
  }

  override *release(): Activity {}
}
