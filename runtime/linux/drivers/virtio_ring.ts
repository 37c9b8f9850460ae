/**
 * A virtqueue as a driver uses it: requests go in, and who sent one is told when it has come back.
 *
 * *Document*: Linux 3.5 `drivers/virtio/virtio_ring.c` (`virtqueue_add_buf()`, `virtqueue_kick()`, `vring_interrupt()`),
 * `drivers/virtio/virtio_pci.c` (`setup_vq()`, `vp_notify()`).
 *
 * *Modelled*: the queue in memory; a table of descriptors for each request where both sides have indirect descriptors;
 * the notification, an instruction of its own that exits in a guest.
 *
 * @module
 */

import { type Activity, OUT_WORD } from "../../../hw/sim/activity.ts";
import { Virtio } from "../../../hw/virtio.ts";
import { DESCRIPTOR_BYTES, DriverQueue, type QueueBuffer, queueBytes } from "../../../hw/virtio_queue.ts";
import type { DmaMemory } from "../dma_memory.ts";
import type { KernelCpu } from "../kernel_cpu.ts";

/** Buffers of the longest request. */
const LONGEST = 128;

/** One queue. */
export class VirtioRing {
  /** Where it lies. */
  readonly address: number;
  readonly #queue: DriverQueue;
  readonly #tables: number;
  /** Who waits, by the head of his request. */
  readonly #waiting = new Map<number, (cpu: KernelCpu) => void>();

  /**
   * @param port the device's first @param index of the queue @param size its descriptors @param eventIndex see
   * {@linkcode DriverQueue} @param indirect see there
   */
  constructor(
    memory: DmaMemory,
    readonly port: number,
    readonly index: number,
    size: number,
    eventIndex: boolean,
    indirect: boolean,
  ) {
    this.address = memory.allocate(queueBytes(size));
    this.#queue = new DriverQueue(memory.ram, this.address, size, eventIndex, indirect);
    this.#tables = indirect ? memory.allocate(size * LONGEST * DESCRIPTOR_BYTES) : 0;
  }

  /**
   * Gives the device a request and, where it wants that, notifies it.
   *
   * @param done called when the request has come back, by the interrupt's handler @returns false: there is no room
   */
  *submit(
    buffers: readonly QueueBuffer[],
    cpu: () => KernelCpu,
    done: (cpu: KernelCpu) => void,
  ): Activity<boolean> {
    const head = this.#queue.add(buffers, (head) => this.#tables + head * LONGEST * DESCRIPTOR_BYTES);
    if (head < 0) return false;
    this.#waiting.set(head, done);
    if (!this.#queue.needsNotification()) return true;
    const { registers } = cpu();
    registers.address = this.port + Virtio.QueueNotify;
    registers.value = this.index;
    yield OUT_WORD;
    return true;
  }

  /** The device has interrupted: whoever's requests have come back is told. */
  collect(cpu: KernelCpu): void {
    for (let head = this.#queue.take(); head >= 0; head = this.#queue.take()) {
      const done = this.#waiting.get(head);
      this.#waiting.delete(head);
      done?.(cpu);
    }
  }
}
