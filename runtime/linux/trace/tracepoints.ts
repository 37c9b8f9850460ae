/**
 * Tracepoints of the scheduler and of the slab, with the names and fields of the kernel's `events/sched/` and `events/kmem/`.
 *
 * @module
 */

import type { TraceRecord } from "../../../hw/sim/trace.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { Task } from "../sched/task.ts";

/** A CPU of a kernel in traces: `host.3`, `vm0.0`. Which processor executes it is told by the event. */
export function cpuName({ kernel, id }: KernelCpu): string {
  return `${kernel.name}.${id}`;
}

/** sched_wakeup: `task` has become runnable and is on the queue of `cpu`. */
export function traceWakeup(cpu: KernelCpu, { name, pid }: Task): void {
  record(cpu, "sched_wakeup", { comm: name, pid, target_cpu: cpu.id });
}

/** sched_switch: `cpu` gives itself from `prev` to `next`; the switch is over a context switch's cost later. */
export function traceSwitch(cpu: KernelCpu, prev: Task, next: Task): void {
  const fields = { prev_comm: prev.name, prev_pid: prev.pid, next_comm: next.name, next_pid: next.pid };
  record(cpu, "sched_switch", fields);
}

/** kmem_cache_alloc: `cpu` has taken an object of `bytes` from the slab, and zeroes it. */
export function traceSlabAllocation(cpu: KernelCpu, bytes: number): void {
  record(cpu, "kmem_cache_alloc", { bytes_req: bytes, bytes_alloc: bytes, gfp_flags: "GFP_KERNEL|GFP_ZERO" });
}

function record(cpu: KernelCpu, name: string, fields: TraceRecord["fields"]): void {
  const { engine } = cpu.kernel;
  engine.trace!.record({
    event: engine.event,
    cause: engine.cause,
    timeNs: engine.nowNs,
    where: cpuName(cpu),
    kind: "tracepoint",
    name,
    fields,
  });
}
