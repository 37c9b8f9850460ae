/**
 * What holds an interrupt back, and what wakes a processor: IF, priority classes, NMI blocking, HLT.
 *
 * The rules are the Intel SDM's, vol. 3A; times are sums of the costs in `cpu_rig.ts`, spelled out.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { HLT, work } from "../hw/sim/activity.ts";
import { COST, CpuRig, msr } from "./cpu_rig.ts";

const DELIVERY = COST.interruptDelivery, MSR = COST.msrAccess, C1 = COST.c1Exit;
/** Own layers; 0 is the hardware's. */
const PROGRAM = 1, HANDLER = 2;

const thousand = work("work", PROGRAM, 1000);
const handlerWork = work("handler", HANDLER, 500);

Deno.test("with IF clear an interrupt waits until IF is set, then comes before anything else", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.start(function* (registers) {
    registers.interruptFlag = false;
    yield thousand;
    yield thousand;
    registers.interruptFlag = true;
    rig.note("IF set");
    yield thousand;
    rig.note("work done");
  });
  rig.interruptAt(300, 0x40);
  rig.engine.runUntil(10_000);
  assertEquals(rig.log, [
    "2000 IF set",
    `${2000 + DELIVERY} 0x40 begins`,
    `${2000 + DELIVERY + MSR} 0x40 ends`,
    `${3000 + DELIVERY + MSR} work done`,
  ]);
});

Deno.test("a handler runs with IF clear; once it sets IF, a vector of a higher class interrupts it", () => {
  for (const opens of [false, true]) {
    const rig = new CpuRig();
    rig.handle(0x80);
    const registers = rig.start(function* () {
      yield work("long", PROGRAM, 10_000);
      assertEquals(registers.interruptFlag, true);
    });
    rig.handlers.interrupts.set(0x40, function* () {
      rig.note("0x40 begins");
      assertEquals(registers.interruptFlag, false);
      registers.interruptFlag = opens;
      yield handlerWork;
      rig.note("0x40 ends");
      yield rig.eoi();
    });
    rig.interruptAt(100, 0x40);
    rig.interruptAt(300, 0x80);
    rig.engine.runUntil(50_000);
    const begins = 100 + DELIVERY;
    assertEquals(
      rig.log,
      opens
        ? [
          `${begins} 0x40 begins`,
          `${300 + DELIVERY} 0x80 begins`,
          `${300 + DELIVERY + MSR} 0x80 ends`,
          `${begins + 500 + DELIVERY + MSR} 0x40 ends`,
        ]
        : [
          `${begins} 0x40 begins`,
          `${begins + 500} 0x40 ends`,
          `${begins + 500 + MSR + DELIVERY} 0x80 begins`,
          `${begins + 500 + MSR + DELIVERY + MSR} 0x80 ends`,
        ],
    );
  }
});

Deno.test("a vector of the same class does not nest before the EOI, whatever IF is", () => {
  const rig = new CpuRig();
  rig.handle(0x4f);
  const registers = rig.start(function* () {
    yield work("long", PROGRAM, 10_000);
  });
  rig.handlers.interrupts.set(0x41, function* () {
    registers.interruptFlag = true;
    yield handlerWork;
    rig.note("EOI");
    yield rig.eoi();
    yield handlerWork;
    rig.note("0x41 ends");
  });
  rig.interruptAt(100, 0x41);
  rig.interruptAt(300, 0x4f);
  rig.engine.runUntil(50_000);
  assertEquals(rig.log.map((line) => line.replace(/^\d+ /, "")), [
    "EOI",
    "0x4f begins",
    "0x4f ends",
    "0x41 ends",
  ]);
});

Deno.test("an NMI comes through IF; another is blocked until IRET, and no more than one waits", () => {
  const rig = new CpuRig();
  rig.handlers.onNmi = function* () {
    rig.note("NMI begins");
    yield handlerWork;
    rig.note("NMI ends");
  };
  rig.start(function* (registers) {
    registers.interruptFlag = false;
    yield work("masked", PROGRAM, 10_000);
  });
  for (const timeNs of [100, 300, 400]) rig.nmiAt(timeNs); // the third finds the second pending: one
  rig.engine.runUntil(50_000);
  const iret = 100 + DELIVERY + 500;
  assertEquals(rig.log, [
    `${100 + DELIVERY} NMI begins`,
    `${iret} NMI ends`,
    `${iret + DELIVERY} NMI begins`,
    `${iret + DELIVERY + 500} NMI ends`,
  ]);
});

