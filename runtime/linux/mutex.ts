/**
 * A lock that tasks sleep for (`struct mutex` of Linux); who came first is next.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Kernel } from "./kernel.ts";
import type { Task } from "./sched/task.ts";

/** A lock of one kernel. */
export class Mutex {
  #held = false;
  readonly #waiting: Task[] = [];

  /** @param kernel whose tasks take it */
  constructor(readonly kernel: Kernel) {}

  /** Takes it, or waits until that can be. Executed by `by`. */
  *lock(by: Task): Activity {
    while (this.#held) {
      if (!this.#waiting.includes(by)) this.#waiting.push(by);
      yield* this.kernel.cpus[by.cpu]!.sleep();
    }
    this.#held = true;
  }

  /** Gives it back. Executed by `by`, who has it. */
  *unlock(by: Task): Activity {
    this.#held = false;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    const here = this.kernel.cpus[by.cpu]!;
    this.kernel.wake(next, here);
    yield* here.sendPendingIpis();
  }
}
