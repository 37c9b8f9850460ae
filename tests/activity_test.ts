/**
 * How a processor runs activities: work that is suspended, instructions that are not, masks, stacks, path factors.
 *
 * Times are sums of the costs in `cpu_rig.ts`, spelled out.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Activity, contextSwitch, endless, HLT, Routine, type Step, work } from "../hw/sim/activity.ts";
import { Context } from "../hw/register_file.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { COST, CpuRig, Handlers, IPI_LATENCY_NS, msr } from "./cpu_rig.ts";

const DELIVERY = COST.interruptDelivery, MSR = COST.msrAccess, C1 = COST.c1Exit;
/** Own layers; 0 is the hardware's. */
const PROGRAM = 1, HANDLER = 2, OTHER = 3;

const thousand = work("work", PROGRAM, 1000);
const handlerWork = work("handler", HANDLER, 500);

Deno.test("an interrupt suspends work in the middle; the rest is done later and no time is lost", () => {
  const rig = new CpuRig();
  rig.handle(0x40, handlerWork);
  rig.start(function* () {
    yield thousand;
    rig.note("work done");
  });
  rig.interruptAt(300, 0x40);
  rig.engine.runUntil(10_000);
  assertEquals(rig.log, [
    `${300 + DELIVERY} 0x40 begins`,
    `${300 + DELIVERY + 500 + MSR} 0x40 ends`,
    `${1000 + DELIVERY + 500 + MSR} work done`,
  ]);
});

const topHalf = work("top half", OTHER, 200);

/** A handler that says how it begins: work, its EOI, a top half. */
class Known extends Routine {
  #at = 0;

  override entry = handlerWork;
  override top = topHalf;

  constructor(readonly rig: CpuRig) {
    super();
  }

  override skipHead(): void {
    this.#at = 3;
    this.rig.eoi();
  }

  override next(): Step | null {
    const { rig } = this;
    const at = this.#at++;
    if (at < 3) return [handlerWork, rig.eoi(), topHalf][at]!;
    rig.note("top half done");
    return null;
  }
}

Deno.test("a handler that says how it begins ends when the sum of its steps says, whatever is due meanwhile", () => {
  const headNs = DELIVERY + 500 + MSR + 200;
  /** An interrupt at 300, and something else that happens at `alarmNs`; with or without strides. */
  const run = (alarmNs: number, stepped: boolean) => {
    const rig = new CpuRig();
    rig.handlers.interrupts.set(0x40, () => new Known(rig));
    rig.handle(0x31);
    rig.start(function* () {
      yield thousand;
      rig.note("work done");
    });
    rig.interruptAt(300, 0x40);
    rig.at(alarmNs, () => rig.cpu.apic.accept(0x31) && rig.cpu.signal());
    if (stepped) { while (rig.engine.nextNs <= 10_000) rig.engine.step(); }
    else rig.engine.runUntil(10_000);
    const { log, engine, cpu } = rig;
    return {
      log,
      event: engine.event,
      layers: [...cpu.layerNs],
      inService: cpu.apic.inService,
      cpu: engine.partHashes(),
    };
  };
  // Before the interrupt, in its delivery, its entry, its EOI, its top half, at its end, and behind it.
  for (const sinceNs of [-1, 1, DELIVERY + 1, DELIVERY + 501, headNs - 1, headNs, headNs + 1]) {
    const free = run(300 + sinceNs, false);
    const later = sinceNs < 0 ? DELIVERY + MSR + sinceNs : 0; // the other interrupt's handler comes first
    assertEquals(free.log.includes(`${300 + later + headNs} top half done`), true, free.log.join());
    assertEquals(free.log.at(-1), `${1000 + headNs + DELIVERY + MSR} work done`);
    assertEquals(free.inService, false);
    assertEquals(run(300 + sinceNs, true), free);
  }
});

Deno.test("work suspended many times takes its own time and the handlers', to the nanosecond", () => {
  const rig = new CpuRig();
  rig.handle(0x40, handlerWork);
  rig.start(function* () {
    yield work("long", PROGRAM, 100_000);
    rig.note("done");
  });
  for (let i = 0; i < 37; i++) rig.interruptAt(1 + i * 1_009, 0x40);
  rig.engine.runUntil(1_000_000);
  assertEquals(rig.log.at(-1), `${100_000 + 37 * (DELIVERY + 500 + MSR)} done`);
});

