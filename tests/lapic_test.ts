/**
 * The local APIC, register by register. Offsets, reset values, bits and rules are restated from the Intel SDM,
 * vol. 3A, chapter "Advanced Programmable Interrupt Controller (APIC)".
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type ApicEffect, LocalApic } from "../hw/lapic.ts";
import { COST, CpuRig, IPI_LATENCY_NS, msr } from "./cpu_rig.ts";

const ID = 0x020,
  VERSION = 0x030,
  TPR = 0x080,
  PPR = 0x0a0,
  EOI = 0x0b0,
  LDR = 0x0d0,
  DFR = 0x0e0,
  SVR = 0x0f0;
const ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR_HIGH = 0x310, LVT_TIMER = 0x320;
const LVTS = [0x320, 0x330, 0x340, 0x350, 0x360, 0x370];
const INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0, SELF_IPI = 0x3f0;

/** SVR: bit 8 enables, bits 7:0 the spurious vector. */
const ENABLE = 0x100 | 0xff;
/** LVT timer: bit 16 masked; bits 18:17 mode. */
const MASKED = 1 << 16, PERIODIC = 1 << 17, TSC_DEADLINE = 2 << 17;

/** An APIC with a bus clock of 100 MHz and a TSC of 1 GHz, enabled unless said otherwise. */
function apic({ id = 3, x2apic = true, enabled = true } = {}): LocalApic {
  const made = new LocalApic(id, { ticks: 1, ns: 10 }, { ticks: 1, ns: 1 });
  made.x2apic = x2apic;
  made.reset();
  if (enabled) made.write(SVR, ENABLE, 0);
  return made;
}

const FORMS = [true, false];

Deno.test("after reset every register has the manual's value, in both forms", () => {
  for (const x2apic of FORMS) {
    const device = apic({ x2apic, enabled: false });
    const zero = [TPR, PPR, ESR, ICR, INITIAL, CURRENT, DIVIDE];
    for (const offset of zero) assertEquals(device.read(offset, 0), 0, `0x${offset.toString(16)}`);
    for (const base of [ISR, TMR, IRR]) {
      for (let i = 0; i < 8; i++) assertEquals(device.read(base + i * 0x10, 0), 0);
    }
    for (const offset of LVTS) assertEquals(device.read(offset, 0), MASKED, `0x${offset.toString(16)}`);
    assertEquals([device.read(SVR, 0), device.enabled], [0xff, false]);
    const version = device.read(VERSION, 0);
    assert((version & 0xff) >= 0x10 && (version & 0xff) <= 0x15, "an integrated APIC: 10H to 15H");
    assert(((version >>> 16) & 0xff) + 1 >= LVTS.length, "number of LVT entries, less one");
    if (!x2apic) assertEquals([device.read(LDR, 0), device.read(DFR, 0)], [0, 0xffff_ffff]);
  }
});

Deno.test("the id is in bits 31:24 of the xAPIC's register, and the whole register of an x2APIC", () => {
  assertEquals(apic({ id: 3, x2apic: false }).read(ID, 0), 3 << 24);
  assertEquals(apic({ id: 3 }).read(ID, 0), 3);
});

Deno.test("SVR bit 8 enables the APIC; a disabled one takes nothing and keeps what it has", () => {
  const device = apic({ enabled: false });
  assertEquals([device.accept(0x40), device.pendingVector()], [false, -1]);
  device.write(SVR, ENABLE, 0);
  assertEquals([device.enabled, device.accept(0x40), device.pendingVector()], [true, true, 0x40]);
  device.write(SVR, 0xff, 0);
  assertEquals([device.enabled, device.accept(0x80)], [false, false]);
  assertEquals(device.irr.members(), [0x40], "requests are held");
});

Deno.test("vectors 0 to 15 are illegal and not taken", () => {
  const device = apic();
  for (let vector = 0; vector < 16; vector++) assertEquals(device.accept(vector), false);
  assertEquals(device.accept(16), true);
});