Deno.test("of an NMI and an interrupt that wait, the NMI is first; the interrupt waits for its IRET", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.handlers.onNmi = function* () {
    rig.note("NMI begins");
    yield handlerWork;
    rig.note("NMI ends");
  };
  rig.start(function* (registers) {
    yield registers.wrmsr(msr(0x080), 0); // both arrive during the instruction
    yield thousand;
  });
  rig.interruptAt(10, 0x40);
  rig.nmiAt(20);
  rig.engine.runUntil(50_000);
  const nmi = MSR + DELIVERY;
  assertEquals(rig.log, [
    `${nmi} NMI begins`,
    `${nmi + 500} NMI ends`,
    `${nmi + 500 + DELIVERY} 0x40 begins`,
    `${nmi + 500 + DELIVERY + MSR} 0x40 ends`,
  ]);
});

Deno.test("an IRET of any kind unblocks NMIs: also that of a fault inside of the NMI's handler", () => {
  // SDM, "Handling Multiple NMIs": blocked "until the next execution of the IRET instruction".
  const rig = new CpuRig();
  rig.handlers.onException = () => rig.notes("fault");
  let nmis = 0;
  const registers = rig.start(function* () {
    yield work("long", PROGRAM, 10_000);
  });
  rig.handlers.onNmi = function* () {
    const which = ++nmis;
    if (which === 1) {
      yield handlerWork;
      yield registers.wrmsr(0x12345, 0); // no such MSR: #GP
    }
    rig.note(`end of NMI ${which}`);
  };
  rig.nmiAt(100);
  rig.nmiAt(300);
  rig.engine.runUntil(50_000);
  assertEquals(rig.log.map((line) => line.replace(/^\d+ /, "")), ["fault", "end of NMI 2", "end of NMI 1"]);
});

Deno.test("HLT waits without an end; an interrupt wakes it at the cost of leaving C1, then is delivered", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.start(function* () {
    yield thousand;
    yield HLT;
    rig.note("behind HLT");
  });
  rig.interruptAt(7000, 0x40);
  rig.engine.runUntil(20_000);
  const begins = 7000 + C1 + DELIVERY;
  assertEquals(rig.log, [`${begins} 0x40 begins`, `${begins + MSR} 0x40 ends`, `${begins + MSR} behind HLT`]);
});

Deno.test("a HLT behind which an interrupt waits already does not halt and costs no wake-up", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.start(function* (registers) {
    registers.interruptFlag = false;
    yield thousand;
    registers.interruptFlag = true; // STI; HLT: the interrupt comes after HLT
    yield HLT;
    rig.note("behind HLT");
  });
  rig.interruptAt(300, 0x40);
  rig.engine.runUntil(20_000);
  assertEquals(rig.log, [
    `${1000 + DELIVERY} 0x40 begins`,
    `${1000 + DELIVERY + MSR} 0x40 ends`,
    `${1000 + DELIVERY + MSR} behind HLT`,
  ]);
});

Deno.test("HLT with IF clear sleeps through interrupts; an NMI wakes it", () => {
  const rig = new CpuRig();
  rig.start(function* (registers) {
    registers.interruptFlag = false;
    yield HLT;
    rig.note("behind HLT");
  });
  rig.interruptAt(1000, 0x40);
  rig.nmiAt(2000);
  rig.engine.runUntil(20_000);
  assertEquals(rig.log, [`${2000 + C1 + DELIVERY} behind HLT`]);
});

Deno.test("an interrupt that arrives during the wake-up from HLT is taken in its priority's order", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.handle(0x80);
  rig.start(function* () {
    yield HLT;
    rig.note("behind HLT");
  });
  rig.interruptAt(1000, 0x40);
  rig.interruptAt(1100, 0x80);
  rig.engine.runUntil(20_000);
  assertEquals(rig.log.map((line) => line.replace(/^\d+ /, "")), [
    "0x80 begins",
    "0x80 ends",
    "0x40 begins",
    "0x40 ends",
    "behind HLT",
  ]);
  assertEquals(rig.log[0], `${1000 + C1 + DELIVERY} 0x80 begins`);
});

Deno.test("lowering the task priority lets an interrupt in that waited for it", () => {
  const rig = new CpuRig();
  rig.handle(0x40);
  rig.start(function* (registers) {
    yield registers.wrmsr(msr(0x080), 0x40); // class 4: as high as the vector's
    yield thousand;
    rig.note("TPR");
    yield registers.wrmsr(msr(0x080), 0x30);
    yield thousand;
  });
  rig.interruptAt(300, 0x40);
  rig.engine.runUntil(20_000);
  const lowered = MSR + 1000 + MSR;
  assertEquals(rig.log, [
    `${MSR + 1000} TPR`,
    `${lowered + DELIVERY} 0x40 begins`,
    `${lowered + DELIVERY + MSR} 0x40 ends`,
  ]);
});
