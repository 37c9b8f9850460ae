/**
 * Who runs, and for how long: the policies of Linux 3.4's scheduler (`kernel/sched/{core,fair,rt}.c`).
 *
 * Tunables and rules are restated from there. On one CPU: sched_latency 6 ms, sched_wakeup_granularity 1 ms.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Activity, work } from "../hw/sim/activity.ts";
import { physicalCpuTimes } from "../runtime/linux/fs/proc/procfs.ts";
import { RunQueue } from "../runtime/linux/sched/runqueue.ts";
import { schedulerDefaults } from "../runtime/linux/sched/sched_tunables.ts";
import { Task } from "../runtime/linux/sched/task.ts";
import { HARDWARE_NS, KERNEL_NS, MS, SchedulerRig } from "./scheduler_rig.ts";

const FIFO = (priority: number) => ({ policy: "SCHED_FIFO", priority }) as const;
const RR = (priority: number) => ({ policy: "SCHED_RR", priority }) as const;
const LATENCY_NS = 6 * MS, WAKEUP_GRANULARITY_NS = MS;

/** From a message to the first instruction of the task that it makes run. */
const RESCHEDULE_NS = HARDWARE_NS + // the message's way
  HARDWARE_NS + // delivery
  KERNEL_NS + HARDWARE_NS + // entry, EOI
  KERNEL_NS + // the handler
  KERNEL_NS; // the switch

Deno.test("a FIFO task preempts CFS tasks at once, and the CFS task goes on where it stood", () => {
  const rig = new SchedulerRig();
  const hog = rig.worker("hog", 20 * MS);
  rig.run(5 * MS);
  const at = rig.engine.nowNs;
  rig.worker("fifo", 3 * MS, FIFO(1));
  rig.run(50 * MS);
  assertEquals(rig.log.slice(1, 2), [`${at + RESCHEDULE_NS} fifo starts`]);
  assertEquals(rig.log.map((line) => line.replace(/^\d+ /, "")), [
    "hog starts",
    "fifo starts",
    "fifo ends",
    "hog ends",
  ]);
  const spent = parseInt(rig.log[3]!) - parseInt(rig.log[0]!);
  assert(spent > 23 * MS && spent < 23 * MS + 20_000, `${spent} ns from hog's start to its end`);
  assertEquals(hog.dead, true);
});

Deno.test("FIFO tasks of equal priority run in order, each to its end; a preempted one is first again", () => {
  const rig = new SchedulerRig();
  rig.worker("a", 15 * MS, FIFO(50));
  rig.run(MS);
  rig.worker("b", 15 * MS, FIFO(50));
  rig.worker("c", MS, FIFO(50));
  rig.worker("low", MS, FIFO(49));
  rig.run(MS);
  rig.worker("high", MS, FIFO(51));
  rig.run(100 * MS);
  assertEquals(rig.log.map((line) => line.replace(/^\d+ /, "")), [
    "a starts",
    "high starts",
    "high ends",
    "a ends",
    "b starts",
    "b ends",
    "c starts",
    "c ends",
    "low starts",
    "low ends",
  ]);
});

Deno.test("a FIFO task is not preempted by an equal, not by a round-robin equal, and never by CFS", () => {
  const rig = new SchedulerRig();
  rig.hog("first", FIFO(50));
  rig.run(MS);
  rig.hog("equal", FIFO(50));
  rig.hog("round robin", RR(50));
  rig.hog("fair");
  assertEquals(rig.sample(1_000 * MS), [["first", 1_000]]);
});

Deno.test("round robin: equals take turns of 100 ms, counted in ticks; others of the CPU wait", () => {
  for (const hz of [100, 250, 1000]) {
    const rig = new SchedulerRig({ hz });
    rig.hog("a", RR(10));
    rig.run(10_000); // b comes while a runs
    rig.hog("b", RR(10));
    rig.hog("fair");
    const runs = rig.sample(1_000 * MS);
    // The first slice begins between two ticks; the last is cut off by the end of the test.
    assertEquals(runs.slice(1, -1).map(([, ms]) => ms), new Array(runs.length - 2).fill(100), `HZ = ${hz}`);
    assertEquals(runs.map(([name]) => name), runs.map((_, i) => i % 2 === 0 ? "a" : "b"));
    assert(runs[0]![1] >= 100 - 1000 / hz && runs[0]![1] <= 100, `first slice ${runs[0]![1]} ms`);
  }
});

