/**
 * The upper directories of sysfs, on which its parts are mounted.
 *
 * *Document*: Linux 3.5 `Documentation/filesystems/sysfs.txt`.
 *
 * *Modelled*: the way to `/sys/bus/pci`, `/sys/devices/pci0000:00` and `/sys/devices/system/cpu`.
 *
 * *Not modelled*: `block`, `class`, `dev`, `firmware`, `fs`, `kernel`, `module`, `power`. They are absent.
 *
 * @module
 */

import type { DirectoryNode } from "./vfs.ts";

/** The directory; mount it at `/sys`, then the parts on what it holds. Nobody can make anything in it. */
export function sysfsRoot(): DirectoryNode {
  return directory({
    bus: directory({ pci: directory({}) }),
    devices: directory({ "pci0000:00": directory({}), system: directory({ cpu: directory({}) }) }),
  });
}

function directory(entries: Readonly<Record<string, DirectoryNode>>): DirectoryNode {
  return {
    kind: "directory",
    list: () => Object.keys(entries),
    lookup: (name) => Object.hasOwn(entries, name) ? entries[name] : undefined,
  };
}
