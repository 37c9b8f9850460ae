/**
 * `/proc/irq`: which CPUs may get an interrupt.
 *
 * *Document*: Linux 3.5 `kernel/irq/proc.c`; `Documentation/IRQ-affinity.txt`.
 *
 * *Modelled*: `default_smp_affinity`, `N/smp_affinity`, `N/smp_affinity_list`, a directory with the action's name.
 *
 * *Not modelled*: `affinity_hint`, `node`, `spurious`. They are absent.
 *
 * @module
 */

import { cpuList, cpuMask, parseCpuList, parseCpuMask } from "./cpu_mask.ts";
import { EINVAL, Errno } from "./errno.ts";
import type { IrqDescriptor, Irqs } from "./irq.ts";
import type { CpuMask } from "./task.ts";
import type { AttributeNode, DirectoryNode, Node } from "./vfs.ts";

/** The directory. */
export function procIrq(irqs: Irqs): DirectoryNode {
  const { kernel } = irqs;
  const cpus = kernel.cpus.length;
  const defaults = affinity(
    () => cpuMask(irqs.defaultAffinity, cpus),
    (text) => parseCpuMask(text, cpus),
    (mask) => {
      // A kernel whose interrupts have no CPU to go to does not work.
      if ((mask & kernel.onlineMask) === 0) return EINVAL;
      irqs.defaultAffinity = mask;
    },
  );
  return {
    kind: "directory",
    mode: 0o555,
    list: () => [...irqs.list().map(({ irq }) => String(irq)), "default_smp_affinity"],
    lookup: (name) => {
      if (name === "default_smp_affinity") return defaults;
      const descriptor = /^\d+$/.test(name) ? irqs.get(Number(name)) : undefined;
      return descriptor && String(descriptor.irq) === name ? irqDirectory(irqs, descriptor) : undefined;
    },
  };
}

function irqDirectory(irqs: Irqs, descriptor: IrqDescriptor): DirectoryNode {
  const cpus = irqs.kernel.cpus.length;
  const set = (mask: CpuMask) => irqs.setAffinity(descriptor.irq, mask);
  const entries = new Map<string, Node>([
    [
      "smp_affinity",
      affinity(() => cpuMask(descriptor.affinity, cpus), (text) => parseCpuMask(text, cpus), set),
    ],
    [
      "smp_affinity_list",
      affinity(() => cpuList(descriptor.affinity), (text) => parseCpuList(text, cpus), set),
    ],
    // The name of the action, as far as it can be a file name.
    [descriptor.name.replaceAll("/", "!"), {
      kind: "directory",
      mode: 0o555,
      list: () => [],
      lookup: () => undefined,
    }],
  ]);
  return { kind: "directory", mode: 0o555, list: () => entries.keys(), lookup: (name) => entries.get(name) };
}

function affinity(
  show: () => string,
  parse: (text: string) => CpuMask | Errno,
  set: (mask: CpuMask) => Errno | void,
): AttributeNode {
  return {
    kind: "attribute",
    mode: 0o600,
    show: () => `${show()}\n`,
    store: (text) => {
      const mask = parse(text);
      return mask instanceof Errno ? mask : set(mask);
    },
  };
}
