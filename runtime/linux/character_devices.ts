/**
 * Character devices of `/dev` that are there without a driver of a bus.
 *
 * *Document*: `null(4)`, Documentation/admin-guide/devices.txt (numbers).
 *
 * *Modelled*: `/dev/null`; devices that are controlled by ioctls alone, such as `/dev/kvm`: they cannot be read or
 * written. *Not modelled*: others; an endless one (`/dev/zero`) needs reads of a given length, which filters do not make.
 *
 * @module
 */
import type { Activity } from "../../hw/sim/activity.ts";
import { EINVAL, type Errno } from "./errno.ts";
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
