/**
 * The block device of virtio: its configuration, and the form of its requests.
 *
 * *Document*: Virtio PCI Card Specification 0.9.5, appendix D "Block Device".
 *
 * @module
 */

import { VirtioDevice } from "./virtio.ts";
import type { VirtioSpec } from "./virtio_pci.ts";

/** Its number among the kinds of virtio devices. */
export const VIRTIO_BLOCK_KIND = 2;
/** Bytes of a sector, whatever the disk's own block is. */
export const SECTOR_BYTES = 512;
/** Feature bits. */
export const BlockFeature = Object.freeze({
  SegmentMax: 2,
  Geometry: 4,
  ReadOnly: 5,
  BlockSize: 6,
  Flush: 9,
  Topology: 10,
});
/** Types of requests. */
export const BlockRequest = Object.freeze({ In: 0, Out: 1, Flush: 4, GetId: 8 });
/** What the last byte of a request says. */
export const BlockStatus = Object.freeze({ Ok: 0, IoError: 1, Unsupported: 2 });
/** Bytes in front of a request's data: type, priority, first sector. */
export const BLOCK_HEADER_BYTES = 16;
/** Bytes of the text that `GetId` asks for. */
export const BLOCK_ID_BYTES = 20;

/** SCSI storage controller, as devices of this kind say. */
const CLASS_CODE = 0x01_0000;
/** Descriptors of the queue. */
const QUEUE_SIZE = 128;
/** Buffers of one request beside header and status. */
const SEGMENTS = QUEUE_SIZE - 2;
/** Heads and sectors of a geometry that nobody looks at any more. */
const HEADS = 16, SECTORS_PER_TRACK = 63, CYLINDERS_MAX = 16_383;

/** Such a device of `sectors` sectors. @param ringFeatures bits of the ring that it offers */
export function blockDevice(sectors: number, readOnly: boolean, ringFeatures: readonly number[]): VirtioSpec {
  const config = new DataView(new ArrayBuffer(40));
  config.setUint32(0, sectors % 2 ** 32, true);
  config.setUint32(4, Math.floor(sectors / 2 ** 32), true);
  config.setUint32(12, SEGMENTS, true);
  const cylinders = Math.floor(sectors / (HEADS * SECTORS_PER_TRACK));
  config.setUint16(16, Math.min(Math.max(cylinders, 2), CYLINDERS_MAX), true);
  config.setUint8(18, HEADS);
  config.setUint8(19, SECTORS_PER_TRACK);
  config.setUint32(20, SECTOR_BYTES, true);
  const { SegmentMax, Geometry, ReadOnly, BlockSize, Flush, Topology } = BlockFeature;
  const bits = [
    SegmentMax,
    Geometry,
    BlockSize,
    Flush,
    Topology,
    ...ringFeatures,
    ...(readOnly ? [ReadOnly] : []),
  ];
  return {
    deviceId: VirtioDevice.Block,
    classCode: CLASS_CODE,
    kind: VIRTIO_BLOCK_KIND,
    features: bits.reduce((mask, bit) => mask | (1 << bit), 0),
    queues: [QUEUE_SIZE],
    config: new Uint8Array(config.buffer),
    portBytes: 64,
  };
}