Deno.test("a round-robin task that is preempted has the rest of its slice, not a new one", () => {
  const rig = new SchedulerRig();
  rig.hog("a", RR(10));
  rig.run(10_000);
  rig.hog("b", RR(10));
  const before = rig.sample(35 * MS);
  rig.worker("fifo", 55 * MS, FIFO(50));
  const runs = [...before, ...rig.sample(400 * MS)].filter(([name]) => name !== "fifo");
  const b = runs.findIndex(([name]) => name === "b");
  const slice = runs.slice(0, b).reduce((sum, [, ms]) => sum + ms, 0);
  // Ten ticks find it on the CPU; of two more periods it may have had a part. A new slice would make 135 ms.
  assert(slice > 80 && slice < 110, `${slice} ms before b`);
  assertEquals(runs.slice(b, b + 2), [["b", 100], ["a", 100]]);
});

Deno.test("a round-robin task alone begins a new slice every 100 ms: who comes later waits for its end", () => {
  const rig = new SchedulerRig();
  const begin = rig.tickNumber(rig.engine.nowNs);
  rig.hog("a", RR(10));
  rig.run(250 * MS);
  rig.hog("b", RR(10));
  let switched = 0;
  while (rig.kernel.cpus[0]!.current.name === "a") {
    switched = rig.tickNumber(rig.engine.nowNs) + 1;
    rig.run(MS);
  }
  assertEquals(switched - begin, 30, "the thirtieth tick");
});

Deno.test("CFS: endless loops share the CPU equally, over a second within a slice", () => {
  for (const count of [2, 3, 5]) {
    const rig = new SchedulerRig({ hz: 1000 });
    const tasks = Array.from({ length: count }, (_, i) => rig.hog(`hog${i}`));
    rig.run(100 * MS); // new tasks begin with a debit
    const before = tasks.map(({ cpuTimeNs }) => cpuTimeNs);
    rig.run(1_000 * MS);
    const times = tasks.map(({ cpuTimeNs }, i) => cpuTimeNs - before[i]!);
    const spread = Math.max(...times) - Math.min(...times);
    // A slice ends at the first tick behind its end; a task may be one ahead at the beginning and one behind at the end.
    assert(spread <= 2 * (LATENCY_NS / count + MS), `${count} tasks: ${times} ns`);
  }
});

Deno.test("a sleeper that wakes preempts an endless loop", () => {
  const rig = new SchedulerRig();
  rig.hog("hog");
  const lateness: number[] = [];
  rig.start("sleeper", function* (task): Activity<number> {
    const timer = rig.kernel.sleepTimer(task);
    for (let i = 0; i < 30; i++) {
      const expiresNs = rig.engine.nowNs + 13_377_000;
      yield* rig.kernel.sleepUntil(task, timer, expiresNs);
      lateness.push(rig.engine.nowNs - expiresNs);
    }
    return 0;
  });
  rig.run(1_000 * MS);
  assertEquals(lateness.length, 30);
  // Delivery, entry, EOI, the timer's function, the next timer, the switch; a tick may come just before.
  for (const late of lateness) assert(late >= 0 && late < 3_000, `${late} ns late`);
});

Deno.test("a waking task preempts when it is more than the wake-up granularity behind, else it waits for a tick", () => {
  for (
    const [behindNs, preempts] of [[WAKEUP_GRANULARITY_NS - 50_000, false], [
      WAKEUP_GRANULARITY_NS + 50_000,
      true,
    ]]
  ) {
    const rig = new SchedulerRig();
    const hog = rig.hog("hog");
    let late = 0, expiresNs = 0;
    const sleeper = rig.start("sleeper", function* (task): Activity<number> {
      expiresNs = (rig.tickNumber(rig.engine.nowNs) + 5) * 10 * MS + rig.kernel.tickPhaseNs + 3 * MS;
      yield* rig.kernel.sleepUntil(task, rig.kernel.sleepTimer(task), expiresNs);
      late = rig.engine.nowNs - expiresNs;
      return 0;
    });
    rig.run(30 * MS);
    rig.engine.runUntil(expiresNs - 10_000);
    // What hog's virtual time will be at the wake-up, less `behindNs`.
    sleeper.vruntimeNs = hog.vruntimeNs + (expiresNs - hog.execStartNs) - (behindNs as number);
    rig.run(50 * MS);
    assertEquals(late < 10_000, preempts);
    assert(late >= 0 && (preempts || late >= 7 * MS), `${late} ns late`);
  }
});

