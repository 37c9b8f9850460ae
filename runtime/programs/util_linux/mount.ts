/**
 * mount (util-linux 2.21): puts a file system of the kernel into the tree.
 *
 * *Modelled*: the types `cpuset` and `cgroup` (`-o cpuset`); without arguments what is mounted.
 *
 * *Not modelled*: block devices, other types, `-a`, `/etc/fstab`, `umount`.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { Errno } from "../../linux/errno.ts";
import { complain, getopt } from "../getopt.ts";
import { pathOf, type Program, type ProgramProcess } from "../program.ts";

const doc = `mount - shows a file system of the kernel in a directory
Usage: mount -t TYPE [-o OPTION,...] DEVICE DIRECTORY
  mount
Effects: shows a file system of the kernel at DIRECTORY: -t cpuset, -t cgroup -o cpuset; without arguments lists what is mounted
Exit status: 0; 32 if it cannot be mounted; 1 on bad usage
Errors: unknown filesystem type 'TYPE'; mount point DIRECTORY does not exist
Differs from the real one: no block devices, no other types, no /etc/fstab; nothing can be unmounted
Examples: mkdir /dev/cpuset; mount -t cpuset none /dev/cpuset`;

/** Status of a mount that failed. */
const FAILED = 32;

/** The program. */
export const mount: Program = {
  name: "mount",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { vfs } = command.system;
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      values: "to",
      long: { types: "t", options: "o" },
      notModelled: ["a", "all", "B", "bind", "L", "M", "move", "R", "rbind", "U"],
    });
    if (typeof parsed === "string") return complain(command, mount, parsed);
    const { operands } = parsed;
    const value = (option: string) => parsed.options.findLast(({ letter }) => letter === option)?.value;
    const type = value("t"), options = value("o")?.split(",") ?? [];
    if (operands.length === 0) {
      for (const { source, path, fileSystem: { name } } of vfs.mounts()) {
        if (type !== undefined && type !== name) continue;
        command.stdout(`${source} on ${path} type ${name} (rw)\n`);
      }
      return 0;
    }
    const [device = "", directory] = operands;
    if (directory === undefined || operands.length > 2) {
      command.stderr(
        `mount: can't find ${device} in /etc/fstab or /etc/mtab\nnote: mount -t TYPE DEVICE DIRECTORY is modelled\n`,
      );
      return 1;
    }
    const path = pathOf(command, directory);
    const found = vfs.stat(path);
    if (found instanceof Errno) {
      command.stderr(`mount: mount point ${directory} does not exist\n`);
      return FAILED;
    }
    if (found.kind !== "directory") {
      command.stderr(`mount: mount point ${directory} is not a directory\n`);
      return FAILED;
    }
    if (type === undefined) {
      command.stderr("mount: you must specify the filesystem type\n");
      return FAILED;
    }
    const system = command.system.fileSystem(type, options);
    if (system === undefined) {
      command.stderr(`mount: unknown filesystem type '${type}'\n`);
      command.stderr("note: modelled are cpuset, and cgroup with -o cpuset\n");
      return FAILED;
    }
    const real = vfs.realpath(path) as string;
    if ([...vfs.mounts()].some((mounted) => mounted.path === real)) {
      command.stderr(`mount: ${device} already mounted or ${directory} busy\n`);
      return FAILED;
    }
    vfs.mount(real, system.node, system.fileSystem, device);
    return 0;
  },
};
