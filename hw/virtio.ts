/**
 * The registers of a virtio device on PCI, in their legacy form: ports behind the first base address register.
 *
 * *Document*: Virtio PCI Card Specification 0.9.5, 2.2.2 "Virtio Header", 2.3 "Virtqueue Configuration".
 *
 * *Modelled*: feature bits, selection and address of the queues, notification, status, ISR, vectors of MSI-X; the
 * device's own configuration behind them.
 *
 * *Not modelled*: the form of version 1.0, in memory; changes of the configuration.
 *
 * A write answers what the device has to do about it.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";
import { DeviceQueue, QUEUE_PAGE, type QueueMemory, RingFeature } from "./virtio_queue.ts";

/** Registers by their offsets. The last two are there while MSI-X is on; the device's own configuration follows. */
export const Virtio = Object.freeze({
  DeviceFeatures: 0,
  DriverFeatures: 4,
  QueueAddress: 8,
  QueueSize: 12,
  QueueSelect: 14,
  QueueNotify: 16,
  Status: 18,
  Isr: 19,
  ConfigVector: 20,
  QueueVector: 22,
});
/** Where the device's own configuration begins without MSI-X, and with it. */
export const VIRTIO_CONFIG = Object.freeze({ plain: 20, msix: 24 });
/** Bits of the status. */
export const VirtioStatus = Object.freeze({ Acknowledge: 1, Driver: 2, DriverOk: 4, Failed: 0x80 });
/** No vector of MSI-X. */
export const NO_VECTOR = 0xffff;
/** Vendor of every virtio device, and device numbers of the legacy form: network, block, balloon, … */
export const VIRTIO_VENDOR = 0x1af4;
export const VirtioDevice = Object.freeze({ Network: 0x1000, Block: 0x1001 });

/** What a write asks of the device. */
export type VirtioEffect =
  /** Requests wait in a queue. */
  | { readonly kind: "notify"; readonly queue: number }
  /** The driver has set the device up. */
  | { readonly kind: "ready" }
  /** Everything as after power-up. */
  | { readonly kind: "reset" };

interface Queue {
  page: number;
  vector: number;
  rings: DeviceQueue | null;
}

/** The registers of one device. */
export class VirtioRegisters {
  #driverFeatures = 0;
  #selected = 0;
  #status = 0;
  #isr = 0;
  #configVector = NO_VECTOR;
  readonly #queues: Queue[];

  /**
   * @param memory where its queues lie @param features that it offers, as a mask @param sizes of its queues
   * @param config its own configuration @param vectors entries of its MSI-X table @param msixOn whether MSI-X is on
   */
  constructor(
    readonly memory: QueueMemory,
    readonly features: number,
    readonly sizes: readonly number[],
    readonly config: Uint8Array,
    readonly vectors: number,
    readonly msixOn: () => boolean,
  ) {
    this.#queues = sizes.map(() => ({ page: 0, vector: NO_VECTOR, rings: null }));
  }

  /** Every register to its value after a reset. */
  reset(): void {
    this.#driverFeatures =
      this.#selected =
      this.#status =
      this.#isr =
        0;
    this.#configVector = NO_VECTOR;
    for (const queue of this.#queues) {
      queue.page = 0;
      queue.vector = NO_VECTOR;
      queue.rings = null;
    }
  }

  /** The device's side of queue `index`; null: the driver has given it no memory. */
  queue(index: number): DeviceQueue | null {
    return this.#queues[index]?.rings ?? null;
  }

  /** The entry of the MSI-X table by which queue `index` interrupts; undefined: none. */
  queueVector(index: number): number | undefined {
    const vector = this.#queues[index]?.vector ?? NO_VECTOR;
    return vector === NO_VECTOR ? undefined : vector;
  }

  /** The level of the interrupt line, where MSI-X is off: high until ISR is read. */
  get line(): boolean {
    return this.#isr !== 0;
  }

  /** A queue has something for its driver. */
  raise(): void {
    this.#isr |= 1;
  }

  /** Reads `size` bytes. */
  read(offset: number, size: 1 | 2 | 4): number {
    const queue = this.#queues[this.#selected];
    switch (offset) {
      case Virtio.DeviceFeatures:
        return this.features >>> 0;
      case Virtio.DriverFeatures:
        return this.#driverFeatures >>> 0;
      case Virtio.QueueAddress:
        return queue?.page ?? 0;
      case Virtio.QueueSize:
        return this.sizes[this.#selected] ?? 0;
      case Virtio.QueueSelect:
        return this.#selected;
      case Virtio.Status:
        return this.#status;
      case Virtio.Isr: {
        const isr = this.#isr;
        this.#isr = 0;
        return isr;
      }
    }
    if (this.msixOn()) {
      if (offset === Virtio.ConfigVector) return this.#configVector;
      if (offset === Virtio.QueueVector) return queue?.vector ?? NO_VECTOR;
    }
    const at = offset - (this.msixOn() ? VIRTIO_CONFIG.msix : VIRTIO_CONFIG.plain);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (at >= 0 ? this.config[at + i] ?? 0 : 0);
    return value;
  }

  /** Writes a register. @returns what follows; undefined: nothing */
  write(offset: number, value: number): VirtioEffect | undefined {
    const queue = this.#queues[this.#selected];
    switch (offset) {
      case Virtio.DriverFeatures:
        this.#driverFeatures = value & this.features;
        return;
      case Virtio.QueueAddress:
        if (value === 0) return this.#reset(); // as a driver does that lets the device go
        if (queue !== undefined) {
          queue.page = value >>> 0;
          const eventIndex = (this.#driverFeatures & (1 << RingFeature.EventIndex)) !== 0;
          const size = this.sizes[this.#selected]!;
          queue.rings = new DeviceQueue(this.memory, queue.page * QUEUE_PAGE, size, eventIndex);
        }
        return;
      case Virtio.QueueSelect:
        this.#selected = value & 0xffff;
        return;
      case Virtio.QueueNotify:
        return (value & 0xffff) < this.#queues.length ? { kind: "notify", queue: value & 0xffff } : undefined;
      case Virtio.Status:
        this.#status = value & 0xff;
        if (this.#status === 0) return this.#reset();
        return (value & VirtioStatus.DriverOk) !== 0 ? { kind: "ready" } : undefined;
    }
    if (!this.msixOn()) return;
    // A vector that is not there reads back as none.
    const vector = value < this.vectors ? value : NO_VECTOR;
    if (offset === Virtio.ConfigVector) this.#configVector = vector;
    if (offset === Virtio.QueueVector && queue !== undefined) queue.vector = vector;
  }

  #reset(): VirtioEffect {
    this.reset();
    return { kind: "reset" };
  }

  /** Adds the state to `hash`; the queues are in memory. */
  hashInto(hash: StateHash): void {
    hash.word(this.#driverFeatures).word(this.#selected).word(this.#status).word(this.#isr);
    hash.word(this.#configVector);
    for (const { page, vector } of this.#queues) hash.word(page).word(vector);
  }
}
