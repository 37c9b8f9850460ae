/**
 * The upper directories of sysfs, on which its parts are mounted.
 *
 * *Document*: Linux 3.5 and 6.18 `Documentation/filesystems/sysfs.txt`.
 *
 * *Modelled*: the way to `/sys/bus/pci`, `/sys/class/net`, `/sys/devices/pci0000:00`, `/sys/devices/system/{clocksource,cpu}`,
 * `/sys/kernel/debug`, and where a kernel has them `/sys/kernel/iommu_groups` and `/sys/kernel/tracing`; in `/sys/module` the
 * parameters of what is built in, as far as the model has them.
 *
 * *Not modelled*: `block`, `dev`, `firmware`, `fs`, `power`, other classes. They are absent.
 *
 * @module
 */

import { directory, readOnly } from "../computed_nodes.ts";
import type { DirectoryNode } from "../vfs.ts";

/**
 * The directory; mount it at `/sys`, then the parts on what it holds. Nobody can make anything in it.
 *
 * @param kernel what `/sys/kernel` has beside the mount points
 */
export function sysfsRoot(kernel: Readonly<Record<string, DirectoryNode>>): DirectoryNode {
  return directory({
    bus: directory({ pci: directory({}) }),
    class: directory({ net: directory({}) }),
    devices: directory({
      "pci0000:00": directory({}),
      system: directory({ clocksource: directory({}), cpu: directory({}) }),
    }),
    kernel: directory({ debug: directory({}), ...kernel }),
    module: directory({}),
  });
}

/** What is to be mounted at `/sys/module`: parameters that can be read, by module and name. */
export function moduleDirectory(
  modules: Readonly<Record<string, Readonly<Record<string, string>>>>,
): DirectoryNode {
  const parameter = (value: string) => readOnly(() => `${value}\n`);
  return directory(
    mapped(modules, (values) => directory({ parameters: directory(mapped(values, parameter)) })),
  );
}

function mapped<From, To>(from: Readonly<Record<string, From>>, to: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => [name, to(value)]));
}

/** debugfs, from its directories. */
export function debugfs(entries: Readonly<Record<string, DirectoryNode>>): DirectoryNode {
  return directory(entries, 0o700);
}
