/**
 * A virtio device as a function on the PCI bus: its registers behind an I/O base address register, its messages by MSI-X.
 *
 * *Document*: Virtio PCI Card Specification 0.9.5, 2.1 "PCI Discovery", 2.2 "PCI Configuration"; PCI Local Bus
 * Specification 3.0.
 *
 * *Modelled*: identifiers (the subsystem says which kind of device it is), ports in BAR 0, an MSI-X table in BAR 1; without
 * MSI-X the line, high until ISR is read.
 *
 * *Not modelled*: Interrupt Status and Interrupt Disable of configuration space.
 *
 * What the device has to do about an access, whoever makes the device is told at that instant.
 *
 * @module
 */

import { type Bdf, PciFunction } from "./pci.ts";
import { MsiXCapability } from "./pci_configuration.ts";
import type { MsiEffect } from "./msi.ts";
import type { StateHash } from "./sim/state_hash.ts";
import { VIRTIO_VENDOR, type VirtioEffect, VirtioRegisters } from "./virtio.ts";
import type { QueueMemory } from "./virtio_queue.ts";

/** Where its MSI-X capability stands, and the size of its table's range. */
const MSIX = 0x40, MSIX_BYTES = 4096, PENDING = 2048;

/** What one kind of device is. */
export interface VirtioSpec {
  /** PCI device identifier. */
  readonly deviceId: number;
  /** PCI class, 24 bits. */
  readonly classCode: number;
  /** Which kind of device it is; its subsystem identifier. */
  readonly kind: number;
  /** Features that it offers, as a mask. */
  readonly features: number;
  /** Sizes of its queues. */
  readonly queues: readonly number[];
  /** Its own configuration. */
  readonly config: Uint8Array;
  /** Bytes of its ports, a power of two. */
  readonly portBytes: number;
}

/** Where firmware has put it. */
export interface VirtioPlace {
  readonly bdf: Bdf;
  /** Its first port. */
  readonly port: number;
  /** Physical address of its MSI-X table. */
  readonly memory: number;
  /** The interrupt controller's input that its INTA# leads to. */
  readonly line: number;
}

/** The function. */
export class VirtioFunction extends PciFunction {
  /** Its registers. */
  readonly registers: VirtioRegisters;

  /** @param memory where its queues lie @param act told of what a write asks of the device */
  constructor(
    spec: VirtioSpec,
    readonly place: VirtioPlace,
    memory: QueueMemory,
    readonly act: (effect: VirtioEffect) => void,
  ) {
    super({
      bdf: place.bdf,
      vendorId: VIRTIO_VENDOR,
      deviceId: spec.deviceId,
      classCode: spec.classCode,
      revision: 0,
      subsystemVendorId: VIRTIO_VENDOR,
      subsystemId: spec.kind,
      headerType: 0,
      interruptPin: 1,
      interruptLine: place.line,
      bars: [
        { index: 0, space: "io", size: spec.portBytes, base: place.port, bits: 32, prefetchable: false },
        { index: 1, space: "memory", size: MSIX_BYTES, base: place.memory, bits: 32, prefetchable: false },
      ],
    });
    const vectors = spec.queues.length + 1;
    const pending = { bar: 1, offset: PENDING };
    this.msiX = new MsiXCapability(this.configuration, MSIX, vectors, { bar: 1, offset: 0 }, pending);
    const { table } = this.msiX;
    this.registers = new VirtioRegisters(
      memory,
      spec.features,
      spec.queues,
      spec.config,
      vectors,
      () => table.enabled,
    );
  }

  /** Whether `port` is one of its own. */
  hasPort(port: number): boolean {
    const { base, size } = this.spec.bars[0]!;
    return port >= base && port < base + size;
  }

  override readPort(offset: number, bytes: 1 | 2 | 4): number {
    return this.registers.read(offset, bytes);
  }

  override writePort(offset: number, _bytes: 1 | 2 | 4, value: number): void {
    const effect = this.registers.write(offset, value);
    if (effect !== undefined) this.act(effect);
  }

  /**
   * Queue `index` has something for its driver.
   *
   * @returns the message that leaves; undefined: none does, because it is masked, or because nobody wants one
   */
  signal(index: number): MsiEffect | undefined {
    this.registers.raise();
    const vector = this.registers.queueVector(index);
    return vector === undefined || !this.busMaster ? undefined : this.msiX!.table.signal(vector);
  }

  override reset(): void {
    super.reset();
    this.registers.reset();
  }

  override hashInto(hash: StateHash): void {
    super.hashInto(hash);
    this.registers.hashInto(hash);
  }
}
