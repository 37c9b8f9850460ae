/**
 * `/proc/irq`: which CPUs may get an interrupt.
 *
 * *Document*: Linux 3.5 `kernel/irq/proc.c`; `Documentation/IRQ-affinity.txt`.
 *
 * *Modelled*: `default_smp_affinity`, `N/smp_affinity`, `N/smp_affinity_list`, `N/node`, `N/spurious`, where the kernel has
 * them `N/effective_affinity` and `_list`, a directory with the action's name.
 *
 * *Deviations*: no driver gives a hint: `N/affinity_hint` is empty.
 *
 * @module
 */

import { cpuList, cpuMask, parseCpuList, parseCpuMask } from "../../cpu_mask.ts";
import { EINVAL, Errno } from "../../errno.ts";
import type { KernelInterfaces } from "../../interfaces.ts";
import type { IrqDescriptor, Irqs } from "../../irq/irq.ts";
import { sum } from "./proc_interrupts.ts";
import type { CpuMask } from "../../sched/task.ts";
import { attribute, directory, readOnly } from "../computed_nodes.ts";
import type { AttributeNode, DirectoryNode, Node } from "../vfs.ts";

/** Mode of `default_smp_affinity`. */
const DEFAULT_MODE = 0o644;

/** The directory. */
export function procIrq(irqs: Irqs, interfaces: KernelInterfaces): DirectoryNode {
  const { kernel } = irqs;
  const cpus = kernel.cpus.length;
  const defaults = affinity(
    DEFAULT_MODE,
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
      return descriptor && String(descriptor.irq) === name
        ? irqDirectory(irqs, interfaces, descriptor)
        : undefined;
    },
  };
}

function irqDirectory(irqs: Irqs, interfaces: KernelInterfaces, descriptor: IrqDescriptor): DirectoryNode {
  const cpus = irqs.kernel.cpus.length;
  const set = (mask: CpuMask) => irqs.setAffinity(descriptor.irq, mask);
  const mode = interfaces.irqAffinityMode;
  const entries = new Map<string, Node>([
    ["affinity_hint", readOnly(() => `${cpuMask(0, cpus)}\n`, mode & 0o444)],
    ["node", readOnly(() => "0\n")],
    [
      "spurious",
      readOnly(() => {
        irqs.kernel.settle();
        return `count ${
          sum(irqs.kernel.interruptCounts(descriptor.irq))
        }\nunhandled 0\nlast_unhandled 0 ms\n`;
      }),
    ],
    [
      "smp_affinity",
      affinity(mode, () => cpuMask(descriptor.affinity, cpus), (text) => parseCpuMask(text, cpus), set),
    ],
    [
      "smp_affinity_list",
      affinity(mode, () => cpuList(descriptor.affinity), (text) => parseCpuList(text, cpus), set),
    ],
    // The name of the action, as far as it can be a file name.
    [descriptor.name.replaceAll("/", "!"), directory([], 0o555)],
  ]);
  if (interfaces.effectiveAffinity) {
    entries.set("effective_affinity", readOnly(() => `${cpuMask(1 << descriptor.cpu, cpus)}\n`));
    entries.set("effective_affinity_list", readOnly(() => `${descriptor.cpu}\n`));
  }
  return { kind: "directory", mode: 0o555, list: () => entries.keys(), lookup: (name) => entries.get(name) };
}

function affinity(
  mode: number,
  show: () => string,
  parse: (text: string) => CpuMask | Errno,
  set: (mask: CpuMask) => Errno | void,
): AttributeNode {
  return attribute(mode, () => `${show()}\n`, (text) => {
    const mask = parse(text);
    return mask instanceof Errno ? mask : set(mask);
  });
}
