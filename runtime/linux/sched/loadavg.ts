/**
 * The load averages: how many tasks want a CPU, averaged over 1, 5 and 15 minutes.
 *
 * *Document*: Linux 3.5 `kernel/sched/core.c` (`calc_load`, LOAD_FREQ), `include/linux/sched.h`.
 *
 * *Deviations*: Linux samples every 5 s how many tasks are runnable; this takes the mean of the interval, which also
 * holds over the time when no CPU ticks. Tasks that wait for a CPU are counted as they are at the end of it.
 *
 * @module
 */

import type { StateHash } from "../../../hw/sim/state_hash.ts";
import type { Kernel } from "../kernel.ts";

/** LOAD_FREQ, without the one tick more. */
const INTERVAL_NS = 5_000_000_000;
/** Fixed-point numbers with 11 bits of fraction: 1 / exp(5 s / 1, 5, 15 min). */
const FIXED_1 = 1 << 11;
const DECAY: readonly number[] = [1884, 2014, 2037];

/** The averages of one kernel. */
export class LoadAverage {
  readonly #averages = [0, 0, 0];
  #sampledNs = 0;
  #busyNs = 0;

  /** For `kernel`. */
  constructor(readonly kernel: Kernel) {}

  /** Takes the intervals that are over into the averages. */
  update(): void {
    const { kernel } = this;
    const elapsedNs = kernel.nowNs - this.#sampledNs;
    const intervals = Math.floor(elapsedNs / INTERVAL_NS);
    if (intervals === 0) return;
    kernel.settle();
    let busyNs = 0, waiting = 0;
    for (const cpu of kernel.cpus) {
      if (cpu.current !== cpu.idle) cpu.runQueue.account(cpu.current, kernel.nowNs);
      busyNs += cpu.runQueue.busyNs;
      waiting += cpu.runQueue.length;
    }
    const active = Math.round(((busyNs - this.#busyNs) / elapsedNs + waiting) * FIXED_1);
    this.#sampledNs += intervals * INTERVAL_NS;
    this.#busyNs = busyNs;
    for (const [i, decay] of DECAY.entries()) {
      let load = this.#averages[i]!;
      for (let n = 0; n < intervals; n++) {
        load = Math.floor((load * decay + active * (FIXED_1 - decay) + FIXED_1 / 2) / FIXED_1);
      }
      this.#averages[i] = load;
    }
  }

  /** Adds the averages, and up to when they go, to `hash`. */
  hashInto(hash: StateHash): void {
    hash.number(this.#sampledNs).number(this.#busyNs);
    for (const load of this.#averages) hash.number(load);
  }

  /** `0.00 0.01 0.05`. */
  toString(): string {
    this.update();
    return this.#averages.map((load) => {
      const shown = load + Math.floor(FIXED_1 / 200);
      const fraction = Math.floor(((shown % FIXED_1) * 100) / FIXED_1);
      return `${Math.floor(shown / FIXED_1)}.${String(fraction).padStart(2, "0")}`;
    }).join(" ");
  }
}
