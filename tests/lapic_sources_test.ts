/**
 * The local APIC's own sources and errors: local vector table, error status register, EOI broadcast, IA32_APIC_BASE.
 * Offsets and bits are restated from the Intel SDM, vol. 3A, sections "Local Vector Table", "Error Handling", "Signaling
 * Interrupt Servicing Completion", "x2APIC State Transitions", "Local APIC State After It Has Been Software Disabled".
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { LocalApic } from "../hw/lapic.ts";
import { IoApic } from "../hw/ioapic.ts";
import { CpuRig, msr } from "./cpu_rig.ts";

const EOI = 0x0b0, SVR = 0x0f0, ESR = 0x280, CMCI = 0x2f0, ICR = 0x300;
const TIMER = 0x320, THERMAL = 0x330, PERFORMANCE = 0x340, LINT0 = 0x350, LINT1 = 0x360, ERROR = 0x370;
const LVT = [CMCI, TIMER, THERMAL, PERFORMANCE, LINT0, LINT1, ERROR];
const ENABLE = 0x1ff, MASKED = 1 << 16, LEVEL = 1 << 15, REMOTE_IRR = 1 << 14;
const SMI = 2 << 8, NMI = 4 << 8, INIT = 5 << 8, EXTINT = 7 << 8;
const SEND_ILLEGAL = 1 << 5, RECEIVE_ILLEGAL = 1 << 6, ILLEGAL_REGISTER = 1 << 7;
/** IA32_APIC_BASE of the first processor in each state, and what EXTD without EN would be. */
const BASE = { disabled: 0xfee0_0100, xapic: 0xfee0_0900, x2apic: 0xfee0_0d00, invalid: 0xfee0_0500 };

function apic(x2apic = true): LocalApic {
  const made = new LocalApic(3, { ticks: 1, ns: 10 }, { ticks: 1, ns: 1 });
  made.x2apic = x2apic;
  made.reset();
  made.write(SVR, ENABLE, 0);
  return made;
}

/** What the error status register shows once software has written it. */
function errors(device: LocalApic): number {
  device.write(ESR, 0, 0);
  return device.read(ESR, 0);
}

Deno.test("a local source's interrupt goes into the IRR under the vector of its LVT entry", () => {
  for (const offset of LVT) {
    const device = apic();
    device.write(offset, 0x61, 0);
    assertEquals(device.localInterrupt(offset).kind, "none");
    assertEquals(device.irr.members(), [0x61], `0x${offset.toString(16)}`);
  }
});

Deno.test("a masked entry's source interrupts nobody", () => {
  for (const offset of LVT) {
    const device = apic();
    device.write(offset, MASKED | 0x61, 0);
    assertEquals([device.localInterrupt(offset).kind, device.irr.members()], ["none", []]);
  }
});

Deno.test("a delivery mode other than fixed reaches the processor, not the IRR", () => {
  for (const mode of [SMI, NMI, INIT, EXTINT]) {
    for (const offset of [LINT0, LINT1, THERMAL, PERFORMANCE]) {
      const device = apic();
      device.write(offset, mode | 0x61, 0);
      assertEquals(device.localInterrupt(offset), { kind: "local", mode: mode >>> 8, vector: 0x61 });
      assertEquals(device.irr.members(), []);
    }
  }
});

Deno.test("the performance counters' entry is masked by its delivery, and only that one", () => {
  for (const offset of LVT) {
    const device = apic();
    device.write(offset, 0x61, 0);
    device.localInterrupt(offset);
    assertEquals((device.read(offset, 0) & MASKED) !== 0, offset === PERFORMANCE);
  }
});

Deno.test("a level at LINT interrupts once until its EOI: remote IRR says so", () => {
  for (const offset of [LINT0, LINT1]) {
    const device = apic();
    device.write(offset, LEVEL | 0x61, 0);
    device.localInterrupt(offset);
    assertEquals([device.irr.members(), device.tmr.members()], [[0x61], [0x61]]);
    assertEquals(device.read(offset, 0) & REMOTE_IRR, REMOTE_IRR);
    device.acknowledge(0x61);
    device.localInterrupt(offset);
    assertEquals(device.irr.members(), [], "the level has been seen");
    device.write(EOI, 0, 0);
    assertEquals(device.read(offset, 0) & REMOTE_IRR, 0);
    device.localInterrupt(offset);
    assertEquals(device.irr.members(), [0x61]);
  }
});

