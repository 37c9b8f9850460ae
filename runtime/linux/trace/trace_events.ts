/**
 * Events of the kernel itself, in the words of `trace`: scheduler and interrupts.
 *
 * *Document*: Linux 3.5 and 6.18 `include/trace/events/{sched,irq}.h`.
 *
 * @module
 */

import type { TraceEvent } from "./ftrace.ts";
import type { Kernel } from "../kernel.ts";
import { Vector } from "../irq/vectors.ts";

/** `modern`: as 6.18 prints them, else as 3.5 does. */
export function kernelTraceEvents(kernel: Kernel, modern: boolean): readonly TraceEvent[] {
  /** As the kernel counts: 120 for a fair task, 99 - N for a real-time one, 120 for the idle task. */
  const priority = (pid: unknown) => {
    const rt = kernel.tasks.get(Number(pid))?.rtPriority ?? 0;
    return rt === 0 ? 120 : 99 - rt;
  };
  return [
    {
      system: "irq",
      name: "irq_handler_entry",
      kind: "interrupt",
      text({ fields: { vector, mode } }, { vectorIrq }) {
        const action = mode === "root" ? vectorIrq.get(Number(vector)) : undefined;
        return action && `irq=${action.irq} name=${action.name}`;
      },
    },
    ...(modern
      ? [
        {
          system: "irq_vectors",
          name: "local_timer_entry",
          kind: "interrupt",
          text: ({ fields: { vector, mode } }) =>
            mode === "root" && vector === Vector.LocalTimer ? `vector=${Vector.LocalTimer}` : undefined,
        } satisfies TraceEvent,
      ]
      : []),
    {
      system: "sched",
      name: "sched_switch",
      kind: "tracepoint",
      text({ fields: { prev_comm, prev_pid, next_comm, next_pid } }) {
        const prev = kernel.tasks.get(Number(prev_pid));
        const isIdle = prev_pid === 0;
        const state = isIdle || prev?.runnable ? "R" : prev !== undefined ? "S" : modern ? "X" : "x"; // it has ended
        return `prev_comm=${prev_comm} prev_pid=${prev_pid} prev_prio=${priority(prev_pid)} ` +
          `prev_state=${state} ==> ` +
          `next_comm=${next_comm} next_pid=${next_pid} next_prio=${priority(next_pid)}`;
      },
    },
    {
      system: "sched",
      name: "sched_wakeup",
      kind: "tracepoint",
      text: ({ fields: { comm, pid, target_cpu } }) =>
        `comm=${comm} pid=${pid} prio=${priority(pid)}${modern ? "" : " success=1"} ` +
        `target_cpu=${String(target_cpu).padStart(3, "0")}`,
    },
  ];
}
