/**
 * The grains of a step: one event, one piece of work of a processor, or one interrupt from its request to its end. Where a step ends is read from the trace, so a step and the way back find the same places.
 *
 * @module
 */

import type { TraceRecord, TraceSink } from "../../hw/sim/trace.ts";
import { hasInterrupt } from "../../runtime/lab/views/cpus.ts";
import { type FlowItem, FlowReader } from "../../runtime/measure/flow.ts";
import { InterruptWay } from "../../runtime/measure/interrupt_way.ts";
import type { Session } from "./session.ts";

/** How far a step goes. */
export type Grain = "event" | "phase" | "interrupt";

/** Their names. */
export const GRAINS: readonly Grain[] = ["event", "phase", "interrupt"];

/** A kind of step: an event of any processor, or what one of them does. */
export type Step = { readonly grain: "event" } | CpuStep;

/** A step of one processor. */
export interface CpuStep {
  readonly grain: Exclude<Grain, "event">;
  readonly cpu: number;
}

/** Whether two steps are of one kind. */
export function isSameStep(a: Step, b: Step): boolean {
  return a.grain === b.grain && (a.grain === "event" || b.grain === "event" || a.cpu === b.cpu);
}

/** Boxes that may have begun before the first record: whether one is a new one can only be told behind another. */
const LASTING = new Set(["guest runs", "emulate APIC access"]);

/** Watches for the ends of steps. */
export class GrainWatch implements TraceSink {
  /** Steps that have ended. */
  ended = 0;
  readonly #flow: FlowReader;
  readonly #way: InterruptWay;

  /** @param session whose laboratory stands where the first step begins */
  constructor(session: Session, readonly step: CpuStep) {
    const { cpu } = step;
    this.#flow = new FlowReader(`cpu${cpu}`);
    this.#way = new InterruptWay(cpu, hasInterrupt(session.lab, cpu), () => session.lab.guests.size > 0);
  }

  /** What happened, as the talk draws it. */
  get items(): readonly FlowItem[] {
    return this.#flow.items;
  }

  /** @inheritdoc */
  record(record: TraceRecord): void {
    const { items } = this.#flow;
    const before = items.length;
    this.#flow.read(record);
    const isOver = this.step.grain === "interrupt"
      ? this.#way.read(record)
      : items.length > before && (before > 0 || !LASTING.has(items[0]!.text));
    if (isOver) this.ended++;
  }
}

/**
 * The last `count` events before `before`, latest first, with which a step of that kind ends; fewer where the run has no
 * more. Found by replays of the past, the near past first.
 */
export function endsBefore(
  session: Session,
  step: CpuStep,
  before: number,
  count: number,
): number[] {
  const { timeline, firstEvent } = session;
  for (let window = 4096;; window *= 16) {
    const from = Math.max(firstEvent, before - window);
    const other = timeline.replay(timeline.positionOf(from));
    const watch = new GrainWatch(other, step);
    const ends: number[] = [];
    const sink: TraceSink = {
      record(record) {
        const { ended } = watch;
        watch.record(record);
        if (watch.ended > ended && ends[0] !== record.event && record.event < before) {
          ends.unshift(record.event);
        }
      },
    };
    other.clock.watch(sink);
    other.again!.runTo(before);
    if (ends.length >= count || from === firstEvent) return ends.slice(0, count);
  }
}
