/**
 * `/proc/softirqs`: how many softirqs of each kind every CPU has done.
 *
 * *Document*: Linux 3.5 and 6.18 `fs/proc/softirqs.c`.
 *
 * *Modelled*: polls of network devices.
 *
 * *Deviations*: sections of the background are counted as TASKLET: the model does not say whose they are. What a tick does
 * is part of its interrupt, so TIMER, SCHED and RCU stay 0. On a CPU in an endless loop, where nobody looks, sections are
 * booked and not counted.
 *
 * @module
 */

import type { KernelInterfaces } from "../../interfaces.ts";
import type { Kernel } from "../../kernel.ts";
import type { KernelCpu } from "../../kernel_cpu.ts";

/** The text: a column for each possible CPU. */
export function procSoftirqs({ cpus }: Kernel, interfaces: KernelInterfaces): string {
  const count = (name: string, { softirqs }: KernelCpu) =>
    name === "NET_RX" ? softirqs.polls : name === "TASKLET" ? softirqs.sections : 0;
  const rows = interfaces.softirqs.map((name) =>
    `${name.padStart(12)}:${cpus.map((cpu) => ` ${String(count(name, cpu)).padStart(10)}`).join("")}`
  );
  const head = " ".repeat(20) + cpus.map(({ id }) => `CPU${String(id).padEnd(8)}`).join("");
  return [head, ...rows, ""].join("\n");
}
