/**
 * The engine: order of alarms, and that single steps, a run and a watched run are one and the same.
 *
 * The order is compared with a plain sort, and the arithmetic of the random tests has a generator of its own.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { HLT, work, WRMSR } from "../hw/sim/activity.ts";
import { type Alarm, Engine, NEVER } from "../hw/sim/engine.ts";
import type { StateHash } from "../hw/sim/state_hash.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { CpuRig, Handlers, msr } from "./cpu_rig.ts";

/** Alarms that write their names down. */
function recorder(engine: Engine): { fired: string[]; alarm: (name: string, priority?: number) => Alarm } {
  const fired: string[] = [];
  return { fired, alarm: (name, priority) => engine.alarm(name, () => fired.push(name), priority) };
}

/** A generator of its own for random tests: Lehmer's, modulus 2^31 - 1 (Park and Miller, 1988). */
function lehmer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 48_271) % 0x7fff_ffff) % below;
}

Deno.test("equal times fire in the order armed", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  const [a, b, c, d] = [alarm("a"), alarm("b"), alarm("c"), alarm("d")] as const;
  c.at(10);
  a.at(10);
  d.at(5);
  b.at(10);
  engine.runUntil(10);
  assertEquals(fired, ["d", "c", "a", "b"]);
});

Deno.test("an alarm armed for now by a handler fires now, behind all that are due now", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  const late = alarm("armed by the handler"), second = alarm("second");
  engine.alarm("first", () => late.at(engine.nowNs)).at(10);
  second.at(10);
  engine.runUntil(10);
  assertEquals(fired, ["second", "armed by the handler"]);
});

Deno.test("of equal times the lower priority number goes first, then the order armed", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  const rows = [["p0 first", 0], ["p1", 1], ["p-1", -1], ["p0 second", 0], ["earlier, p9", 9]] as const;
  for (const [name, priority] of rows) alarm(name, priority).at(name.startsWith("earlier") ? 9 : 10);
  engine.runUntil(10);
  assertEquals(fired, ["earlier, p9", "p-1", "p0 first", "p0 second", "p1"]);
});

Deno.test("arming again moves an alarm, also behind its equals; it fires once", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  const a = alarm("a"), b = alarm("b");
  a.at(10);
  b.at(10);
  a.at(10);
  engine.runUntil(10);
  assertEquals(fired, ["b", "a"]);
  a.at(20);
  a.at(15);
  assertEquals(engine.nextNs, 15);
  engine.runUntil(100);
  assertEquals(fired, ["b", "a", "a"]);
});

Deno.test("a cancelled alarm does not fire and can be armed again; cancelling it twice is nothing", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  const a = alarm("a"), b = alarm("b");
  a.at(10);
  b.at(20);
  a.cancel();
  a.cancel();
  assertEquals([a.armed, a.timeNs, b.armed], [false, NEVER, true]);
  engine.runUntil(15);
  assertEquals(fired, []);
  a.at(20);
  engine.runUntil(20);
  assertEquals(fired, ["b", "a"]);
  assertEquals([a.armed, b.armed], [false, false]);
});

Deno.test("arming in the past throws and leaves the alarm as it was", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  const a = alarm("a");
  engine.runUntil(100);
  assertThrows(() => a.at(99), RangeError, 'Cannot arm alarm "a" for 99 ns: it is 100 ns already');
  assertThrows(() => a.at(NaN), RangeError);
  assertEquals(a.armed, false);
  a.at(200);
  assertThrows(() => a.at(99), RangeError);
  assertEquals(a.timeNs, 200);
  engine.runUntil(300);
  assertEquals(fired, ["a"]);
});

Deno.test("runUntil includes what is due at that very time, and sets the time", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  alarm("at").at(50);
  alarm("after").at(51);
  engine.runUntil(50);
  assertEquals([fired, engine.nowNs, engine.event], [["at"], 50, 1]);
  engine.runUntil(50);
  assertEquals(fired, ["at"]);
  engine.runUntil(1000);
  assertEquals([fired, engine.nowNs, engine.event], [["at", "after"], 1000, 2]);
});

Deno.test("step is one event; with nothing pending it says so and the time stands still", () => {
  const engine = new Engine(1);
  recorder(engine).alarm("a").at(7);
  assertEquals([engine.step(), engine.nowNs, engine.event], [true, 7, 1]);
  assertEquals([engine.step(), engine.nowNs, engine.event], [false, 7, 1]);
});

Deno.test("stop ends a run with the event that is happening; what is due later stays pending", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  engine.alarm("stop", () => engine.stop()).at(10);
  alarm("same time").at(10);
  assertEquals(engine.run(100), true);
  assertEquals([fired, engine.nowNs], [[], 10]);
  assertEquals(engine.run(100), false);
  assertEquals(fired, ["same time"]);
});

