/**
 * The local APIC's timer as a clock-event device that is set by deadlines of the time-stamp counter.
 *
 * *Document*: Linux 3.8 `arch/x86/kernel/apic/apic.c`: `lapic_next_deadline()`, `setup_APIC_timer()`.
 *
 * @module
 */

import { type Activity, RDTSC } from "../../hw/sim/activity.ts";
import { MSR_TSC_DEADLINE } from "../../hw/lapic.ts";
import { type ClockRatio, TimerMode } from "../../hw/lapic_timer.ts";
import type { RegisterFile } from "../../hw/register_file.ts";

/** The device counts in so many ticks (`TSC_DIVISOR`), and no fewer than 15 of these. */
const TSC_DIVISOR = 32, SHORTEST_DEADLINE = 15;
/** LVT timer entry, bits 18:17: TSC deadline. */
export const LVT_TSC_DEADLINE = TimerMode.TscDeadline << 17;

/** Sets the timer to `delayNs` from now. @param clock of the time-stamp counter */
export function* nextDeadline(
  registers: RegisterFile,
  delayNs: number,
  { ticks, ns }: ClockRatio,
): Activity {
  const counts = Math.max(SHORTEST_DEADLINE, Math.floor((delayNs * ticks) / (ns * TSC_DIVISOR)));
  const tsc = yield RDTSC;
  yield registers.wrmsr(MSR_TSC_DEADLINE, tsc + counts * TSC_DIVISOR);
}
