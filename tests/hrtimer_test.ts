/**
 * High-resolution timers: their order, the local APIC's resolution, and sleeps that never end early.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Activity, work } from "../hw/sim/activity.ts";
import { HrTimer, HrTimerBase } from "../runtime/linux/hrtimer.ts";
import { MS, SchedulerRig } from "./scheduler_rig.ts";

const step = work("callback", 1, 0);

/** Timers that write their names down. */
function recorder(): { fired: string[]; timer: (name: string) => HrTimer } {
  const fired: string[] = [];
  return { fired, timer: (name) => new HrTimer(name, step, () => fired.push(name)) };
}

function expire(base: HrTimerBase, nowNs: number): string[] {
  const names: string[] = [];
  for (let timer = base.takeExpired(nowNs); timer !== null; timer = base.takeExpired(nowNs)) {
    names.push(timer.name);
  }
  return names;
}

Deno.test("timers of equal expiry expire in the order started; one started again is behind its equals", () => {
  const base = new HrTimerBase();
  const { timer } = recorder();
  const [a, b, c, d] = [timer("a"), timer("b"), timer("c"), timer("d")] as const;
  for (const one of [c, a, b]) base.start(one, 100);
  base.start(d, 99);
  base.start(c, 100);
  assertEquals(base.first, d);
  assertEquals(expire(base, 98), []);
  assertEquals(expire(base, 100), ["d", "a", "b", "c"]);
  assertEquals([a.base, base.first], [null, undefined]);
});

Deno.test("a timer that is cancelled does not expire; one that is started on another base leaves its old one", () => {
  const base = new HrTimerBase(), other = new HrTimerBase();
  const { timer } = recorder();
  const [a, b, c] = [timer("a"), timer("b"), timer("c")] as const;
  for (const one of [a, b, c]) base.start(one, 10);
  base.cancel(b);
  base.cancel(b);
  other.cancel(a);
  other.start(c, 10);
  assertEquals([expire(base, 10), expire(other, 10)], [["a"], ["c"]]);
});

Deno.test("random starts and cancels: the order is that of a sort by expiry and sequence", () => {
  const seed = 42;
  let state = seed;
  const draw = (below: number) => (state = (state * 48_271) % 0x7fff_ffff) % below;
  const base = new HrTimerBase();
  const { timer } = recorder();
  const timers = Array.from({ length: 20 }, (_, i) => timer(`t${i}`));
  let queued: { name: string; expiresNs: number; sequence: number }[] = [];
  for (let turn = 0; turn < 5_000; turn++) {
    const one = timers[draw(timers.length)]!;
    queued = queued.filter(({ name }) => name !== one.name);
    if (draw(4) === 0) base.cancel(one);
    else {
      const expiresNs = draw(30);
      base.start(one, expiresNs);
      queued.push({ name: one.name, expiresNs, sequence: turn });
    }
    queued.sort((a, b) => a.expiresNs - b.expiresNs || a.sequence - b.sequence);
    assertEquals(
      base.timers().map(({ name }) => name),
      queued.map(({ name }) => name),
      `seed ${seed}, turn ${turn}`,
    );
  }
});

Deno.test("callbacks of equal expiry run in order out of one interrupt", () => {
  const rig = new SchedulerRig();
  const { fired, timer } = recorder();
  const cpu = rig.kernel.cpus[0]!;
  const before = { interrupts: 0 };
  rig.start("starter", function* (): Activity<number> {
    const expiresNs = rig.engine.nowNs + 500_000;
    for (const name of ["first", "second", "third"]) cpu.hrtimers.start(timer(name), expiresNs);
    yield cpu.programTimer();
    before.interrupts = cpu.localTimerInterrupts;
    return 0;
  });
  rig.run(600_000);
  assertEquals(fired, ["first", "second", "third"]);
  assertEquals(cpu.localTimerInterrupts - before.interrupts, 1);
});

Deno.test("the local APIC's timer counts in 16 bus clocks, rounded down; the shortest is one count", () => {
  // 100 MHz divided by 16 (TDCR 0x3): a count of 160 ns; clockevents_program_event() truncates.
  const rig = new SchedulerRig();
  const cpu = rig.kernel.cpus[0]!, { timer } = rig.machine.cpus[0]!.apic;
  const counts: [delta: number, count: number][] = [];
  rig.start("starter", function* (): Activity<number> {
    const one = new HrTimer("one", step, () => {});
    for (const delta of [1, 159, 160, 161, 319, 320, 1_000, 123_456, 999_999]) {
      cpu.hrtimers.start(one, rig.engine.nowNs + delta);
      yield cpu.programTimer();
      counts.push([delta, timer.initialCount]);
      cpu.hrtimers.cancel(one);
    }
    return 0;
  });
  rig.run(100_000);
  assertEquals(timer.divideConfiguration, 0x3);
  assertEquals(counts, counts.map(([delta]) => [delta, Math.max(1, Math.floor(delta / 160))]));
  assertEquals(counts.length, 9);
});

Deno.test("a sleep never ends before its time, however near that is and whatever the costs", () => {
  for (const [hardwareNs, kernelNs] of [[100, 200], [1, 1], [2_000, 50], [0, 0]] as const) {
    const rig = new SchedulerRig({ hardwareNs, kernelNs });
    let state = 1 + hardwareNs;
    const draw = (below: number) => (state = (state * 48_271) % 0x7fff_ffff) % below;
    let sleeps = 0;
    const sleeper = function* (task: Parameters<Parameters<SchedulerRig["start"]>[1]>[0]): Activity<number> {
      const timer = rig.kernel.sleepTimer(task);
      for (let i = 0; i < 2_000; i++) {
        const expiresNs = rig.engine.nowNs + 1 + draw([500, 5_000, 50_000][draw(3)]!);
        yield* rig.kernel.sleepUntil(task, timer, expiresNs);
        const early = expiresNs - rig.engine.nowNs;
        assert(early <= 0, `${early} ns early, costs ${hardwareNs} and ${kernelNs}, sleep ${i}`);
        assertEquals(timer.base, null);
        sleeps++;
      }
      return 0;
    };
    rig.start("fifo", sleeper, { policy: "SCHED_FIFO", priority: 1 });
    rig.start("fair", sleeper);
    rig.run(1_000 * MS);
    assertEquals(sleeps, 4_000);
  }
});

Deno.test("a sleep until a time that has passed returns at once, without a timer", () => {
  const rig = new SchedulerRig();
  const cpu = rig.kernel.cpus[0]!;
  let took = -1, switches = -1;
  rig.start("sleeper", function* (task): Activity<number> {
    const timer = rig.kernel.sleepTimer(task), from = rig.engine.nowNs, before = cpu.contextSwitches;
    yield* rig.kernel.sleepUntil(task, timer, from);
    took = rig.engine.nowNs - from;
    switches = cpu.contextSwitches - before;
    return 0;
  });
  rig.run(MS);
  assertEquals([took, switches], [200, 0]); // the system call alone
});