Deno.test("a run without an end ends when nothing is pending", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  alarm("last").at(10);
  assertEquals(engine.run(Infinity), false);
  assertEquals([fired, engine.nowNs], [["last"], 10]);
});

Deno.test("a run without an end never passes to the end of time, whatever loops endlessly", () => {
  const engine = new Engine(1);
  let passed = true;
  engine.alarm("loop", () => passed = engine.pass(Infinity)).at(10);
  engine.run(Infinity);
  assertEquals([passed, engine.nowNs], [false, 10]);
});

Deno.test("passing without the queue is for what nothing comes before, inside of a run", () => {
  const engine = new Engine(1);
  const answers: boolean[] = [];
  const other = engine.alarm("other", () => {});
  engine.alarm("passing", () => {
    other.at(30);
    answers.push(engine.pass(19), engine.pass(1)); // at 30 the other one was first
    other.cancel();
    answers.push(engine.pass(71), engine.pass(1));
  }).at(10);
  engine.run(100);
  assertEquals(answers, [true, false, true, false]);
  assertEquals([engine.nowNs, engine.event], [100, 3]);
  assertEquals(engine.pass(100), false, "outside of a run");
});

/** Two processors with work, masks, timers, interrupts between them and a wake-up from HLT. */
function smallMachine(): CpuRig {
  const rig = new CpuRig({
    path: { warmShare: 0.3, warmFloor: 0.6, typicalSpread: 0.05, coldExcess: 0, coldSpread: 0, coldBytes: 1 },
  });
  const [first, second] = [rig.machine.cpus[0]!, rig.machine.cpus[1]!];
  const short = work("short", 1, 333), long = work("long", 2, 4_100), masked = work("masked", 1, 700);
  const write = (cpu: typeof first, register: number, value: number) => {
    cpu.registers.address = register;
    cpu.registers.value = value;
    return WRMSR;
  };
  for (const cpu of [first, second]) {
    const handlers = new Handlers();
    handlers.interrupts.set(0x50, function* () {
      yield long;
      yield write(cpu, msr(0x0b0), 0);
    });
    handlers.interrupts.set(0x40, function* () {
      yield short;
      yield write(cpu, msr(0x0b0), 0);
      yield write(cpu, msr(0x300), (1 - cpu.id) * 2 ** 32 + 0x50);
    });
    rig.start(function* () {
      yield write(cpu, msr(0x320), 0x2_0000 + 0x40); // periodic
      yield write(cpu, msr(0x3e0), 0xb);
      yield write(cpu, msr(0x380), cpu.id === 0 ? 397 : 1_009);
      for (let i = 0; i < 40; i++) {
        yield long;
        cpu.registers.interruptFlag = false;
        yield masked;
        cpu.registers.interruptFlag = true;
        yield HLT;
      }
    }, { cpu, handlers });
  }
  return rig;
}

Deno.test("event by event, in one run and while watched: the same states after as many events", () => {
  const endNs = 400_000;
  const ran = smallMachine();
  ran.engine.runUntil(endNs);

  const stepped = smallMachine();
  let hashBefore = "";
  while (stepped.engine.nextNs <= endNs) {
    stepped.engine.step();
    const hash = stepped.engine.stateHash();
    assertNotEquals(hash, hashBefore);
    hashBefore = hash;
  }
  stepped.engine.runUntil(endNs);

  const watched = smallMachine();
  watched.engine.trace = new TraceLog();
  watched.engine.runUntil(endNs);

  const piecewise = smallMachine();
  for (let timeNs = 0; timeNs < endNs; timeNs += 137) piecewise.engine.runUntil(timeNs);
  piecewise.engine.runUntil(endNs);

  for (const { engine } of [stepped, watched, piecewise]) {
    assertEquals(engine.partHashes(), ran.engine.partHashes());
    assertEquals([engine.event, engine.stateHash()], [ran.engine.event, ran.engine.stateHash()]);
  }
  assertEquals(ran.engine.event > 500, true, `only ${ran.engine.event} events`);
});

Deno.test("looking at the state changes nothing", () => {
  const looked = smallMachine(), not = smallMachine();
  for (let timeNs = 0; timeNs < 100_000; timeNs += 1_301) {
    looked.engine.runUntil(timeNs);
    not.engine.runUntil(timeNs);
    for (const cpu of looked.machine.cpus) cpu.settleTime();
    looked.engine.stateHash();
    assertEquals(looked.engine.stateHash(), not.engine.stateHash());
  }
});

