/**
 * The rate of the local APIC's timer, as a kernel finds it out.
 *
 * *Document*: Linux 3.4 `arch/x86/kernel/apic/apic.c` (`calibrate_APIC_clock()`, `setup_APIC_timer()`).
 *
 * *Modelled*: the processor that boots measures its timer against known time; those that it starts later, or that come back
 * online, copy its result. Processors that begin together measure each their own.
 *
 * @module
 */

import type { Activity, Step } from "../../hw/sim/activity.ts";
import { Apic } from "../../hw/lapic.ts";
import { timerDivisor } from "../../hw/lapic_timer.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/** The kernel divides the timer's clock by 16 (`APIC_DIVISOR`); TDCR 0x3. */
export const TDCR_DIVIDE_BY_16 = 0x3;

/** Finds out how many counts the timer of `cpu` makes in how many ns. @param wait the known time */
export function* measureApicClock(cpu: KernelCpu, wait: Step): Activity {
  const { kernel } = cpu;
  const [boot] = kernel.cpus;
  if (cpu !== boot && boot!.state === "online") {
    cpu.timerTicks = boot!.timerTicks;
    cpu.timerNs = boot!.timerNs;
    return;
  }
  yield cpu.apicWrite(Apic.TMICT, 0xffff_ffff);
  const before = yield cpu.apicRead(Apic.TMCCT);
  const startNs = kernel.nowNs;
  yield wait;
  const after = yield cpu.apicRead(Apic.TMCCT);
  const ticks = before - after, ns = kernel.nowNs - startNs;
  yield cpu.apicWrite(Apic.TMICT, 0);
  // The measured rate to the nearest 10 kHz of undivided clock, as a ratio: what `lapic_timer_frequency` holds.
  const divisor = timerDivisor(TDCR_DIVIDE_BY_16);
  const hz = Math.round((ticks * divisor * 1e9) / ns / 10_000) * 10_000;
  cpu.timerTicks = hz / 1000;
  cpu.timerNs = divisor * 1_000_000;
}
