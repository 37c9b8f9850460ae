/**
 * The idle loop (`cpu_idle()` of Linux 3.4): stops the tick, halts until somebody wants to run, starts the tick
 * again.
 *
 * @module
 */

import { type Activity, HLT } from "../../hw/sim/activity.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/** What the idle task of `cpu` runs for ever. */
export function* idleLoop(cpu: KernelCpu): Activity {
  const { kernel, registers, hrtimers } = cpu;
  const { steps, release } = kernel;
  yield* cpu.boot();
  for (;;) {
    const stopTick = release.noHz && !cpu.needResched && cpu.tick.base !== null;
    if (stopTick) {
      // tick_nohz_idle_enter(): with nobody else waiting, the next hrtimer is programmed in the tick's place.
      yield steps.nohzStop;
      hrtimers.cancel(cpu.tick);
      if (hrtimers.stale) yield cpu.programTimer();
    }
    while (!cpu.needResched) {
      if (cpu.state === "offline") {
        // play_dead(): interrupts off, halted, until an INIT.
        registers.interruptFlag = false;
      }
      yield HLT;
    }
    if (stopTick) {
      // tick_nohz_idle_exit(): the tick is started before the scheduler is asked, so it costs latency.
      yield steps.nohzRestart;
      cpu.startTick();
      if (hrtimers.stale) yield cpu.programTimer();
    }
    yield* cpu.schedule();
  }
}