Deno.test("a vector's bit is number vector mod 32 of register vector div 32", () => {
  for (const vector of [16, 31, 32, 0x41, 0x5f, 0xef, 0xff]) {
    const device = apic();
    const offset = 0x10 * Math.floor(vector / 32), bit = 2 ** (vector % 32);
    device.accept(vector, vector % 2 === 1);
    assertEquals(device.read(IRR + offset, 0), bit);
    assertEquals(device.read(TMR + offset, 0), vector % 2 === 1 ? bit : 0, "TMR: level-triggered");
    device.acknowledge(vector);
    assertEquals([device.read(IRR + offset, 0), device.read(ISR + offset, 0)], [0, bit]);
  }
});

Deno.test("PPR is the higher class of TPR and of the highest vector in service", () => {
  // Where the classes are equal the manual allows bits 3:0 to be TPR's or 0.
  const rows: [tpr: number, inService: number, ppr: number[]][] = [
    [0x00, -1, [0x00]],
    [0x35, -1, [0x35]],
    [0x35, 0x61, [0x60]],
    [0x75, 0x61, [0x75]],
    [0x65, 0x61, [0x65, 0x60]],
    [0x0f, 0xef, [0xe0]],
    [0xff, 0xef, [0xff]],
  ];
  for (const [tpr, inService, allowed] of rows) {
    const device = apic();
    if (inService >= 0) {
      device.accept(inService);
      device.acknowledge(inService);
    }
    device.write(TPR, tpr, 0);
    const ppr = device.read(PPR, 0);
    assert(allowed.includes(ppr), `TPR ${tpr}, ISRV ${inService}: PPR ${ppr}`);
    assertEquals(device.read(TPR, 0), tpr);
  }
});

Deno.test("a vector is pending when its class exceeds the PPR's, for every pair of vector and TPR", () => {
  for (let tpr = 0; tpr <= 0xff; tpr += 5) {
    for (let vector = 16; vector <= 0xff; vector++) {
      const device = apic();
      device.write(TPR, tpr, 0);
      device.accept(vector);
      assertEquals(device.pendingVector(), Math.floor(vector / 16) > Math.floor(tpr / 16) ? vector : -1);
    }
  }
});

Deno.test("of several requests the highest vector is pending; acknowledging moves it from IRR to ISR", () => {
  const device = apic();
  for (const vector of [0x41, 0x91, 0x90, 0x33]) device.accept(vector);
  assertEquals(device.pendingVector(), 0x91);
  device.acknowledge(0x91);
  assertEquals([device.irr.members(), device.isr.members()], [[0x33, 0x41, 0x90], [0x91]]);
  assertEquals(device.pendingVector(), -1, "0x90 is of the same class");
  device.accept(0xa0);
  assertEquals(device.pendingVector(), 0xa0);
});

Deno.test("a vector in service can be requested once more, and waits for its EOI", () => {
  const device = apic();
  device.accept(0x40);
  device.acknowledge(0x40);
  device.accept(0x40);
  device.accept(0x40);
  assertEquals([device.irr.members(), device.isr.members(), device.pendingVector()], [[0x40], [0x40], -1]);
  device.write(EOI, 0, 0);
  assertEquals(device.pendingVector(), 0x40);
});

Deno.test("an EOI ends the highest vector in service, whichever was taken last", () => {
  const device = apic();
  for (const vector of [0x40, 0x80, 0xef]) {
    device.accept(vector);
    device.acknowledge(vector);
  }
  const ended = Array.from({ length: 4 }, () => ({ ...device.write(EOI, 0, 0) }));
  assertEquals(ended, [0xef, 0x80, 0x40, -1].map((vector) => ({ kind: "eoi", vector, broadcast: false })));
  assertEquals(device.inService, false);
});

