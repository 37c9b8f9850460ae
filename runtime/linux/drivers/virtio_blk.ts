/**
 * virtio_blk: disks on virtio, `/dev/vda` and so on.
 *
 * *Document*: Linux 3.5 `drivers/block/virtio_blk.c` (`virtblk_probe()`, `do_req()`, `blk_done()`); Virtio PCI Card
 * Specification 0.9.5, appendix D "Block Device".
 *
 * *Modelled*: reads and writes, one request each; errors of the device.
 *
 * *Not modelled*: flushes, SCSI commands, the serial number, a disk that is removed while it is in use.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import {
  BLOCK_HEADER_BYTES,
  BlockFeature,
  BlockRequest,
  BlockStatus,
  VIRTIO_BLOCK_KIND,
} from "../../../hw/virtio_blk.ts";
import type { BlockSteps } from "../block/costs.ts";
import { Disk, SECTOR } from "../block/disk.ts";
import type { DmaMemory } from "../dma_memory.ts";
import { EIO, EOPNOTSUPP, Errno } from "../errno.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import { withoutInterrupts, withoutPreemption } from "../system_call.ts";
import type { VirtioBusDevice, VirtioDriver } from "./virtio_pci.ts";
import type { VirtioRing } from "./virtio_ring.ts";

/** What the driver finds of its kernel. */
export interface BlockPort {
  /** Memory that devices reach. */
  readonly memory: DmaMemory;
  /** What its work costs. */
  readonly steps: BlockSteps;
  /** The names of its interrupts behind the device's: `requests`, since 3.18 `req.0`. */
  readonly queueName: string;
  /** The CPU that executes now. */
  thisCpu(): KernelCpu;
  /** The kernel's clock, ns. */
  nowNs(): number;
  /** There is a disk. */
  add(disk: Disk): void;
  /** There is none any more. */
  remove(disk: Disk): void;
}

/** The major number that the kernel gives it: the first free one from above. */
const MAJOR = 253;
/** Minor numbers of a disk. */
const MINORS = 16;
/** Data of one request, bytes: 126 pages. */
const LARGEST = 126 * 4096;

/** The driver. */
export class VirtioBlk implements VirtioDriver {
  /** @inheritdoc */
  readonly kind = VIRTIO_BLOCK_KIND;
  readonly #disks = new Map<VirtioBusDevice, Disk>();

  /** For a kernel. */
  constructor(readonly port: BlockPort) {}

  *probe(device: VirtioBusDevice): Activity<Errno | void> {
    const sectors = device.config(0, 4) + device.config(4, 4) * 2 ** 32;
    const { SegmentMax, Geometry, ReadOnly, BlockSize, Flush, Topology } = BlockFeature;
    device.accept([SegmentMax, Geometry, ReadOnly, BlockSize, Flush, Topology]);
    const { port } = this;
    const ring = yield* device.findQueue(port.memory, port.queueName, port.steps.complete);
    if (ring instanceof Errno) return ring;
    const queue = new RequestQueue(port, ring);
    const index = this.#disks.size;
    const name = `vd${String.fromCharCode("a".charCodeAt(0) + index)}`;
    const readOnly = device.offers(ReadOnly);
    const disk = new Disk(
      name,
      MAJOR,
      index * MINORS,
      sectors,
      readOnly,
      queue,
      port.steps,
      () => port.nowNs(),
    );
    this.#disks.set(device, disk);
    port.add(disk);
  }

  remove(device: VirtioBusDevice): void {
    this.port.remove(this.#disks.get(device)!);
    this.#disks.delete(device);
  }
}

/** The requests of one disk. */
class RequestQueue {
  /** Room for header, status and data, one for each request that was on its way at the same time. */
  readonly #rooms: number[] = [];

  constructor(readonly port: BlockPort, readonly ring: VirtioRing) {}

  *read(sector: number, count: number): Activity<Uint8Array | Errno> {
    return yield* withoutPreemption(
      this.port.thisCpu,
      this.#request(BlockRequest.In, sector, count * SECTOR),
    );
  }

  *write(sector: number, bytes: Uint8Array): Activity<void | Errno> {
    const request = this.#request(BlockRequest.Out, sector, bytes.length, bytes);
    const answer = yield* withoutPreemption(this.port.thisCpu, request);
    if (answer instanceof Errno) return answer;
  }

  *#request(type: number, sector: number, bytes: number, out?: Uint8Array): Activity<Uint8Array | Errno> {
    const all = new Uint8Array(bytes);
    for (let done = 0; done < bytes; done += LARGEST) { // the block layer splits what is too large
      const part = Math.min(LARGEST, bytes - done);
      const data = out?.subarray(done, done + part);
      const answer = yield* this.#one(type, sector + done / SECTOR, part, data);
      if (answer instanceof Errno) return answer;
      all.set(answer, done);
    }
    return all;
  }

  *#one(type: number, sector: number, bytes: number, out?: Uint8Array): Activity<Uint8Array | Errno> {
    const { port: { memory, thisCpu }, ring } = this;
    const { ram } = memory;
    const header = this.#rooms.pop() ?? memory.allocate(4096 + LARGEST);
    const status = header + BLOCK_HEADER_BYTES, data = header + 4096;
    ram.write(header, 4, type);
    ram.write(header + 4, 4, 0);
    ram.write(header + 8, 8, sector);
    if (out !== undefined) ram.copyIn(data, out);
    const task = thisCpu().current;
    let over = false;
    const done = (cpu: KernelCpu) => {
      over = true;
      cpu.kernel.wake(task, cpu);
    };
    const buffers = [
      { address: header, length: BLOCK_HEADER_BYTES, writable: false },
      { address: data, length: bytes, writable: type === BlockRequest.In },
      { address: status, length: 1, writable: true },
    ];
    // do_virtblk_request() runs under the queue's lock.
    const submitted = yield* withoutInterrupts(thisCpu, false, ring.submit(buffers, thisCpu, done));
    if (!submitted) return EIO; // 128 tasks wait already
    while (!over) yield* thisCpu().sleep();
    this.#rooms.push(header);
    switch (ram.read(status, 1)) {
      case BlockStatus.Ok:
        return ram.copyOut(data, bytes);
      case BlockStatus.Unsupported:
        return EOPNOTSUPP;
      default:
        return EIO;
    }
  }
}
