/**
 * Steady CPUs: a CPU that idles, or goes round in an endless loop, with nobody waiting and no timer but its own.
 *
 * Until an interrupt comes, what its kernel does in the background can disturb nobody: it is booked when somebody looks, not
 * simulated one by one, and the timer is not programmed for it. So are the ticks of a loop; an idle CPU's, one a second,
 * are simulated.
 *
 * *Deviations*: what the interrupt that ends it would have found under way in the background is over; of each booked
 * interrupt the entry and its work are reckoned, the hardware's part is not.
 *
 * @module
 */

import type { Layer } from "../../../hw/sim/activity.ts";
import type { Alarm } from "../../../hw/sim/engine.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import type { HrTimer } from "../hrtimer.ts";
import type { KernelCpu } from "../kernel_cpu.ts";

/** A loop is booked at least so often: time is made of events, even where nothing else happens any more. */
const LOOP_BOOKED_NS = 1_000_000_000;

/** Whether a CPU is steady, and what has been booked for it. */
export class Steady {
  declare readonly cpu: KernelCpu;
  #alarm: Alarm | null = null;
  /** Up to when it has been booked; -1: it is not steady. */
  #bookedUpToNs = NaN;
  /** Time that booked interrupts took from endless loops, ns. */
  #loopNs = NaN;
  /** Time that they took from idling, ns. */
  #idleNs = NaN;

  /** Of `cpu`. */
  constructor(cpu: KernelCpu) {
    this.cpu = cpu;
    this.#loopNs = this.#idleNs = 0; // soon large: see `Engine`
    this.#bookedUpToNs = -1;
  }

  /** Whether it is. */
  get on(): boolean {
    return this.#bookedUpToNs >= 0;
  }

  /**
   * At the end of a timer interrupt, which may make it steady.
   *
   * @returns what the timer is to be programmed for: the first one, or the tick of a steady CPU that idles; null: nothing
   */
  nextTimer(): HrTimer | null {
    const { cpu } = this;
    const { hrtimers, tick, kernel } = cpu;
    const steady = this.#goesOn();
    if (steady === null) return hrtimers.first!;
    this.#bookedUpToNs = kernel.nowNs;
    if (steady === "idle") return tick;
    hrtimers.programmedNs = Infinity;
    this.#bookLater();
    return null;
  }

  /** What the CPU goes back to and stays at until an interrupt comes; null: who knows. */
  #goesOn(): "idle" | "loop" | null {
    const { cpu } = this;
    if (!cpu.kernel.booksSteadyCpus || cpu.state !== "online") return null;
    if (cpu.needResched || cpu.runQueue.length > 0 || cpu.softirqs.pending) return null;
    const { frames, depth } = cpu.registers.context; // the handler's frame is the topmost
    const idles = cpu.current === cpu.idle && depth === 1;
    if (!idles && (depth < 1 || frames[depth - 1]!.step?.ns !== Infinity)) return null;
    for (const timer of cpu.hrtimers.timers()) if (!timer.pinned) return null;
    return idles ? "idle" : "loop";
  }

  /** From now on a loop is booked once in a while; whoever looks in between moves nothing. */
  #bookLater(): void {
    const { kernel: { engine, name }, id } = this.cpu;
    this.#alarm ??= engine.alarm(`${name} cpu${id} booked`, () => {
      this.book();
      this.#bookLater();
    });
    this.#alarm.at(engine.nowNs + LOOP_BOOKED_NS);
  }

  /** An interrupt has come: the CPU is looked at again, one event at a time. */
  leave(): void {
    this.book();
    this.#bookedUpToNs = -1;
    this.cpu.hrtimers.programmedNs = Infinity;
    this.#alarm?.cancel();
  }

  /** Books what has passed up to now. */
  book(): void {
    if (!this.on) return;
    const { cpu } = this;
    const { kernel: { nowNs, steps, tickPeriodNs }, tick, current, background } = cpu;
    const loops = current !== cpu.idle;
    let interrupts = 0, ns = 0;
    if (loops && tick.base !== null && tick.expiresNs <= nowNs) {
      const ticks = Math.floor((nowNs - tick.expiresNs) / tickPeriodNs) + 1;
      if (current.policy === "SCHED_RR") cpu.runQueue.countSlice(current, ticks, tickPeriodNs);
      cpu.hrtimers.start(tick, tick.expiresNs + ticks * tickPeriodNs);
      interrupts += ticks;
      ns += ticks * steps.tick.ns;
    }
    if (background !== null) {
      const passed = background.pass(nowNs);
      interrupts += passed.count;
      ns += passed.ns;
    }
    ns += interrupts * steps.irqEntry.ns;
    cpu.localTimerInterrupts += interrupts;
    if (loops) {
      this.#loopNs += ns;
      cpu.runQueue.account(current, nowNs);
    } else this.#idleNs += ns;
    this.#bookedUpToNs = nowNs;
  }

  /** What its processor lacks of the time that the CPU has spent in `layer`, booked interrupts being reckoned, ns. */
  bookedNs(layer: Layer): number {
    const { kernelLayer, taskLayer } = this.cpu.kernel;
    if (layer === kernelLayer) return this.#loopNs + this.#idleNs;
    return layer === taskLayer ? -this.#loopNs : 0;
  }

  /** Adds its state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.number(this.#bookedUpToNs).number(this.#loopNs).number(this.#idleNs);
  }
}