Deno.test("TDCR bits 3, 1 and 0 divide by 2, 4, 8, 16, 32, 64, 128 and 1", () => {
  const divisors = [[0b0000, 2], [0b0001, 4], [0b0010, 8], [0b0011, 16], [0b1000, 32], [0b1001, 64], [
    0b1010,
    128,
  ]];
  for (const [code, divisor] of [...divisors, [0b1011, 1]] as [number, number][]) {
    const device = apic();
    device.write(DIVIDE, code, 0);
    device.write(INITIAL, 1000, 5_000);
    assertEquals(device.timer.expiresNs, 5_000 + 1000 * divisor * 10, `divisor ${divisor}`);
  }
});

Deno.test("the current count is what is left: it falls with each divided clock and is 0 from the expiry on", () => {
  const device = apic();
  device.write(DIVIDE, 0b0011, 0);
  device.write(INITIAL, 100, 1_000);
  for (
    const [ns, count] of [[1_000, 100], [1_159, 100], [1_160, 99], [1_161, 99], [9_000, 50], [16_999, 1], [
      17_000,
      0,
    ]]
  ) {
    assertEquals(device.read(CURRENT, ns!), count, `at ${ns} ns`);
  }
  device.timer.expired();
  assertEquals([device.read(CURRENT, 90_000), device.read(INITIAL, 90_000)], [0, 100]);
});

Deno.test("a one-shot timer expires once; writing the initial count starts it anew, 0 stops it", () => {
  const device = apic();
  device.write(DIVIDE, 0b1011, 0);
  assertEquals(device.write(INITIAL, 10, 0).kind, "timer");
  assertEquals(device.timer.expiresNs, 100);
  device.write(INITIAL, 10, 50);
  assertEquals(device.timer.expiresNs, 150);
  device.timer.expired();
  assertEquals(device.timer.expiresNs, Infinity);
  device.write(INITIAL, 10, 200);
  device.write(INITIAL, 0, 210);
  assertEquals([device.timer.expiresNs, device.read(CURRENT, 220)], [Infinity, 0]);
});

Deno.test("a periodic timer starts again by itself, and never drifts from the clock's exact ratio", () => {
  const device = new LocalApic(0, { ticks: 3, ns: 10 }, { ticks: 1, ns: 1 }); // 300 MHz: a count of 3.33 ns
  device.write(SVR, ENABLE, 0);
  device.write(DIVIDE, 0b1011, 0);
  device.write(LVT_TIMER, PERIODIC | 0x40, 0);
  device.write(INITIAL, 100, 0);
  for (let period = 1; period <= 10_000; period++) {
    const { expiresNs } = device.timer;
    assertEquals(expiresNs, Math.ceil((period * 100 * 10) / 3), `period ${period}`);
    device.timer.expired();
    assertEquals(device.read(CURRENT, expiresNs), 100);
  }
});

Deno.test("a new divisor counts from the next start on: the count that runs keeps its pace", () => {
  // The manual says nothing about a change while the counter runs; the module's head says what is modelled.
  const device = apic();
  device.write(DIVIDE, 0b0000, 0);
  device.write(INITIAL, 100, 0);
  device.write(DIVIDE, 0b0011, 500);
  assertEquals([device.timer.expiresNs, device.read(CURRENT, 1_000)], [2_000, 50]);
  device.write(INITIAL, 100, 1_000);
  assertEquals(device.timer.expiresNs, 1_000 + 100 * 16 * 10);
});

Deno.test("a change of the timer's mode disarms it; a change of vector or mask does not", () => {
  const device = apic();
  device.write(LVT_TIMER, 0x40, 0);
  device.write(INITIAL, 100, 0);
  assertEquals(device.write(LVT_TIMER, MASKED | 0x41, 10).kind, "none");
  assertEquals([device.timer.expiresNs, device.timerVector], [2_000, -1]);
  device.write(LVT_TIMER, 0x41, 10);
  assertEquals(device.timerVector, 0x41);
  assertEquals(device.write(LVT_TIMER, PERIODIC | 0x41, 20).kind, "timer");
  assertEquals(device.timer.expiresNs, Infinity);
});