Deno.test("an interrupt at the very end of work comes before what follows", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.interruptAt(1000, 0x40); // armed before the work, hence first of the two
  rig.start(function* () {
    yield thousand;
    rig.note("work done");
  });
  rig.engine.runUntil(10_000);
  assertEquals(rig.log.map((line) => line.replace(/^\d+ /, "")), ["0x40 begins", "0x40 ends", "work done"]);
});

Deno.test("an instruction is not interrupted: the handler waits for its end", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.start(function* (registers) {
    yield thousand;
    const version = yield registers.rdmsr(msr(0x030));
    rig.note(`version 0x${(version & 0xff).toString(16)}`);
  });
  rig.interruptAt(1001, 0x40);
  rig.engine.runUntil(10_000);
  // The instruction is complete, its result is there after the handler.
  assertEquals(rig.log, [
    `${1000 + MSR + DELIVERY} 0x40 begins`,
    `${1000 + MSR + DELIVERY + MSR} 0x40 ends`,
    `${1000 + MSR + DELIVERY + MSR} version 0x15`,
  ]);
});

Deno.test("calls run on the caller's stack, nest, and give their numbers back; a handler comes on top", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  function* inner(): Activity<number> {
    yield thousand;
    rig.note(`inner, depth ${rig.cpu.registers.context.depth}`);
    return 42;
  }
  function* outer(): Activity<number> {
    const { registers } = rig.cpu;
    const answer = yield registers.call(inner());
    rig.note(`outer, depth ${registers.context.depth}`);
    return answer + 1;
  }
  rig.start(function* (registers) {
    const answer = yield registers.call(outer());
    rig.note(`${answer}, depth ${registers.context.depth}`);
    const none = yield registers.call((function* (): Activity {})());
    rig.note(`nothing is ${none}`);
  });
  rig.interruptAt(300, 0x40);
  rig.engine.runUntil(20_000);
  const end = 1000 + DELIVERY + MSR;
  assertEquals(rig.log, [
    `${300 + DELIVERY} 0x40 begins`,
    `${300 + DELIVERY + MSR} 0x40 ends`,
    `${end} inner, depth 2`,
    `${end} outer, depth 1`,
    `${end} 43, depth 0`,
    `${end} nothing is 0`,
  ]);
});

Deno.test("a switch leaves either context where it stands: in the middle of work, inside of its handler", () => {
  const rig = new CpuRig();
  const toOther = contextSwitch("switch", HANDLER, 50);
  const registers = rig.start(function* (registers) {
    yield thousand;
    rig.note("first done");
    yield registers.call((function* (): Activity {
      registers.next = other;
      yield toOther;
    })());
  });
  const first = registers.context;
  const other = new Context(
    "other",
    (function* (): Activity {
      rig.note(`other begins, IF ${registers.interruptFlag}`);
      yield work("other", OTHER, 400);
      rig.note("other goes back");
      registers.next = first;
      yield toOther;
      rig.note("other again");
      yield endless("loop", OTHER);
    })(),
  );
  rig.handlers.interrupts.set(0x40, function* () {
    yield rig.eoi();
    registers.next = other;
    yield toOther;
    rig.note(`handler again, IF ${registers.interruptFlag}`);
  });
  rig.interruptAt(300, 0x40);
  rig.engine.runUntil(20_000);
  const away = 300 + DELIVERY + MSR + 50;
  const back = away + 400 + 50;
  assertEquals(rig.log, [
    `${away} other begins, IF true`,
    `${away + 400} other goes back`,
    `${back} handler again, IF false`,
    `${back + 700} first done`,
    `${back + 700 + 50} other again`,
  ]);
  assertEquals([first.depth, other.depth], [1, 0]);
});

