/**
 * Character devices of `/dev` that are there without a driver of a bus.
 *
 * *Document*: `null(4)`, `full(4)`, `random(4)`, Documentation/admin-guide/devices.txt (numbers).
 *
 * *Modelled*: `/dev/null`, `/dev/zero`, `/dev/full`, `/dev/urandom` and `/dev/random`; devices that are controlled by ioctls
 * alone, such as `/dev/kvm`: they cannot be read or written. *Not modelled*: others.
 *
 * *Deviations*: a read of an endless device without a length fails with ENOMEM, since nothing would come after it. Text is
 * characters: those of `/dev/urandom` have 7 bits, so that each is one byte. What is written to it changes nothing.
 *
 * @module
 */
import type { Activity } from "../../../hw/sim/activity.ts";
import type { RandomStream } from "../../../hw/sim/random.ts";
import { EINVAL, ENOMEM, ENOSPC, type Errno } from "../errno.ts";
import { type DeviceNode, immediately, type OpenFile } from "./vfs.ts";

/** `/dev/null`: empty, and takes everything. */
export const nullDevice: DeviceNode = {
  kind: "device",
  mode: 0o666,
  number: [1, 3],
  open: () => ({
    read: () => immediately(""),
    write: (text) => immediately(text.length),
    close() {},
  }),
};

/** `/dev/zero`: as many zeros as are asked for, and takes everything. */
export const zeroDevice: DeviceNode = endless(5, (length) => "\0".repeat(length), (text) => text.length);

/** `/dev/full`: zeros, and no space for anything. */
export const fullDevice: DeviceNode = endless(7, (length) => "\0".repeat(length), () => ENOSPC);

/** `/dev/random` (minor number 8) or `/dev/urandom` (9), of the stream that `source` gives when it is read. */
export function randomDevice(minor: 8 | 9, source: () => RandomStream): DeviceNode {
  const characters = (length: number) => {
    const stream = source();
    return Array.from({ length }, () => String.fromCharCode(stream.uint32() >>> 25)).join("");
  };
  return endless(minor, characters, (text) => text.length);
}

/** A device of the mem driver (major number 1) that never ends. */
function endless(
  minor: number,
  characters: (length: number) => string,
  write: (text: string) => number | Errno,
): DeviceNode {
  return {
    kind: "device",
    mode: 0o666,
    number: [1, minor],
    open: () => ({
      endless: true,
      read: (length = Infinity) => immediately(length === Infinity ? ENOMEM : characters(length)),
      write: (text) => immediately(write(text)),
      close() {},
    }),
  };
}

/** A device of the misc driver (major number 10), which root and its group may open. */
export function miscDevice(minor: number): DeviceNode {
  return { kind: "device", mode: 0o660, number: [10, minor], open: () => new ControlFile() };
}

/** An open device that takes nothing but ioctls. */
class ControlFile implements OpenFile {
  read(): Activity<Errno> {
    return immediately(EINVAL);
  }

  write(_text: string): Activity<Errno> {
    return immediately(EINVAL);
  }

  close(): void {}
}
