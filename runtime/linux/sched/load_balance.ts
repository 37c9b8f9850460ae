/**
 * Balancing load between CPUs: a CPU that would idle takes a waiting task, and an overloaded one gives some away.
 *
 * *Document*: Linux 3.4 `kernel/sched/fair.c` (`idle_balance`, `nohz_kick_needed`, `rebalance_domains`,
 * `can_migrate_task`, `task_hot`, `scale_rt_power`), `include/linux/topology.h` (SD_MC_INIT, SD_CPU_INIT).
 *
 * *Modelled*: fair tasks that wait. They go where less is to be done, if they may run there and have not run in the last
 * `sched_migration_cost`: to a CPU that becomes idle, at once; at the tick of an overloaded CPU to an idle one; each
 * 64 ms to one that has two less; and away from real-time tasks that have kept the CPU for half a second. Isolated CPUs
 * (`isolcpus`) are in no scheduling domain: they neither take nor give.
 *
 * *Not modelled*: wake-ups on an idle sibling (`select_idle_sibling`); real-time push and pull; cgroups and their
 * weights; SCHED_FIFO's and RR's throttling, which never begins while another CPU has real-time budget to lend.
 *
 * *Deviations*: the overloaded CPU gives, where Linux has the others take; one task at a time; loads are counts of this
 * instant, not averages, and a difference of one moves nothing (Linux lets five endless loops take turns on four CPUs). A
 * task that was preempted in the kernel stays.
 *
 * @module
 */

import type { Layer } from "../../../hw/sim/activity.ts";
import { FrameKind } from "../../../hw/register_file.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { Task } from "./task.ts";

/** Busy CPUs are balanced each `min_interval` (1 ms) times `busy_factor` (64). */
const BUSY_INTERVAL_NS = 64_000_000;
/** Half of sched_time_avg: after so long a CPU that real-time tasks keep has no power left for others. */
const KEPT_OUT_NS = 500_000_000;

/** idle_balance(): `cpu` is about to idle; a task that waits elsewhere, now its own, or `undefined`. */
export function pull(cpu: KernelCpu): Task | undefined {
  const { cpus, isolated } = cpu.kernel;
  if (cpus.length === 1 || cpu.state !== "online" || (isolated & (1 << cpu.id)) !== 0) return undefined;
  let busiest: KernelCpu | undefined, task: Task | undefined;
  for (const other of cpus) {
    if ((isolated & (1 << other.id)) !== 0) continue;
    // One task alone is about to run there.
    if (other.runQueue.fairLength <= (busiest?.runQueue.fairLength ?? 0) || load(other) < 2) continue;
    const found = candidate(other, cpu);
    if (found !== undefined) [busiest, task] = [other, found];
  }
  if (busiest === undefined || task === undefined) return undefined;
  busiest.runQueue.remove(task);
  task.vruntimeNs += cpu.runQueue.minVruntimeNs - busiest.runQueue.minVruntimeNs;
  task.cpu = cpu.id;
  return task;
}

/** scheduler_tick() of a CPU on which fair tasks wait: gives one to a CPU with less to do. */
export function balance(cpu: KernelCpu): void {
  const { kernel } = cpu;
  if ((kernel.isolated & (1 << cpu.id)) !== 0) return;
  const busy = kernel.nowNs >= cpu.nextBalanceNs;
  if (busy) cpu.nextBalanceNs = kernel.nowNs + BUSY_INTERVAL_NS;
  let least: KernelCpu | undefined;
  for (const other of kernel.cpus) {
    if (other === cpu || other.state !== "online" || (kernel.isolated & (1 << other.id)) !== 0) continue;
    if (least === undefined || load(other) < load(least)) least = other;
  }
  if (least === undefined) return;
  const idle = load(least) === 0;
  if (load(cpu) < 2 || (!idle && !busy)) return;
  const task = candidate(cpu, least);
  if (task === undefined) return;
  const keptOut = cpu.current.realTime && !least.current.realTime &&
    kernel.nowNs - task.execStartNs >= KEPT_OUT_NS;
  if (idle || keptOut || load(cpu) - load(least) >= 2) kernel.migrate(task, least, cpu);
}

/** Tasks that want the CPU. */
function load(cpu: KernelCpu): number {
  return cpu.runQueue.length + (cpu.current === cpu.idle ? 0 : 1);
}

/** can_migrate_task(): the waiting task of `from` that can go `to`, of several the one that would run last. */
function candidate(from: KernelCpu, to: KernelCpu): Task | undefined {
  const { nowNs, tunables, taskLayer } = from.kernel;
  return from.runQueue.lastFair((task) =>
    (task.allowed & (1 << to.id)) !== 0 && nowNs - task.execStartNs >= tunables.migrationCostNs &&
    !preemptedInKernel(task, taskLayer)
  );
}

/** Whether an interrupt has preempted it in code that counts on its CPU: anything but a program's own. */
function preemptedInKernel({ context: { frames, depth } }: Task, programs: Layer): boolean {
  if (frames[depth]!.kind !== FrameKind.Interrupt) return false; // it has given the CPU away itself, or never had it
  return frames[depth - 1]!.step?.layer !== programs;
}