Deno.test("in TSC-deadline mode the initial count is ignored and the current count reads 0", () => {
  const device = apic();
  device.write(LVT_TIMER, TSC_DEADLINE | 0x40, 0);
  device.write(INITIAL, 100, 0);
  assertEquals(device.timer.expiresNs, Infinity);
  device.timer.startDeadline(5_000, 100);
  assertEquals([device.timer.expiresNs, device.timer.deadline, device.read(CURRENT, 200)], [5_000, 5_000, 0]);
  device.timer.expired();
  assertEquals([device.timer.expiresNs, device.timer.deadline], [Infinity, 0], "disarmed by its expiry");
  device.timer.startDeadline(4_000, 6_000);
  assertEquals(device.timer.expiresNs, 6_000, "a deadline in the past is due at once");
  device.timer.startDeadline(0, 6_000);
  assertEquals(device.timer.expiresNs, Infinity);
});

Deno.test("outside of TSC-deadline mode a write of the deadline is ignored, and it reads 0", () => {
  const device = apic();
  device.write(LVT_TIMER, 0x40, 0);
  device.write(INITIAL, 100, 0);
  device.timer.startDeadline(50_000, 10);
  assertEquals([device.timer.expiresNs, device.timer.deadline], [2_000, 0]);
});

Deno.test("registers that software only reads fault when written, in x2APIC form", () => {
  const readOnly = [ID, VERSION, PPR, LDR, CURRENT, ISR, ISR + 0x70, TMR, IRR, IRR + 0x10];
  for (const offset of readOnly) {
    assertEquals(apic().write(offset, 0, 0).kind, "fault", `0x${offset.toString(16)}`);
  }
});

Deno.test("DFR and the upper ICR are the xAPIC's alone, SELF IPI the x2APIC's", () => {
  const rows = [[DFR, false, 0xffff_ffff], [ICR_HIGH, false, 0], [SELF_IPI, true, 0x40]] as const;
  for (const [offset, x2apicOnly, value] of rows) {
    for (const x2apic of FORMS) {
      const { kind } = apic({ x2apic }).write(offset, value, 0);
      assertEquals(kind === "fault", x2apic !== x2apicOnly, `0x${offset.toString(16)}, x2APIC ${x2apic}`);
    }
  }
  assertEquals(apic().write(0x040, 0, 0).kind, "fault", "a register that neither has");
});

Deno.test("bits 27:0 of DFR read as ones whatever is written", () => {
  const device = apic({ x2apic: false });
  device.write(DFR, 0x0000_0000, 0);
  assertEquals(device.read(DFR, 0), 0x0fff_ffff);
  device.write(DFR, 0xf000_0000, 0);
  assertEquals(device.read(DFR, 0), 0xffff_ffff);
});

Deno.test("in x2APIC form a write of reserved bits faults and changes nothing", () => {
  const rows: [offset: number, value: number][] = [
    [EOI, 1], // only 0 may be written
    [ESR, 1],
    [TPR, 0x100],
    [SVR, 0x800 | ENABLE],
    [LVT_TIMER, 1 << 8],
    [DIVIDE, 0b0100],
    [ICR, 1 << 12], // there is no delivery status
    [SELF_IPI, 0x100],
  ];
  for (const [offset, value] of rows) {
    const device = apic();
    device.accept(0x40);
    device.acknowledge(0x40);
    const before = device.read(offset, 0);
    assertEquals(device.write(offset, value, 0).kind, "fault", `0x${offset.toString(16)}`);
    assertEquals([device.read(offset, 0), device.isr.members(), device.enabled], [before, [0x40], true]);
  }
});

Deno.test("the xAPIC ignores reserved bits", () => {
  const device = apic({ x2apic: false });
  device.write(TPR, 0xffff_ff20, 0);
  device.write(LVT_TIMER, 0xffff_ffff, 0);
  assertEquals([device.read(TPR, 0), device.read(LVT_TIMER, 0)], [0x20, 0x0007_00ff]);
  assertEquals(device.write(EOI, 0x1234, 0).kind, "eoi");
});