Deno.test("while software has disabled the APIC every LVT entry is masked, and stays so", () => {
  const device = apic();
  for (const offset of LVT) device.write(offset, 0x61, 0);
  device.write(SVR, 0xff, 0);
  for (const offset of LVT) {
    assertEquals(device.read(offset, 0), MASKED | 0x61);
    device.write(offset, 0x62, 0);
    assertEquals(device.read(offset, 0), MASKED | 0x62, "mask bits cannot be cleared");
  }
  device.write(SVR, ENABLE, 0);
  for (const offset of LVT) assertEquals(device.read(offset, 0), MASKED | 0x62, "and enabling clears none");
});

Deno.test("ESR shows the errors up to its last write, and none since", () => {
  const device = apic();
  device.accept(5);
  assertEquals(device.read(ESR, 0), 0, "not written yet");
  assertEquals(errors(device), RECEIVE_ILLEGAL);
  assertEquals(device.read(ESR, 0), RECEIVE_ILLEGAL, "reading changes nothing");
  assertEquals(errors(device), 0);
});

Deno.test("a message with a vector below 16 is not sent: send illegal vector", () => {
  for (const mode of [0, 1]) {
    const device = apic();
    assertEquals(device.write(ICR, 0x4000 | (mode << 8) | 15, 0).kind, "none");
    assertEquals(errors(device), SEND_ILLEGAL);
  }
  const device = apic();
  assertEquals(device.write(ICR, 0x4000 | NMI, 0).kind, "ipi", "an NMI has no vector");
  assertEquals(errors(device), 0);
});

Deno.test("a register that is not there: an error of the xAPIC, a fault of the x2APIC", () => {
  const xapic = apic(false);
  xapic.write(0x040, 0, 0);
  assertEquals(errors(xapic), ILLEGAL_REGISTER);
  const x2apic = apic();
  assertEquals(x2apic.write(0x040, 0, 0).kind, "fault");
  assertEquals(errors(x2apic), 0);
});

Deno.test("each error asks for the interrupt of the LVT error entry", () => {
  const device = apic();
  device.write(ERROR, 0xfe, 0);
  device.accept(5);
  assertEquals(device.irr.members(), [0xfe]);
});

Deno.test("an LVT error entry without a legal vector is an error that interrupts nobody", () => {
  const device = apic();
  device.write(ERROR, 0x05, 0);
  device.accept(5);
  assertEquals([device.irr.members(), errors(device)], [[], RECEIVE_ILLEGAL]);
});

Deno.test("the EOI of a level-triggered vector is broadcast, that of an edge is not; SVR bit 12 suppresses it", () => {
  for (
    const [level, suppressed, broadcast] of [[true, false, true], [false, false, false], [true, true, false]]
  ) {
    const device = apic();
    device.write(SVR, ENABLE | (suppressed ? 1 << 12 : 0), 0);
    device.accept(0x61, level);
    device.acknowledge(0x61);
    assertEquals({ ...device.write(EOI, 0, 0) }, { kind: "eoi", vector: 0x61, broadcast: broadcast! });
  }
  assert(
    (apic().read(0x030, 0) & (1 << 24)) !== 0,
    "version register: bit 24 says that it can be suppressed",
  );
});

Deno.test("the spurious vector is in bits 7:0 of SVR", () => {
  const device = apic();
  device.write(SVR, 0x1cf, 0);
  assertEquals(device.spuriousVector, 0xcf);
});

Deno.test("bits 63:32 are reserved in x2APIC form, except in the ICR, where they are the destination", () => {
  for (const offset of [0x080, EOI, SVR, ESR, TIMER, LINT0, 0x380, 0x3e0, 0x3f0]) {
    assertEquals(apic().writeHalves(offset, 0, 0x8000_0000, 0).kind, "fault", `0x${offset.toString(16)}`);
  }
  const effect = apic().writeHalves(ICR, 0x4041, 0xffff_fff3, 0);
  assert(effect.kind === "ipi");
  assertEquals(effect.ipi.destination, 0xffff_fff3);
});