Deno.test("no interrupt comes into a switch: it is taken on the context switched to", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.start(function* (registers) {
    registers.next = new Context(
      "other",
      (function* (): Activity {
        rig.note("other");
        yield endless("loop", OTHER);
      })(),
    );
    yield contextSwitch("switch", HANDLER, 50);
  });
  rig.interruptAt(20, 0x40);
  rig.engine.runUntil(20_000);
  assertEquals(rig.log, [
    `${50 + DELIVERY} 0x40 begins`,
    `${50 + DELIVERY + MSR} 0x40 ends`,
    `${50 + DELIVERY + MSR} other`,
  ]);
});

Deno.test("a path's factor scales what follows from one cause: handler, calls, IPIs; IRET restores the old one", () => {
  const rig = new CpuRig();
  const [first, second] = [rig.machine.cpus[0]!, rig.machine.cpus[1]!];
  const factors = [1.5, 0.25];
  first.paths = { draw: () => factors.shift()! };
  second.paths = { draw: () => 9 };
  const exact = work("does not scale", HANDLER, 100, false);
  const remote = new Handlers();
  remote.interrupts.set(0x50, function* () {
    rig.note("IPI begins");
    yield handlerWork;
    rig.note("IPI ends");
    yield rig.eoi(second);
  });
  rig.handlers.interrupts.set(0x40, function* () {
    yield registers.call((function* (): Activity {
      yield handlerWork;
    })());
    yield exact;
    rig.note("handler ends");
    yield rig.eoi();
    yield registers.wrmsr(msr(0x300), 1 * 2 ** 32 + 0x50);
  });
  const registers = rig.start(function* () {
    yield work("program", PROGRAM, 10_000);
    rig.note("program");
  });
  rig.start(function* () {}, { cpu: second, handlers: remote });
  rig.interruptAt(300, 0x40);
  rig.interruptAt(5_000, 0x40);
  rig.engine.runUntil(20_000);

  const handled = (factor: number) => DELIVERY + 500 * factor + 100;
  const sent = 300 + handled(1.5) + MSR + MSR;
  const again = 5_000 + handled(0.25) + MSR + MSR;
  const remotely = (at: number, factor: number) => {
    const begins = at + IPI_LATENCY_NS + C1 + DELIVERY;
    return [`${begins} IPI begins`, `${begins + 500 * factor} IPI ends`];
  };
  const expected = [
    `${300 + handled(1.5)} handler ends`,
    ...remotely(sent, 1.5),
    `${5_000 + handled(0.25)} handler ends`,
    ...remotely(again, 0.25),
    // The program's own factor is 1 again after each.
    `${10_000 + handled(1.5) + handled(0.25) + 4 * MSR} program`,
  ];
  const byTime = (a: string, b: string) => parseFloat(a) - parseFloat(b);
  assertEquals(rig.log, expected.sort(byTime));
});

Deno.test("a nested interrupt draws a factor of its own and gives the outer handler its own back", () => {
  const rig = new CpuRig();
  const factors = [2, 0.5];
  rig.cpu.paths = { draw: () => factors.shift()! };
  rig.handle(0x80, handlerWork);
  const registers = rig.start(function* () {
    yield thousand;
    rig.note("program");
  });
  rig.handlers.interrupts.set(0x40, function* () {
    registers.interruptFlag = true;
    yield handlerWork;
    yield handlerWork;
    rig.note("0x40 ends");
    yield rig.eoi();
  });
  rig.interruptAt(100, 0x40);
  rig.interruptAt(400, 0x80);
  rig.engine.runUntil(20_000);
  const nested = DELIVERY + 250 + MSR;
  const outer = DELIVERY + 1000 + 1000;
  assertEquals(rig.log, [
    `${400 + DELIVERY} 0x80 begins`,
    `${400 + nested} 0x80 ends`,
    `${100 + outer + nested} 0x40 ends`,
    `${1000 + outer + MSR + nested} program`,
  ]);
});

