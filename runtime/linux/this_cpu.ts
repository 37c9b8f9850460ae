/**
 * smp_processor_id() for code that is not told where it runs: files of sysfs and procfs.
 *
 * @module
 */

import type { Machine } from "../../hw/machine.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/**
 * The CPU of `kernel` that executes at this instant, found as hardware would: a processor of `machine` that is between
 * two steps of its software, with registers of this kernel. Its `current` is the calling task.
 *
 * @throws {Error} outside of the software of `kernel`
 */
export function thisCpu(kernel: Kernel, machine: Machine): KernelCpu {
  for (const physical of machine.cpus) {
    if (!physical.running || physical.inFlight !== null || physical.registers.halted) continue;
    for (const cpu of kernel.cpus) if (cpu.registers === physical.registers) return cpu;
  }
  throw new Error(`No processor executes software of kernel "${kernel.name}" now`);
}
