/**
 * The tasks of a kernel, in the columns that `ps -eo pid,psr,class,rtprio,stat,time,comm` has.
 *
 * @module
 */

import type { Kernel } from "../../linux/kernel.ts";
import type { Policy } from "../../linux/sched/task.ts";
import { tableLines } from "../../measure/table.ts";

/** Policies as `ps` abbreviates them. */
const CLASSES: Readonly<Record<Policy, string>> = { SCHED_OTHER: "TS", SCHED_FIFO: "FF", SCHED_RR: "RR" };

/** A line for each task, by pid. */
export function taskLines(kernel: Kernel): string[] {
  kernel.settle();
  const tasks = [...kernel.tasks.values()].sort((a, b) => a.pid - b.pid);
  return tableLines(
    [
      { title: "PID" },
      { title: "PSR" },
      { title: "CLS", align: "left" },
      { title: "RTPRIO" },
      { title: "STAT", align: "left" },
      { title: "CPU ms" },
      { title: "COMMAND", align: "left" },
    ],
    tasks.map((task) => [
      task.pid,
      task.cpu,
      CLASSES[task.policy],
      task.rtPriority === 0 ? "-" : task.rtPriority,
      task.runnable ? "R" : "S",
      (task.cpuTimeNs / 1e6).toFixed(3),
      task.kernelThread ? `[${task.name}]` : task.name,
    ]),
  );
}
