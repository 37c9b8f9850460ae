/**
 * The fair scheduler's tunables: `/proc/sys/kernel/sched_*`.
 *
 * *Document*: Linux 3.4 `kernel/sched/fair.c` (`get_update_sysctl_factor`, `update_sysctl`,
 * `sched_proc_update_handler`), `kernel/sched/features.h`.
 *
 * *Modelled*: latency and the granularities, scaled by the number of CPUs online whenever that changes
 * (SCHED_TUNABLESCALING_LOG), a user's own values too; the time for which a task counts as cache-hot.
 *
 * *Not modelled*: the other scalings, `sched_features`.
 *
 * @module
 */

/** `/proc/sys/kernel/sched_*`, ns. */
export interface SchedulerTunables {
  /** sched_latency_ns: within it every runnable task shall run once. */
  latencyNs: number;
  /** sched_min_granularity_ns: shortest slice. */
  minGranularityNs: number;
  /** sched_wakeup_granularity_ns: by how much a waking task must be behind to preempt. */
  wakeupGranularityNs: number;
  /** sched_migration_cost: a task that ran less long ago is not moved to another CPU. Does not scale. */
  migrationCostNs: number;
}

/** What latency and granularities are multiplied by on `cpus` CPUs: 1 + log2, from 8 on no more. */
function factor(cpus: number): number {
  return 1 + Math.floor(Math.log2(Math.min(Math.max(cpus, 1), 8)));
}

/** The kernel's defaults on `cpus` processors: 6, 0.75 and 1 ms, scaled; 0.5 ms. */
export function schedulerDefaults(cpus: number): SchedulerTunables {
  return {
    latencyNs: 6_000_000 * factor(cpus),
    minGranularityNs: 750_000 * factor(cpus),
    wakeupGranularityNs: 1_000_000 * factor(cpus),
    migrationCostNs: 500_000,
  };
}

/** update_sysctl(): `from` CPUs were online, now `to` are. */
export function rescale(tunables: SchedulerTunables, from: number, to: number): void {
  const before = factor(from), after = factor(to);
  if (before === after) return;
  for (const name of ["latencyNs", "minGranularityNs", "wakeupGranularityNs"] as const) {
    tunables[name] = Math.floor(tunables[name] / before) * after;
  }
}