/** An ICR value: bits 7:0 vector, 10:8 delivery mode, 11 logical, 14 assert, 15 level, 19:18 shorthand. */
function icr(vector: number, { mode = 0, logical = false, shorthand = 0 } = {}): number {
  return vector + mode * 2 ** 8 + (logical ? 2 ** 11 : 0) + 2 ** 14 + shorthand * 2 ** 18;
}

Deno.test("a write of the ICR is one message: vector, mode, destination, shorthand", () => {
  const message = (effect: ApicEffect) => effect.kind === "ipi" ? effect.ipi : effect;
  assertEquals(message(apic().write(ICR, 2 * 2 ** 32 + icr(0xfd), 0)), {
    mode: 0,
    vector: 0xfd,
    destination: 2,
    logical: false,
    shorthand: 0,
    assert: true,
    level: false,
  });
  assertEquals(message(apic().write(ICR, 0x1_0005 * 2 ** 32 + icr(0, { mode: 4, logical: true }), 0)), {
    mode: 4,
    vector: 0,
    destination: 0x1_0005,
    logical: true,
    shorthand: 0,
    assert: true,
    level: false,
  });
  const xapic = apic({ x2apic: false });
  assertEquals(xapic.write(ICR_HIGH, 7 * 2 ** 24, 0).kind, "none");
  assertEquals(message(xapic.write(ICR, icr(0x99, { mode: 6, shorthand: 3 }), 0)), {
    mode: 6,
    vector: 0x99,
    destination: 7,
    logical: false,
    shorthand: 3,
    assert: true,
    level: false,
  });
  assertEquals(message(apic().write(SELF_IPI, 0x41, 0)), {
    mode: 0,
    vector: 0x41,
    destination: 3,
    logical: false,
    shorthand: 1,
    assert: true,
    level: false,
  });
});

Deno.test("a physical destination is the id, or all ones for everybody", () => {
  for (const x2apic of FORMS) {
    const device = apic({ id: 3, x2apic });
    const everybody = x2apic ? 0xffff_ffff : 0xff;
    const matches = [3, 2, everybody].map((destination) => device.matches(destination, false));
    assertEquals(matches, [true, false, true]);
  }
});

Deno.test("an x2APIC's logical id is derived: cluster in bits 31:16 from id bits 19:4, one of 16 in bits 15:0", () => {
  const rows = [[0, 0x0000_0001], [3, 0x0000_0008], [0x12, 0x0001_0004], [0x2f, 0x0002_8000]] as const;
  for (const [id, logical] of rows) {
    const device = apic({ id });
    assertEquals(device.read(LDR, 0), logical);
    assertEquals([device.matches(logical, true), device.matches(logical ^ 0x1_0000, true)], [true, false]);
    assertEquals(device.matches(logical - logical % 0x1_0000 + 0xffff, true), true, "a set of the cluster");
    assertEquals(device.matches(0xffff_ffff, true), true, "everybody");
  }
});

Deno.test("an xAPIC's logical destination: a bit set in the flat model, cluster and bit set in the other", () => {
  const device = apic({ x2apic: false });
  device.write(LDR, 0x24 * 2 ** 24, 0);
  const matches = (destinations: number[]) => destinations.map((one) => device.matches(one, true));
  // DFR bits 31:28: 1111 flat, 0000 cluster.
  assertEquals(matches([0x04, 0x20, 0xff, 0x08, 0x00]), [true, true, true, false, false]);
  device.write(DFR, 0x0fff_ffff, 0);
  assertEquals(matches([0x24, 0x2f, 0x2b, 0x14, 0x04, 0xff]), [true, true, false, false, false, true]);
});

// ---- in a machine ----

Deno.test("the timer's interrupt comes when the count is 0, through the LVT entry; masked, none comes", () => {
  for (const masked of [false, true]) {
    const rig = new CpuRig();
    rig.handle(0x40);
    rig.start(function* (registers) {
      yield registers.wrmsr(msr(LVT_TIMER), 0x40 + (masked ? MASKED : 0));
      yield registers.wrmsr(msr(DIVIDE), 0b0011);
      yield registers.wrmsr(msr(INITIAL), 50);
    });
    rig.engine.runUntil(50_000);
    const due = 3 * COST.msrAccess + 50 * 16 * 10;
    const begins = due + COST.c1Exit + COST.interruptDelivery;
    assertEquals(rig.log, masked ? [] : [`${begins} 0x40 begins`, `${begins + COST.msrAccess} 0x40 ends`]);
    assertEquals(rig.machine.droppedMessages, 0);
  }
});

