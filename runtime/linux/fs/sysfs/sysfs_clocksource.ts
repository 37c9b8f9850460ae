/**
 * `/sys/devices/system/clocksource/clocksource0`: what the kernel reads the time from.
 *
 * *Document*: Linux 3.5 and 6.18 `kernel/time/clocksource.c` (`sysfs_show_current_clocksources()`,
 * `sysfs_override_clocksource()`); `Documentation/ABI/testing/sysfs-devices-system-clocksource`.
 *
 * *Modelled*: `available_clocksource`, `current_clocksource`. A name that is not available is taken and changes nothing, as
 * there. *Not modelled*: `unbind_clocksource`; it is absent.
 *
 * @module
 */

import { attribute, directory, readOnly } from "../computed_nodes.ts";
import { EINVAL, type Errno } from "../../errno.ts";
import type { KernelInterfaces } from "../../interfaces.ts";
import type { Kernel } from "../../kernel.ts";
import type { AttributeNode, DirectoryNode } from "../vfs.ts";

/** Characters of a name, with the end (`CS_NAME_LEN`). */
const NAME_LENGTH = 32;

/** The directory; mount it at `/sys/devices/system/clocksource`. */
export function sysfsClocksource(kernel: Kernel, { clocksourceChange }: KernelInterfaces): DirectoryNode {
  const { clocksource } = kernel;
  const store = (text: string): Errno | void => {
    if (text.length >= NAME_LENGTH) return EINVAL;
    if (!clocksource.select(text.replace(/\n$/, ""))) return;
    kernel.log(`${clocksourceChange} ${clocksource.current}`);
  };
  const files = new Map<string, AttributeNode>([
    [
      "available_clocksource",
      readOnly(() => `${clocksource.available.map((name) => `${name} `).join("")}\n`),
    ],
    ["current_clocksource", attribute(0o644, () => `${clocksource.current}\n`, store)],
  ]);
  return directory({ clocksource0: directory(files) });
}
