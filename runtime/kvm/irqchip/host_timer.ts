/**
 * An emulated timer as an hrtimer of the host.
 *
 * @module
 */

import type { Activity, Step } from "../../../hw/sim/activity.ts";
import { firstCpu } from "../../linux/cpu_mask.ts";
import type { HrTimer } from "../../linux/hrtimer.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { Vector } from "../../linux/irq/vectors.ts";

/**
 * Starts `timer` on `home`, or on the first CPU online where that is offline, by software that runs on `cpu`. A slave CPU has
 * no hrtimers; there an online CPU is asked to run it.
 *
 * @returns the register write that remains to be executed on `cpu`, if any
 */
export function startHostTimer(
  timer: HrTimer,
  expiresNs: number,
  home: KernelCpu,
  cpu: KernelCpu,
): Step | null {
  const { kernel } = home;
  const there = home.state === "online" ? home : kernel.cpus[firstCpu(kernel.onlineMask)]!;
  if (there === cpu) return start(timer, expiresNs, there);
  timer.base?.cancel(timer);
  there.callFunctions.push(startThere(timer, expiresNs, there));
  return cpu.sendIpi(there.id, Vector.CallFunctionSingle);
}

function* startThere(timer: HrTimer, expiresNs: number, there: KernelCpu): Activity {
  const program = start(timer, expiresNs, there);
  if (program !== null) yield program;
}

function start(timer: HrTimer, expiresNs: number, home: KernelCpu): Step | null {
  home.hrtimers.start(timer, expiresNs);
  return home.hrtimers.first === timer && home.hrtimers.stale ? home.programTimer() : null;
}