Deno.test("IA32_TSC_DEADLINE arms the timer only in TSC-deadline mode", () => {
  for (const mode of [0, TSC_DEADLINE]) {
    const rig = new CpuRig();
    rig.handle(0x40);
    rig.start(function* (registers) {
      yield registers.wrmsr(msr(LVT_TIMER), mode + 0x40);
      yield registers.wrmsr(0x6e0, 9_000);
      rig.note(`deadline ${yield registers.rdmsr(0x6e0)}`);
    });
    rig.engine.runUntil(50_000);
    const read = `${3 * COST.msrAccess} deadline ${mode === 0 ? 0 : 9_000}`;
    assertEquals(rig.log[0], read);
    const begins = 9_000 + COST.c1Exit + COST.interruptDelivery;
    assertEquals(rig.log[1], mode === 0 ? undefined : `${begins} 0x40 begins`);
  }
});

Deno.test("RDMSR faults where x2APIC form has no register, or only a write: DFR, EOI, upper ICR, SELF IPI, reserved", () => {
  const absent = [0x80e, 0x80b, 0x831, 0x83f, 0x800, 0x804, 0x8ff];
  for (const number of absent) {
    const rig = new CpuRig();
    rig.handlers.onException = (vector) => rig.notes(`exception ${vector}`);
    rig.start(function* (registers) {
      yield registers.rdmsr(number);
    });
    rig.engine.runUntil(10_000);
    assertEquals(rig.log.length, 1, `MSR 0x${number.toString(16)}`);
    assertEquals(rig.log[0]!.split(" ").slice(1), ["exception", "13"]);
  }
});

Deno.test("in xAPIC form the x2APIC's MSRs do not exist", () => {
  const rig = new CpuRig();
  rig.handlers.onException = (vector) => rig.notes(`exception ${vector}`);
  rig.cpu.apic.x2apic = false;
  rig.start(function* (registers) {
    yield registers.wrmsr(0x808, 0);
    yield registers.rdmsr(0x808);
  });
  rig.engine.runUntil(10_000);
  assertEquals(rig.log.length, 2);
});

Deno.test("interprocessor interrupts reach whom they mean; the sender's own comes without a way to go", () => {
  const sent = (value: number) => {
    const rig = new CpuRig();
    const second = rig.machine.cpus[1]!;
    const arrivals: string[] = [];
    for (const cpu of rig.machine.cpus) {
      rig.start(function* (registers) {
        registers.interruptFlag = false;
        if (cpu === rig.cpu) yield registers.wrmsr(msr(ICR), value);
      }, { cpu });
    }
    for (const timeNs of [COST.msrAccess, COST.msrAccess + IPI_LATENCY_NS]) {
      rig.engine.runUntil(timeNs);
      arrivals.push([rig.cpu, second].filter(({ apic }) => apic.irr.has(0x55)).map(({ id }) => id).join(" "));
    }
    return arrivals;
  };
  assertEquals(sent(1 * 2 ** 32 + icr(0x55)), ["", "1"]);
  assertEquals(sent(0 * 2 ** 32 + icr(0x55)), ["0", "0"]);
  assertEquals(sent(icr(0x55, { shorthand: 1 })), ["0", "0"], "self");
  assertEquals(sent(icr(0x55, { shorthand: 2 })), ["0", "0 1"], "all including self");
  assertEquals(sent(icr(0x55, { shorthand: 3 })), ["", "1"], "all excluding self");
  assertEquals(sent(0b10 * 2 ** 32 + icr(0x55, { logical: true })), ["", "1"], "logical: bit 1 of cluster 0");
});
