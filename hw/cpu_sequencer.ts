/**
 * Small parts of a logical processor's sequencer.
 *
 * @module
 */

import { HARDWARE, Op, Step } from "./sim/activity.ts";

/** What the processor does next. */
export const Action = {
  /** The running activity goes on with the last step's result. */
  Go: 0,
  /** The top of the stack goes on where it stands: another stack, or below a handler that has ended. */
  Resume: 1,
  /** A step is in flight, or the processor is halted. */
  Wait: 2,
} as const;
/** One of {@linkcode Action}. */
export type Action = typeof Action[keyof typeof Action];

/** #GP. */
export const GENERAL_PROTECTION = 13;

/** A step of the hardware's own: interrupts wait for its end. */
export function atomic(name: string, ns: number): Step {
  return new Step(Op.Transition, name, HARDWARE, ns, false);
}