/** Random work, masks, instructions and sleeps under random interrupts; returns the rig and the time spent halted. */
function disturbed(seed: number): { rig: CpuRig; haltedNs: () => number } {
  const rig = new CpuRig({
    path: { warmShare: 0.2, warmFloor: 0.5, typicalSpread: 0.1, coldExcess: 0, coldSpread: 0, coldBytes: 1 },
  });
  let state = seed;
  const draw = (below: number) => (state = (state * 48_271) % 0x7fff_ffff) % below;
  let halted = 0, haltedSince = -1;
  const wakes = () => {
    if (haltedSince >= 0) halted += rig.engine.nowNs - haltedSince;
    haltedSince = -1;
  };
  const steps: Step[] = [thousand, handlerWork, work("other", OTHER, 377)];
  for (const vector of [0x40, 0x50, 0x80]) rig.handle(vector, ...steps.slice(0, 1 + draw(3)));
  rig.handlers.onNmi = function* () {
    yield handlerWork;
  };
  const registers = rig.start(function* (registers) {
    for (;;) {
      yield steps[draw(3)]!;
      registers.interruptFlag = draw(3) > 0;
      yield steps[draw(3)]!;
      registers.interruptFlag = true;
      yield registers.wrmsr(msr(0x080), 0);
      if (draw(4) > 0) continue;
      if (rig.cpu.apic.pendingVector() < 0 && !rig.cpu.nmiPending) haltedSince = rig.engine.nowNs;
      yield HLT;
    }
  });
  let time = 0;
  for (let i = 0; i < 500; i++) {
    time += 1 + draw(4_000);
    const vector = [0x40, 0x50, 0x80, 2][draw(4)]!;
    rig.at(time, () => {
      if (registers.halted) wakes();
      if (vector === 2) return rig.cpu.nmi();
      rig.cpu.apic.accept(vector);
      rig.cpu.signal();
    });
  }
  return { rig, haltedNs: () => halted + (haltedSince >= 0 ? rig.engine.nowNs - haltedSince : 0) };
}

Deno.test("the layers' times add up to the time that has passed without the time in HLT, at any instant", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { rig, haltedNs } = disturbed(seed);
    for (let timeNs = 0; timeNs < 1_000_000; timeNs += 7_919) {
      rig.engine.runUntil(timeNs);
      rig.cpu.settleTime();
      const spent = rig.cpu.layerNs.reduce((sum, ns) => sum + ns, 0);
      assertEquals(spent, timeNs - haltedNs(), `seed ${seed}, at ${timeNs} ns`);
    }
  }
});

Deno.test("an INIT ends what a processor does; the time until then is booked", () => {
  const rig = new CpuRig();
  rig.start(function* () {
    yield endless("loop", PROGRAM);
  });
  rig.at(700, () => rig.cpu.reset());
  rig.engine.runUntil(2_000);
  assertEquals([rig.cpu.running, rig.cpu.inFlight, rig.cpu.layerNs[PROGRAM]], [false, null, 700]);
});

Deno.test("a faulting instruction has no effect; the program goes on behind it after the handler", () => {
  const rig = new CpuRig();
  rig.handlers.onException = (vector) => rig.notes(`exception ${vector}`, handlerWork);
  rig.start(function* (registers) {
    const value = yield registers.rdmsr(0x12345);
    rig.note(`goes on with ${value}`);
  });
  rig.engine.runUntil(20_000);
  const raised = MSR + DELIVERY;
  assertEquals(rig.log, [`${raised} exception 13`, `${raised + 500} goes on with 0`]); // #GP is vector 13
});

Deno.test("a trace records interrupts, work and returns, with the time at which each begins", () => {
  const rig = new CpuRig();
  const log = new TraceLog();
  rig.engine.trace = log;
  rig.handle(0x40, handlerWork);
  rig.start(function* () {
    yield thousand;
  });
  rig.interruptAt(300, 0x40);
  rig.engine.runUntil(20_000);
  const kinds = log.records.filter(({ where }) => where === "cpu0").map(({ timeNs, kind, name }) =>
    `${timeNs} ${kind} ${name}`
  );
  const begins = 300 + DELIVERY;
  assertEquals(kinds.filter((line) => !line.includes("alarm")), [
    "0 work work",
    "300 interrupt 0x40",
    "300 transition interrupt delivery",
    `${begins} work handler`,
    `${begins + 500} instruction wrmsr`,
    `${begins + 500 + MSR} iret iret`,
    `${begins + 500 + MSR} work work`,
    `${begins + 500 + MSR + 700} instruction hlt`,
  ]);
});
