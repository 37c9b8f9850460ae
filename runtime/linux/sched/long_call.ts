/**
 * A long system call in a kernel that does not preempt its own code: at its preemption points (`cond_resched()`) it
 * looks whether somebody else is to run.
 *
 * The points between are visited only when somebody wants the CPU: the call is one step, and is cut at its next point
 * when an interrupt has made the scheduler want another task.
 *
 * @module
 */

import type { Step } from "../../../hw/sim/activity.ts";
import type { Context } from "../../../hw/register_file.ts";

/** The call: one step, and how far apart its points are. */
export class LongCall {
  declare readonly step: Step;
  declare readonly pointNs: number;
  /** What is left after a cut, ns. */
  restNs = NaN;

  /** @param step the call's work @param pointNs from one preemption point to the next */
  constructor(step: Step, pointNs: number) {
    this.step = step;
    this.pointNs = pointNs;
    this.restNs = 0; // a fraction or large later: see `Engine`
  }

  /** The interrupted call in `context` ends at its next point; the rest is in {@linkcode restNs}. */
  cut(context: Context): void {
    for (let depth = context.depth; depth >= 0; depth--) {
      const frame = context.frames[depth]!;
      if (frame.step !== this.step) continue;
      const beyond = Math.floor(frame.remainingNs / this.pointNs) * this.pointNs;
      frame.remainingNs -= beyond;
      this.restNs += beyond;
      return;
    }
  }
}
