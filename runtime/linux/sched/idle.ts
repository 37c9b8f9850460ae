/**
 * The idle loop (`cpu_idle()` of Linux 3.4): stops the tick, halts until somebody wants to run, starts the tick
 * again.
 *
 * @module
 */

import { type Activity, HLT, Routine, type Step } from "../../../hw/sim/activity.ts";
import type { KernelCpu } from "../kernel_cpu.ts";

/** Where the loop stands: what comes next, in the order in which it comes by. */
const At = Object.freeze({ Look: 0, Stopped: 1, Halt: 2, Restarted: 3, Choose: 4, Back: 5 });

/** What the idle task of a CPU runs for ever: a routine, since whatever a program waits for passes here. */
export class IdleLoop extends Routine {
  declare readonly cpu: KernelCpu;
  /** What comes before the loop, or ends it. */
  #within: Activity | null;
  #at: number = At.Look;
  #stopsTick = false;

  /** Of `cpu`. @param online called when the CPU has come up */
  constructor(cpu: KernelCpu, online?: () => void) {
    super();
    this.cpu = cpu;
    this.#within = comeUp(cpu, online);
  }

  override next(result: number): Step | null {
    if (this.#within !== null) {
      const step = this.#within.next(result);
      if (step.done !== true) return step.value;
      this.#within = null;
    }
    const { cpu } = this;
    const { kernel: { steps, release }, hrtimers, registers } = cpu;
    for (;;) {
      switch (this.#at) {
        case At.Look:
          if (cpu.state === "offline") {
            this.#within = playDead(cpu);
            return this.next(0);
          }
          this.#stopsTick = release.noHz && !cpu.needResched && cpu.tick.base !== null;
          this.#at = this.#stopsTick ? At.Stopped : At.Halt;
          if (this.#stopsTick) return steps.nohzStop;
          break;
        case At.Stopped:
          // tick_nohz_idle_enter(): the tick is put off to the next timer of the wheel, and the next hrtimer programmed.
          cpu.stopTick();
          this.#at = At.Halt;
          if (hrtimers.stale) return cpu.programTimer();
          break;
        case At.Halt:
          if (!cpu.needResched) return HLT;
          this.#at = this.#stopsTick ? At.Restarted : At.Choose;
          if (this.#stopsTick) return steps.nohzRestart;
          break;
        case At.Restarted:
          // tick_nohz_idle_exit(): the tick is started before the scheduler is asked, so it costs latency.
          cpu.startTick();
          this.#at = At.Choose;
          if (hrtimers.stale) return cpu.programTimer();
          break;
        case At.Choose: {
          const away = cpu.schedule();
          this.#at = away === null ? At.Look : At.Back;
          if (away === null) break;
          registers.interruptFlag = false; // until it has looked whether the CPU is to die
          return away;
        }
        case At.Back:
          registers.interruptFlag = cpu.state === "online";
          this.#at = At.Look;
          break;
      }
    }
  }
}

/** The CPU starts, and says so. */
function* comeUp(cpu: KernelCpu, online?: () => void): Activity {
  yield* cpu.boot();
  online?.();
  yield* cpu.sendPendingIpis();
}

/** play_dead(): interrupts off, halted, until an INIT. */
function* playDead(cpu: KernelCpu): Activity {
  cpu.registers.interruptFlag = false;
  cpu.onDead?.();
  cpu.onDead = null;
  yield* cpu.sendPendingIpis();
  for (;;) yield HLT; // an NMI ends a HLT
}