Deno.test("exactly the wake-up granularity behind is not enough; real-time preempts by priority; idle yields always", () => {
  const queue = new RunQueue({
    latencyNs: LATENCY_NS,
    minGranularityNs: 750_000,
    wakeupGranularityNs: MS,
    migrationCostNs: MS / 2,
  });
  const task = (vruntimeNs: number, rtPriority = 0) => {
    const made = new Task(
      1,
      "task",
      0,
      1,
      (function* (): Activity {
        yield work("never", 0, 0);
      })(),
    );
    made.vruntimeNs = vruntimeNs;
    made.rtPriority = rtPriority;
    return made;
  };
  const idle = task(0), running = task(5 * MS);
  assertEquals([4 * MS, 4 * MS - 1, 6 * MS].map((v) => queue.preempts(task(v), running, idle)), [
    false,
    true,
    false,
  ]);
  const realTime = task(0, 50);
  assertEquals([49, 50, 51].map((p) => queue.preempts(task(0, p), realTime, idle)), [false, false, true]);
  assertEquals(queue.preempts(task(0), realTime, idle), false);
  assertEquals(queue.preempts(task(9 * MS), idle, idle), true);
});

Deno.test("the defaults of the tunables grow with 1 + log2(CPUs), from 8 CPUs on no more", () => {
  // SCHED_TUNABLESCALING_LOG, kernel/sched/fair.c.
  for (const [cpus, factor] of [[1, 1], [2, 2], [3, 2], [4, 3], [8, 4], [32, 4]] as const) {
    assertEquals(schedulerDefaults(cpus), {
      latencyNs: 6 * MS * factor,
      minGranularityNs: 750_000 * factor,
      wakeupGranularityNs: MS * factor,
      migrationCostNs: MS / 2, // does not scale
    });
  }
});

Deno.test("a new CFS task waits for a slice before it runs for the first time", () => {
  const rig = new SchedulerRig({ hz: 1000 });
  rig.hog("hog");
  rig.run(20 * MS);
  const at = rig.engine.nowNs;
  rig.worker("new", 100_000);
  rig.run(30 * MS);
  const waited = parseInt(rig.log[0]!) - at;
  // START_DEBIT: half the latency behind, of two tasks; the choice is made at ticks, after the slice that runs.
  assert(waited >= LATENCY_NS / 2, `waited ${waited} ns`);
  assert(waited <= LATENCY_NS + 2 * MS, `waited ${waited} ns`);
});

Deno.test("what tasks and the idle task are booked adds up to the time that passes", () => {
  const rig = new SchedulerRig();
  const queue = rig.kernel.cpus[0]!.runQueue;
  const tasks = [rig.hog("a"), rig.hog("b"), rig.hog("rr", RR(1))];
  const fifo = rig.worker("fifo", 100 * MS, FIFO(2));
  const begin = rig.engine.nowNs;
  rig.run(777 * MS);
  const current = rig.kernel.cpus[0]!.current;
  queue.account(current, rig.engine.nowNs);
  const booked = [...tasks, fifo].reduce((sum, { cpuTimeNs }) => sum + cpuTimeNs, 0);
  // Before the first switch, only.
  const missing = rig.engine.nowNs - begin - booked;
  assert(missing >= 0 && missing < 3_000, `${missing} ns missing`);
  assertEquals(queue.busyNs, booked);
  assert(Math.abs(fifo.cpuTimeNs - 100 * MS) < 50_000);
});

Deno.test("a busy CPU takes one tick a period: the local timer's count is the grid's", () => {
  for (const hz of [100, 250, 1000]) {
    const rig = new SchedulerRig({ hz });
    rig.hog("hog");
    rig.run(25 * MS);
    const before = rig.kernel.cpus[0]!.localTimerInterrupts, from = rig.tickNumber(rig.engine.nowNs);
    rig.run(1_000 * MS);
    assertEquals(rig.kernel.cpus[0]!.localTimerInterrupts - before, rig.tickNumber(rig.engine.nowNs) - from);
    assertEquals(rig.tickNumber(rig.engine.nowNs) - from, hz);
  }
});