Deno.test("IA32_APIC_BASE changes along the arrows of the manual's diagram and faults elsewhere", () => {
  const states = ["disabled", "xapic", "x2apic"] as const;
  const illegal = [["x2apic", "xapic"], ["disabled", "x2apic"]];
  for (const from of states) {
    for (const to of [...states, "invalid"] as const) {
      const rig = new CpuRig();
      rig.handlers.onException = (vector) => rig.notes(`exception ${vector}`);
      rig.start(function* (registers) {
        // After power-up the machine is in x2APIC form; from there by way of the disabled state.
        if (from !== "x2apic") yield registers.wrmsr(0x1b, BASE.disabled);
        if (from === "xapic") yield registers.wrmsr(0x1b, BASE.xapic);
        yield registers.wrmsr(0x1b, BASE[to]);
        rig.note(`base ${(yield registers.rdmsr(0x1b)).toString(16)}`);
      });
      rig.engine.runUntil(100_000);
      const faults = to === "invalid" || illegal.some(([a, b]) => a === from && b === to);
      assertEquals(rig.log.some((line) => line.endsWith("exception 13")), faults, `${from} to ${to}`);
      const base = BASE[faults ? from : to].toString(16);
      assertEquals(rig.log.at(-1)!.split(" ").at(-1), base, `${from} to ${to}`);
    }
  }
});

Deno.test("reserved bits of IA32_APIC_BASE fault: 7:0, 9, and above the physical address", () => {
  for (const bit of [0, 7, 9, 36, 52]) {
    const rig = new CpuRig();
    rig.handlers.onException = (vector) => rig.notes(`exception ${vector}`);
    rig.start(function* (registers) {
      yield registers.wrmsr(0x1b, BASE.x2apic + 2 ** bit);
    });
    rig.engine.runUntil(100_000);
    assertEquals(rig.log.length, 1, `bit ${bit}`);
  }
});

Deno.test("an APIC that is disabled by IA32_APIC_BASE takes nothing; enabled again, it has its reset values", () => {
  const rig = new CpuRig();
  rig.handlers.onException = (vector) => rig.notes(`exception ${vector}`);
  rig.start(function* (registers) {
    yield registers.wrmsr(msr(0x080), 0x20);
    yield registers.wrmsr(0x1b, BASE.disabled);
    rig.note(`takes ${rig.cpu.apic.accept(0x61)}`);
    yield registers.wrmsr(0x1b, BASE.xapic);
    yield registers.wrmsr(0x1b, BASE.x2apic);
    rig.note(`TPR ${yield registers.rdmsr(msr(0x080))}`);
  });
  rig.engine.runUntil(100_000);
  assertEquals(rig.log.map((line) => line.split(" ").slice(1).join(" ")), ["takes false", "TPR 0"]);
});

Deno.test("in xAPIC form the registers are memory, 16 bytes apart, from the address in IA32_APIC_BASE", () => {
  const rig = new CpuRig();
  rig.start(function* (registers) {
    yield registers.wrmsr(0x1b, BASE.disabled);
    yield registers.wrmsr(0x1b, 0xfed0_0900);
    rig.machine.store(rig.cpu, 0xfed0_0080, 0x30);
    rig.note(`TPR ${rig.machine.load(rig.cpu, 0xfed0_0080)} ${rig.machine.load(rig.cpu, 0xfee0_0080)}`);
  });
  rig.engine.runUntil(100_000);
  assertEquals(rig.log.map((line) => line.split(" ").slice(1).join(" ")), [`TPR 48 ${0xffff_ffff}`]);
});

