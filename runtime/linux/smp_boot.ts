/**
 * The boot processor starts the others.
 *
 * *Document*: Linux 3.4 `arch/x86/kernel/smpboot.c` (`wakeup_secondary_cpu_via_init()`, `do_boot_cpu()`); Intel
 * MultiProcessor specification, "Universal Start-up Algorithm": INIT, 10 ms, a start-up message, and a second one.
 *
 * *Deviations*: the INIT is not de-asserted, which no processor since the Pentium 4 takes note of.
 *
 * @module
 */

import { type Activity, work } from "../../hw/sim/activity.ts";
import { DeliveryMode } from "../../hw/lapic.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/** Bits 19:12 of the address at which a started processor begins. */
export const TRAMPOLINE_PAGE = 0x99;
/** How often the boot processor looks whether another one has come, ns; and how far apart start-up messages are. */
const POLL_NS = 100_000, BETWEEN_NS = 500_000;

/** `smp_init()`, executed by `boot`: one after the other, each until it is online. */
export function* startProcessors(boot: KernelCpu): Activity {
  const { kernel } = boot;
  const poll = work("udelay", kernel.kernelLayer, POLL_NS, false);
  const between = work("udelay", kernel.kernelLayer, BETWEEN_NS, false);
  for (const cpu of kernel.cpus) {
    if (cpu === boot) continue;
    kernel.log(`smpboot: Booting Node 0 Processor ${cpu.id} APIC 0x${cpu.id.toString(16)}`);
    yield boot.sendMessage(cpu.id, DeliveryMode.Init << 8);
    yield kernel.steps.cpuUp;
    for (let message = 0; message < 2; message++) {
      yield boot.sendMessage(cpu.id, (DeliveryMode.Startup << 8) + TRAMPOLINE_PAGE);
      yield between;
    }
    while (cpu.state !== "online") yield poll;
  }
}