Deno.test("a tick that is booked counts as one that is simulated, whenever somebody looks", () => {
  const simulated = new SchedulerRig(), booked = new SchedulerRig({ booksSteadyCpus: true });
  const counts = (rig: SchedulerRig) => {
    rig.kernel.settle();
    const cpu = rig.kernel.cpus[0]!;
    return [cpu.localTimerInterrupts, cpu.tick.expiresNs, cpu.current.name];
  };
  for (const rig of [simulated, booked]) rig.hog("hog");
  for (const ns of [33_333_333, 1, 10 * MS, 9 * MS, 777_777_777, 3_000 * MS]) {
    for (const rig of [simulated, booked]) rig.run(ns);
    assertEquals(counts(booked), counts(simulated), `at ${booked.engine.nowNs} ns`);
  }
  assert(booked.engine.event * 10 < simulated.engine.event, "and that is the point of it");
  const [a, b] = [simulated, booked].map(({ kernel }) => {
    const { current, runQueue } = kernel.cpus[0]!;
    runQueue.account(current, kernel.nowNs);
    return current.cpuTimeNs;
  });
  assertEquals(a, b);
});

Deno.test("a CPU whose ticks are booked wakes for everybody: at once for FIFO, and shares with whoever stays", () => {
  const [simulated, booked] = [false, true].map((booksSteadyCpus) => {
    const rig = new SchedulerRig({ booksSteadyCpus });
    rig.hog("hog");
    rig.run(512_345_678);
    const at = rig.engine.nowNs;
    rig.worker("fifo", 500_000, FIFO(1));
    rig.run(100 * MS);
    // The way out of the interrupt programs the timer, which stands still while ticks are booked.
    assertEquals(parseInt(rig.log[0]!) - at, RESCHEDULE_NS + (booksSteadyCpus ? HARDWARE_NS : 0));
    rig.hog("second");
    const runs = rig.sample(300 * MS);
    rig.kernel.settle();
    return { runs, count: rig.kernel.cpus[0]!.localTimerInterrupts };
  });
  assertEquals(booked, simulated);
  assertEquals(new Set(booked!.runs.map(([name]) => name)), new Set(["hog", "second"]));
});

Deno.test("an idle CPU's interrupts are booked: as many as simulated ones, and their time", () => {
  const background = {
    irqOff: { rate: 400, mean: 1_000 },
    preemptOff: { rate: 100, mean: 3_000 },
    heavy: { rate: 0, scale: 1, shape: 0.5, cap: 1 },
    kworker: { rate: 0, mean: 1 },
    slowHandler: { share: 0, mean: 1 },
  };
  const rigs = [false, true].map((booksSteadyCpus) => new SchedulerRig({ booksSteadyCpus, background }));
  const [simulated, booked] = rigs as [SchedulerRig, SchedulerRig];
  const times = (rig: SchedulerRig) => {
    rig.kernel.settle();
    const { userNs, systemNs } = physicalCpuTimes(rig.machine)(rig.kernel.cpus[0]!);
    return { count: rig.kernel.cpus[0]!.localTimerInterrupts, userNs, systemNs };
  };
  const at = rigs.map(times);
  for (const ns of [100 * MS, 333 * MS, 2_000 * MS]) {
    for (const rig of rigs) rig.run(ns);
    // Arrivals that come within one handler are one interrupt.
    const [a, b] = rigs.map((rig, i) => times(rig).count - at[i]!.count) as [number, number];
    assert(a <= b && b <= 1.01 * a, `${a} simulated, ${b} booked at ${booked.engine.nowNs} ns`);
  }
  assert(booked.engine.event * 10 < simulated.engine.event, "and that is the point of it");
  const [a, b] = rigs.map((rig, i) => times(rig).systemNs - at[i]!.systemNs) as [number, number];
  assert(Math.abs(a / b - 1) < 0.3, `${a} ns simulated, ${b} ns booked`);
  assertEquals(times(booked).userNs, 0);
});

Deno.test("an idle CPU whose interrupts are booked wakes as another does, and programs its timer again", () => {
  const [simulated, booked] = [false, true].map((booksSteadyCpus) => {
    const rig = new SchedulerRig({ booksSteadyCpus });
    rig.run(2_512_345_678); // the idle CPU's tick comes once a second
    assertEquals(rig.kernel.cpus[0]!.steady.on, booksSteadyCpus);
    const at = rig.engine.nowNs;
    rig.worker("fifo", 500_000, FIFO(1));
    rig.run(10 * MS);
    return rig.log.map((line) => parseInt(line) - at - (booksSteadyCpus ? HARDWARE_NS : 0));
  });
  assertEquals(booked, simulated);
});

Deno.test("a round-robin task whose ticks were booked has used as much of its slice", () => {
  const [simulated, booked] = [false, true].map((booksSteadyCpus) => {
    const rig = new SchedulerRig({ booksSteadyCpus });
    rig.hog("a", RR(10));
    rig.run(250 * MS);
    rig.hog("b", RR(10));
    return rig.sample(300 * MS);
  });
  assertEquals(booked, simulated);
});