Deno.test("a lowest-priority message between processors reaches exactly one of those that it means", () => {
  const rig = new CpuRig();
  for (const cpu of rig.machine.cpus) {
    rig.start(function* (registers) {
      registers.interruptFlag = false;
      // Logical destination: both processors of cluster 0.
      if (cpu === rig.cpu) yield registers.wrmsr(msr(ICR), 0b11 * 2 ** 32 + 0x4000 + 0x800 + 0x100 + 0x61);
    }, { cpu });
  }
  rig.engine.runUntil(100_000);
  assertEquals(rig.machine.cpus.filter(({ apic }) => apic.irr.has(0x61)).length, 1);
});

// ---- I/O APIC: Intel 82093AA data sheet ----

const EDGE_ENTRY = 0x0000_0031, LEVEL_ENTRY = 0x0000_8031;

function ioapic(pin: number, low: number, high = 0): IoApic {
  const chip = new IoApic();
  chip.write(0x00, 0x10 + 2 * pin + 1);
  chip.write(0x10, high);
  chip.write(0x00, 0x10 + 2 * pin);
  chip.write(0x10, low);
  return chip;
}

Deno.test("after reset every entry of the redirection table is masked and edge-triggered; the version says 24", () => {
  const chip = new IoApic();
  for (let pin = 0; pin < 24; pin++) {
    chip.write(0x00, 0x10 + 2 * pin);
    assertEquals(chip.read(0x10), 0x0001_0000);
  }
  chip.write(0x00, 0x01);
  assertEquals(chip.read(0x10), 0x0017_0011);
});

Deno.test("an edge sends one message for each rise, a level one for each EOI while it lasts", () => {
  const edge = ioapic(4, EDGE_ENTRY, 0x0200_0000);
  const message = edge.assert(4);
  assert(typeof message === "object");
  assertEquals([message.vector, message.destination, message.level], [0x31, 2, false]);
  assertEquals(edge.assert(4), "noEdge");
  edge.deassert(4);
  assert(typeof edge.assert(4) === "object");

  const level = ioapic(4, LEVEL_ENTRY);
  assert(typeof level.assert(4) === "object");
  level.accepted(4);
  assertEquals([level.remoteIrr(4), level.service(4)], [true, "waiting"]);
  assertEquals(level.pinsOf(0x31), [4]);
  assertEquals([level.endOfInterrupt(4), level.remoteIrr(4)], [true, false], "still asserted: once more");
  level.accepted(4);
  level.deassert(4);
  assertEquals(level.endOfInterrupt(4), false);
});

Deno.test("software writes neither delivery status nor remote IRR; an entry made edge-triggered loses it", () => {
  const chip = ioapic(4, LEVEL_ENTRY | 0x5000);
  assertEquals(chip.read(0x10), LEVEL_ENTRY);
  chip.assert(4);
  chip.accepted(4);
  chip.write(0x10, LEVEL_ENTRY);
  assertEquals(chip.read(0x10), LEVEL_ENTRY | 0x4000);
  chip.write(0x10, EDGE_ENTRY);
  assertEquals(chip.read(0x10), EDGE_ENTRY);
});

Deno.test("a masked line is remembered while it is asserted, and a level interrupts once the mask opens", () => {
  const chip = ioapic(4, LEVEL_ENTRY | 0x1_0000);
  assertEquals(chip.assert(4), "masked");
  assertEquals(chip.write(0x10, LEVEL_ENTRY), 4);
  assert(chip.asserted(4) && typeof chip.service(4) === "object");
});

Deno.test("a level-triggered line of the machine's I/O APIC interrupts again with each EOI until it falls", () => {
  const rig = new CpuRig();
  const { machine } = rig;
  let taken = 0;
  rig.handlers.interrupts.set(0x61, function* () {
    if (++taken === 3) machine.ioApic.setLine(5, false);
    yield rig.eoi();
  });
  rig.start(function* () {});
  machine.store(rig.cpu, 0xfec0_0000, 0x10 + 2 * 5);
  machine.store(rig.cpu, 0xfec0_0010, LEVEL | 0x61);
  machine.ioApic.setLine(5, true);
  rig.engine.runUntil(1_000_000);
  assertEquals([taken, machine.ioApic.chip.remoteIrr(5), rig.cpu.apic.inService], [3, false, false]);
});