Deno.test("a free choice takes the first, unless a record is followed; one possibility is no choice", () => {
  const engine = new Engine(1);
  assertEquals([engine.choose(3, "who"), engine.choose(1, "only")], [0, 0]);
  const record = [2, 0, 1], asked: string[] = [];
  engine.chooser = (count, label) => {
    asked.push(`${label} of ${count}`);
    return record.shift()!;
  };
  const followed = [
    engine.choose(3, "a"),
    engine.choose(2, "b"),
    engine.choose(1, "no choice"),
    engine.choose(4, "c"),
  ];
  assertEquals(followed, [2, 0, 0, 1]);
  assertEquals(asked, ["a of 3", "b of 2", "c of 4"]);
});

Deno.test("more alarms may be pending than the queue begins with", () => {
  const engine = new Engine(1);
  const { fired, alarm } = recorder(engine);
  const names = Array.from({ length: 1000 }, (_, i) => `a${i}`);
  for (const [i, name] of names.entries()) alarm(name, i % 3).at(500 - Math.floor(i / 2));
  assertEquals(engine.pending().length, 1000);
  engine.runUntil(1000);
  const expected = names.map((name, i) => ({ name, i, time: 500 - Math.floor(i / 2), priority: i % 3 }))
    .sort((a, b) => a.time - b.time || a.priority - b.priority || a.i - b.i).map(({ name }) => name);
  assertEquals(fired, expected);
});

Deno.test("thousands of random arms and cancels: the order is that of a sort by time, priority, sequence", () => {
  const seed = 20_121_107;
  const draw = lehmer(seed);
  const engine = new Engine(seed);
  interface Armed {
    readonly alarm: number;
    readonly time: number;
    readonly priority: number;
    readonly sequence: number;
  }
  let armed: Armed[] = [];
  let sequence = 0;
  const fired: number[] = [], expected: number[] = [];
  const priorities = Array.from({ length: 150 }, () => draw(3) - 1);
  const alarms = priorities.map((priority, i) => engine.alarm(`a${i}`, () => fired.push(i), priority));
  for (let turn = 0; turn < 20_000; turn++) {
    const i = draw(alarms.length);
    switch (draw(5)) {
      case 0:
        alarms[i]!.cancel();
        armed = armed.filter(({ alarm }) => alarm !== i);
        break;
      case 1: {
        const next = [...armed].sort((a, b) =>
          a.time - b.time || a.priority - b.priority || a.sequence - b.sequence
        )[0];
        assertEquals(engine.step(), next !== undefined, `seed ${seed}, turn ${turn}`);
        if (next === undefined) break;
        expected.push(next.alarm);
        armed = armed.filter((one) => one !== next);
        assertEquals(engine.nowNs, next.time);
        break;
      }
      default: {
        const time = engine.nowNs + draw(12); // few different times: many ties
        alarms[i]!.at(time);
        armed = armed.filter(({ alarm }) => alarm !== i);
        armed.push({ alarm: i, time, priority: priorities[i]!, sequence: sequence++ });
      }
    }
  }
  assertEquals(fired, expected, `seed ${seed}`);
  assertEquals(fired.length > 3_000, true);
});

Deno.test("what has been unregistered is part of the state no more", () => {
  const engine = new Engine(1);
  const part = (value: number) => ({ hashInto: (hash: StateHash) => void hash.number(value) });
  const before = engine.stateHash();
  const [a, b, c] = [part(1), part(2), part(3)];
  engine.register("a", a);
  engine.register("same name", b);
  const two = engine.stateHash();
  engine.register("same name", c);
  assert(engine.stateHash() !== two);
  engine.unregister(c);
  assertEquals(engine.stateHash(), two);
  engine.unregister(b, a);
  assertEquals(engine.stateHash(), before);
});

Deno.test("an alarm that has been released makes room for the next one, and for no third", () => {
  const engine = new Engine(1);
  const fired: string[] = [];
  const make = (name: string) => engine.alarm(name, () => void fired.push(name));
  const [first, second] = [make("first"), make("second")];
  first.at(10);
  second.at(20);
  engine.release(first);
  assertEquals(engine.alarms, 1);
  const [third, fourth] = [make("third"), make("fourth")];
  fourth.at(20); // behind the second: the order of arming, whatever number an alarm has
  third.at(20);
  assertEquals(engine.alarms, 3);
  engine.runUntil(30);
  assertEquals(fired, ["second", "fourth", "third"]);
});

Deno.test("what a pending alarm will act on is part of the state, and no longer than it is armed", () => {
  const hashOf = (payload: number, armed: boolean) => {
    const engine = new Engine(1);
    const alarm = engine.alarm("message", () => {}, 0, { hashInto: (hash) => void hash.word(payload) });
    if (armed) alarm.at(10);
    return engine.stateHash();
  };
  assertNotEquals(hashOf(1, true), hashOf(2, true));
  assertEquals(hashOf(1, false), hashOf(2, false));
});
