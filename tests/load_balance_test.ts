/**
 * CFS to the letter, and who moves to another CPU: `kernel/sched/fair.c` of Linux 3.4, restated.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Activity, work } from "../hw/sim/activity.ts";
import { RunQueue } from "../runtime/linux/sched/runqueue.ts";
import { rescale, schedulerDefaults } from "../runtime/linux/sched/sched_tunables.ts";
import { Task } from "../runtime/linux/sched/task.ts";
import { MS, SchedulerRig } from "./scheduler_rig.ts";

/** Four CPUs: 18, 2.25 and 3 ms. */
const LATENCY_NS = 18 * MS, MIN_GRANULARITY_NS = 2_250_000;

function task(pid: number, vruntimeNs = 0): Task {
  const made = new Task(
    pid,
    `task ${pid}`,
    0,
    1,
    (function* (): Activity {
      yield work("never", 0, 0);
    })(),
  );
  made.vruntimeNs = vruntimeNs;
  return made;
}

/** A queue on which `waiting` tasks of virtual time 0 wait. */
function queue(waiting: number): RunQueue {
  const made = new RunQueue(schedulerDefaults(4));
  for (let i = 0; i < waiting; i++) made.enqueue(task(i + 2), "as it is");
  return made;
}

/** Whether the tick ends the turn of a task that has run for `ranNs` and is `aheadNs` of the first that waits. */
function turnOver(waiting: number, ranNs: number, aheadNs = 0): boolean {
  const running = task(1, aheadNs);
  running.cpuTimeNs = ranNs;
  return queue(waiting).sliceOver(running);
}

Deno.test("sched_slice: the latency divided among up to eight tasks; of more, each has the minimum granularity", () => {
  for (const [runnable, sliceNs] of [[2, 9 * MS], [3, 6 * MS], [8, 2_250_000], [9, 2_250_000]] as const) {
    assertEquals(turnOver(runnable - 1, sliceNs), false, `${runnable} tasks: a slice`);
    assertEquals(turnOver(runnable - 1, sliceNs + 1), true, `${runnable} tasks: more than a slice`);
  }
  assertEquals(turnOver(0, 1_000 * MS), false, "nobody waits");
});

Deno.test("check_preempt_tick: more than a slice ahead it goes early, but not before the minimum granularity", () => {
  const slice = LATENCY_NS / 2;
  assertEquals(turnOver(1, MIN_GRANULARITY_NS, slice + 1), true);
  assertEquals(turnOver(1, MIN_GRANULARITY_NS, slice), false);
  assertEquals(turnOver(1, MIN_GRANULARITY_NS - 1, slice + 1), false);
});

Deno.test("place_entity: a sleeper gets half the latency, a newcomer waits for a slice, nobody gains by it", () => {
  const placed = (placement: "waking" | "new", own: number, running = task(1)) => {
    const made = queue(0), joins = task(2, own);
    made.minVruntimeNs = 1_000 * MS;
    made.enqueue(joins, placement, running);
    return (joins.vruntimeNs - 1_000 * MS) / MS;
  };
  assertEquals(placed("waking", 0), -9);
  assertEquals(placed("waking", 995 * MS), -5, "it slept less than that");
  assertEquals(placed("new", 0), 9, "beside one that runs");
  assertEquals(placed("new", 0, task(0)), 18, "beside the idle task");
  assertEquals(placed("new", 1_020 * MS), 20, "its parent was further");
});

Deno.test("the tunables follow the CPUs online, a user's own values too", () => {
  const tunables = schedulerDefaults(4);
  rescale(tunables, 4, 3); // slide 11 takes one of four: 1 + log2(3) is 2
  assertEquals(tunables, schedulerDefaults(3));
  tunables.latencyNs = 20 * MS;
  rescale(tunables, 3, 1);
  assertEquals([tunables.latencyNs, tunables.migrationCostNs], [10 * MS, MS / 2]);
});

/** Endless loops on CPU 0 of a machine, which may run anywhere from now on. */
function crowd(cpus: number, count: number): { rig: SchedulerRig; hogs: Task[]; on: () => number[] } {
  const rig = new SchedulerRig({ cpus });
  const hogs = Array.from({ length: count }, (_, i) => rig.hog(`hog${i}`));
  rig.run(95 * MS);
  assertEquals(hogs.map(({ cpu }) => cpu), new Array(count).fill(0));
  for (const hog of hogs) hog.allowed = (1 << cpus) - 1;
  return { rig, hogs, on: () => hogs.map(({ cpu }) => cpu).sort() };
}

Deno.test("an idle CPU is given a task that waits, at the next tick of the CPU where it does", () => {
  const { rig, on } = crowd(4, 4);
  rig.run(40 * MS); // four ticks
  assertEquals(on(), [0, 1, 2, 3]);
});

Deno.test("busy CPUs are balanced within 64 ms and a tick; a difference of one is none", () => {
  const { rig, hogs, on } = crowd(2, 4);
  rig.run(160 * MS);
  assertEquals(on(), [0, 0, 1, 1]);
  const before = hogs.map(({ cpu }) => cpu);
  rig.run(1_000 * MS);
  assertEquals(hogs.map(({ cpu }) => cpu), before, "and stay");
});

Deno.test("a CPU whose last task ends takes one that waits elsewhere, before it idles", () => {
  const { rig, hogs, on } = crowd(2, 3);
  rig.run(160 * MS);
  assertEquals(on().length, 3);
  const alone = hogs.find(({ cpu }) => hogs.filter((other) => other.cpu === cpu).length === 1)!;
  const { cpu } = alone;
  rig.run(5 * MS); // whoever waits has not run for longer than sched_migration_cost
  rig.kernel.kill(alone, 0, rig.kernel.cpus[1 - cpu]!);
  rig.machine.messageSignalled(cpu, 0xfd);
  rig.run(100_000);
  assert(rig.kernel.cpus[cpu]!.current !== rig.kernel.cpus[cpu]!.idle, "it does not idle");
  assertEquals(hogs.filter(({ dead }) => !dead).map((hog) => hog.cpu).sort(), [0, 1]);
});

Deno.test("a task that may not leave its CPU waits there, whoever idles", () => {
  const rig = new SchedulerRig({ cpus: 4 });
  const hogs = [rig.hog("a"), rig.hog("b")];
  rig.run(500 * MS);
  assertEquals(hogs.map(({ cpu }) => cpu), [0, 0]);
});

Deno.test("a real-time task that keeps the CPU drives the others away after half a second", () => {
  const rig = new SchedulerRig({ cpus: 2 });
  const elsewhere = rig.hog("elsewhere");
  rig.run(50 * MS);
  elsewhere.allowed = 2;
  rig.kernel.migrate(elsewhere, rig.kernel.cpus[1]!, rig.kernel.cpus[0]!);
  const fair = rig.hog("fair");
  rig.run(100 * MS);
  rig.hog("fifo", { policy: "SCHED_FIFO", priority: 1 });
  rig.run(MS);
  fair.allowed = 3;
  rig.run(400 * MS);
  assertEquals(fair.cpu, 0, "not yet: one waits here, one runs there");
  rig.run(250 * MS);
  assertEquals(fair.cpu, 1);
});
