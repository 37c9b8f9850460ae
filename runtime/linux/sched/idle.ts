/**
 * The idle loop (`cpu_idle()` of Linux 3.4): stops the tick, halts until somebody wants to run, starts the tick
 * again.
 *
 * @module
 */

import { type Activity, HLT } from "../../../hw/sim/activity.ts";
import type { KernelCpu } from "../kernel_cpu.ts";

/** What the idle task of `cpu` runs for ever. @param online called when the CPU has come up */
export function* idleLoop(cpu: KernelCpu, online?: () => void): Activity {
  const { kernel, hrtimers, registers } = cpu;
  const { steps, release } = kernel;
  yield* cpu.boot();
  online?.();
  yield* cpu.sendPendingIpis();
  for (;;) {
    if (cpu.state === "offline") yield* playDead(cpu);
    const stopTick = release.noHz && !cpu.needResched && cpu.tick.base !== null;
    if (stopTick) {
      // tick_nohz_idle_enter(): the tick is put off to the next timer of the wheel, and the next hrtimer programmed.
      yield steps.nohzStop;
      cpu.stopTick();
      if (hrtimers.stale) yield cpu.programTimer();
    }
    while (!cpu.needResched) yield HLT;
    if (stopTick) {
      // tick_nohz_idle_exit(): the tick is started before the scheduler is asked, so it costs latency.
      yield steps.nohzRestart;
      cpu.startTick();
      if (hrtimers.stale) yield cpu.programTimer();
    }
    const away = cpu.schedule();
    if (away === null) continue;
    registers.interruptFlag = false; // until it has looked whether the CPU is to die
    yield away;
    registers.interruptFlag = cpu.state === "online";
  }
}

/** play_dead(): interrupts off, halted, until an INIT. */
function* playDead(cpu: KernelCpu): Activity {
  cpu.registers.interruptFlag = false;
  cpu.onDead?.();
  cpu.onDead = null;
  yield* cpu.sendPendingIpis();
  for (;;) yield HLT; // an NMI ends a HLT
}
