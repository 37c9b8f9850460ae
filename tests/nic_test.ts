import { assertEquals, assertThrows } from "@std/assert";
import { Nic82599, type Nic82599Vf } from "../hw/nic_82599.ts";
import { bdfOf, formatBdf, parseBdf, type PciEffect, type PciFunction, routingId } from "../hw/pci.ts";
import { buildPciBus } from "../hw/machine_pci.ts";
import { TALK_TOPOLOGY } from "../hw/machine_topology.ts";
import { StateHash } from "../hw/sim/state_hash.ts";

const PF = "0000:04:00.0";

/** Offsets restated from the datasheet. */
const EICR = 0x800, EICS = 0x808, EIAC = 0x810, EIMS = 0x880, EIMC = 0x888, GPIE = 0x898, IVAR = 0x900;
const IVAR_MISC = 0xa00, EIMS_EX0 = 0xaa0, EIAM_EX0 = 0xad0, EITR0 = 0x820, EITR24 = 0x12300, CTRL = 0;
const VTEICR = 0x100, VTEIMS = 0x108, VTEIAC = 0x110, VTEIAM = 0x114, VTIVAR = 0x120, VTIVAR_MISC = 0x140;
const VTEITR0 = 0x820, VTCTRL = 0;
const MSIX_MODE = 0x10, OCD = 0x20, EIAME = 0x4000_0000, CNT_WDIS = 0x8000_0000;

function enableMsiX(fn: PciFunction, entries: number, bar: number): void {
  fn.configuration.write(0x04, 2, 0x0006); // memory space, bus master
  fn.configuration.write(0x72, 2, 0x8000);
  for (let entry = 0; entry < entries; entry++) {
    fn.writeMemory(bar, 16 * entry, 0xfee0_0000, 0);
    fn.writeMemory(bar, 16 * entry + 8, 0x40 + entry, 0);
    fn.writeMemory(bar, 16 * entry + 12, 0, 0);
  }
}

/** A physical function with queue pair 0 on vector 0, pair 1 on vector 1, everything else on vector 2. */
function physical(): Nic82599 {
  const nic = new Nic82599(TALK_TOPOLOGY.nics[0]!);
  enableMsiX(nic, 3, 4);
  nic.writeMemory(0, GPIE, (MSIX_MODE | OCD | EIAME) >>> 0, 0);
  nic.writeMemory(0, IVAR, 0x8181_8080, 0);
  nic.writeMemory(0, IVAR_MISC, 0x8200, 0);
  nic.writeMemory(0, EIAC, 0xffff, 0);
  nic.writeMemory(0, EIMS_EX0, 3, 0);
  return nic;
}

/** Virtual function 0 with its queue pair on vector 0 and the mailbox on vector 1. */
function virtual(): { nic: Nic82599; vf: Nic82599Vf } {
  const nic = physical();
  nic.configuration.write(0x170, 2, 1); // NumVFs
  nic.configuration.write(0x168, 2, 0x0009); // VF Enable, VF Memory Space Enable
  const vf = nic.vf(0);
  enableMsiX(vf, 3, 3);
  vf.writeMemory(0, VTIVAR, 0x8080, 0);
  vf.writeMemory(0, VTIVAR_MISC, 0x81, 0);
  vf.writeMemory(0, VTEIAC, 3, 0);
  vf.writeMemory(0, VTEIMS, 3, 0);
  return { nic, vf };
}

/** The data of each message, `@time` of each alarm. */
function summary(effects: readonly PciEffect[]): (number | string)[] {
  return effects.map((effect) => {
    switch (effect.kind) {
      case "msi":
        return effect.data;
      case "alarm":
        return `@${effect.atNs}`;
      case "unmodelled":
        return effect.what;
      case "virtualFunctions":
        return `${effect.count} VFs`;
    }
  });
}

Deno.test("a PCI address has a full and a short form", () => {
  assertEquals(parseBdf("0000:05:00.0"), { domain: 0, bus: 5, device: 0, function: 0 });
  assertEquals(parseBdf("05:1f.7"), { domain: 0, bus: 5, device: 31, function: 7 });
  for (const wrong of ["5:0.0", "05:20.0", "05:00.8", "05:00", "0000:05:00.0\n", ""]) {
    assertEquals(parseBdf(wrong), undefined, wrong);
  }
  assertEquals(formatBdf(bdfOf(0x05fa)), "0000:05:1f.2");
  assertEquals(routingId(parseBdf("05:1f.2")!), 0x05fa);
});

Deno.test("configuration space tells identity, class and capabilities", () => {
  const { bus } = buildPciBus(TALK_TOPOLOGY);
  const pf = parseBdf(PF)!;
  assertEquals(bus.read(pf, 0x00, 4), 0x10fb_8086);
  assertEquals(bus.read(pf, 0x08, 4), 0x0200_0001);
  assertEquals(bus.read(pf, 0x2c, 4), 0x0003_8086);
  const list: number[] = [];
  for (let at = bus.read(pf, 0x34, 1); at !== 0; at = bus.read(pf, at + 1, 1)) list.push(bus.read(pf, at, 1));
  assertEquals(list, [0x05, 0x11, 0x10]); // MSI, MSI-X, PCI Express
  assertEquals(bus.read(pf, 0x100, 4) >>> 20, 0x160);
  assertEquals(bus.read(pf, 0x160, 2), 0x0010); // SR-IOV
  assertEquals(bus.read(pf, 0x16c, 4), 64 << 16 | 64); // InitialVFs, TotalVFs
  assertEquals(bus.read(pf, 0x172, 2), 0);
  assertEquals(bus.read(pf, 0x17a, 2), 0x10ed); // VF Device ID
  // Nobody answers: all ones.
  assertEquals(bus.read(parseBdf("06:00.0")!, 0x00, 4), 0xffff_ffff);
});

Deno.test("a base address register reads back its size after a write of all ones", () => {
  const { bus } = buildPciBus(TALK_TOPOLOGY);
  const pf = parseBdf(PF)!;
  const base = bus.read(pf, 0x10, 4);
  assertEquals(base & 0xf, 0xc); // 64-bit, prefetchable
  bus.write(pf, 0x10, 4, 0xffff_ffff);
  assertEquals(bus.read(pf, 0x10, 4), 0xfff8_000c); // 512 KiB
  bus.write(pf, 0x10, 4, base);
  assertEquals(bus.read(pf, 0x10, 4), base);
  // Read-only registers stay.
  bus.write(pf, 0x00, 4, 0);
  assertEquals(bus.read(pf, 0x00, 4), 0x10fb_8086);
});

Deno.test("a memory access reaches the function whose enabled range holds it", () => {
  const { bus } = buildPciBus(TALK_TOPOLOGY);
  assertEquals(bus.decode(0xf000_0800), undefined);
  bus.write(parseBdf(PF)!, 0x04, 2, 0x0002);
  const found = bus.decode(0xf000_0800)!;
  assertEquals([formatBdf(found.function.bdf), found.bar, found.offset], [PF, 0, 0x800]);
  bus.write(parseBdf(PF)!, 0x170, 2, 2);
  bus.write(parseBdf(PF)!, 0x168, 2, 0x0009);
  const second = bus.decode(0xf008_4000 + 0x4000 + 0x100)!;
  assertEquals([formatBdf(second.function.bdf), second.bar, second.offset], ["0000:05:00.2", 0, 0x100]);
});

Deno.test("a queue's interrupt is the message of the vector that IVAR gives it", () => {
  const nic = physical();
  assertEquals(summary(nic.raiseQueue(0, "rx", 0)), [0x40]);
  assertEquals(summary(nic.raiseQueue(1, "tx", 0)), [0x41]);
  // Queue 2 has no valid entry.
  assertEquals(summary(nic.raiseQueue(2, "rx", 0)), []);
});

Deno.test("a cause that is not enabled waits for EIMS, and its message then leaves once", () => {
  const nic = physical();
  nic.writeMemory(0, EIMC, 1, 0);
  assertEquals(summary(nic.raiseQueue(0, "rx", 0)), []);
  assertEquals(summary(nic.writeMemory(0, EIMS, 1, 10)), [0x40]);
  assertEquals(summary(nic.writeMemory(0, EIMS, 1, 20)), []);
});

Deno.test("EIAC clears a cause with its message; without it the cause stays until it is written", () => {
  const nic = physical();
  nic.raiseQueue(0, "rx", 0);
  assertEquals(nic.readMemory(0, EICS, 0), 0);
  nic.writeMemory(0, EIAC, 0, 0);
  nic.raiseQueue(0, "rx", 0);
  assertEquals(nic.readMemory(0, EICS, 0), 1);
  nic.writeMemory(0, EICR, 1, 0);
  assertEquals(nic.readMemory(0, EICS, 0), 0);
});

Deno.test("EIAM disables a vector with its message, so a poll runs without interrupts", () => {
  const nic = physical();
  nic.writeMemory(0, EIAM_EX0, 3, 0);
  assertEquals(summary(nic.raiseQueue(0, "rx", 0)), [0x40]);
  assertEquals(nic.readMemory(0, EIMS_EX0, 0), 2);
  assertEquals(summary(nic.raiseQueue(0, "rx", 10)), []);
  assertEquals(summary(nic.writeMemory(0, EIMS_EX0, 1, 20)), [0x40]);
});

Deno.test("EIAM does nothing without GPIE.EIAME", () => {
  const nic = physical();
  nic.writeMemory(0, GPIE, MSIX_MODE, 0);
  nic.writeMemory(0, EIAM_EX0, 3, 0);
  nic.raiseQueue(0, "rx", 0);
  assertEquals(nic.readMemory(0, EIMS_EX0, 0), 3);
});

Deno.test("EITR keeps messages apart by its interval of 2.048 us units", () => {
  const nic = physical();
  nic.writeMemory(0, EITR0, (500 & 0xff8 | CNT_WDIS) >>> 0, 0); // 62 units: 126.976 us
  assertEquals(summary(nic.raiseQueue(0, "rx", 1000)), [0x40]);
  assertEquals(summary(nic.raiseQueue(0, "rx", 2000)), ["@127976"]);
  // The alarm is asked for once, and the message tells of both events.
  assertEquals(summary(nic.raiseQueue(0, "tx", 3000)), []);
  assertEquals(summary(nic.alarm(0, 127_976)), [0x40]);
  assertEquals(summary(nic.alarm(0, 127_977)), []);
  // The other vector is not throttled by it.
  assertEquals(summary(nic.raiseQueue(1, "rx", 3000)), [0x41]);
});

Deno.test("a throttled cause that software clears in time sends nothing", () => {
  const nic = physical();
  nic.writeMemory(0, EITR0, 0x8, 0);
  nic.raiseQueue(0, "rx", 0);
  assertEquals(summary(nic.raiseQueue(0, "rx", 100)), ["@2048"]);
  nic.writeMemory(0, EICR, 1, 200);
  assertEquals(summary(nic.alarm(0, 2048)), []);
});

Deno.test("throttling of vectors 24 and up is set in their own block", () => {
  const nic = physical();
  nic.writeMemory(0, EITR24, 0x10, 0);
  assertEquals(nic.readMemory(0, EITR24, 0), 0x10);
  assertEquals(nic.interrupts.intervalNs(24), 4096);
});

Deno.test("a masked MSI-X entry holds the message in the pending-bit array", () => {
  const nic = physical();
  nic.writeMemory(4, 12, 1, 0);
  assertEquals(summary(nic.raiseQueue(0, "rx", 0)), []);
  assertEquals(nic.readMemory(4, 0x2000, 0), 1);
  assertEquals(summary(nic.writeMemory(4, 12, 0, 0)), [0x40]);
});

Deno.test("without bus mastering no message leaves", () => {
  const nic = physical();
  nic.configuration.write(0x04, 2, 0x0002);
  assertEquals(summary(nic.raiseQueue(0, "rx", 0)), []);
});

Deno.test("a link change is told through the vector of IVAR_MISC and stays in EICR", () => {
  const nic = physical();
  nic.writeMemory(0, EIMS, 1 << 20, 0);
  assertEquals(summary(nic.raiseOther(20, 0)), [0x42]);
  assertEquals(nic.readMemory(0, EICS, 0), 0x8010_0000);
  // With GPIE.OCD a read of EICR clears bits 29:16 only.
  assertEquals(nic.readMemory(0, EICR, 0), 0x8010_0000);
  assertEquals(nic.readMemory(0, EICS, 0), 0);
});

Deno.test("software raises an interrupt with EICS", () => {
  assertEquals(summary(physical().writeMemory(0, EICS, 1 << 1, 0)), [0x41]);
});

Deno.test("a device reset disables every cause and forgets the routing, a write to an unknown register says so", () => {
  const nic = physical();
  nic.writeMemory(0, CTRL, 1 << 26, 0);
  assertEquals(summary(nic.raiseQueue(0, "rx", 0)), []);
  assertEquals(nic.readMemory(0, EIMS_EX0, 0), 0);
  assertEquals(summary(nic.writeMemory(0, 0x5080, 1, 0)), ["82599 register 0x05080"]);
  assertEquals(summary(nic.writeMemory(0, GPIE, 0xc000, 0)), ["82599 GPIE.virtualizationMode"]);
});

Deno.test("virtual functions appear with VF Enable, at First VF Offset and VF Stride from the physical one", () => {
  const nic = new Nic82599(TALK_TOPOLOGY.nics[0]!);
  const places = () => [...nic.functions()].map(({ bdf }) => `${bdf.bus}:${bdf.device}.${bdf.function}`);
  nic.configuration.write(0x170, 2, 5);
  assertEquals(places(), ["4:0.0"]);
  assertEquals(summary(nic.configuration.write(0x168, 2, 0x0001)), ["5 VFs"]);
  assertEquals(places(), ["4:0.0", "5:0.0", "5:0.2", "5:0.4", "5:0.6", "5:1.0"]);
  // NumVFs is fixed while VF Enable is set.
  nic.configuration.write(0x170, 2, 2);
  assertEquals(nic.sriov.enabledVfs, 5);
  assertEquals(summary(nic.configuration.write(0x168, 2, 0)), ["0 VFs"]);
  assertEquals(places(), ["4:0.0"]);
  assertThrows(() => nic.vf(64), RangeError);
});

Deno.test("a virtual function has three vectors and its own causes", () => {
  const { nic, vf } = virtual();
  assertEquals(vf.configuration.read(0x72, 2) & 0x7ff, 2); // table size - 1
  assertEquals(summary(vf.raiseQueue(0, "rx", 0)), [0x40]);
  assertEquals(summary(vf.raiseMailbox(0)), [0x41]);
  assertEquals(nic.readMemory(0, EICS, 0), 0);
});

Deno.test("a virtual function auto-masks only if the physical one has set GPIE.EIAME", () => {
  const { nic, vf } = virtual();
  vf.writeMemory(0, VTEIAM, 3, 0);
  vf.raiseQueue(0, "rx", 0);
  assertEquals(vf.readMemory(0, VTEIMS, 0), 2);
  nic.writeMemory(0, GPIE, MSIX_MODE, 0);
  vf.writeMemory(0, VTEIMS, 1, 0);
  vf.raiseQueue(0, "rx", 0);
  assertEquals(vf.readMemory(0, VTEIMS, 0), 3);
});

Deno.test("a virtual function is throttled by VTEITR and its alarm names it", () => {
  const { vf } = virtual();
  vf.writeMemory(0, VTEITR0, (200 | CNT_WDIS) >>> 0, 0); // 25 units: 51.2 us
  vf.raiseQueue(0, "rx", 0);
  assertEquals(vf.raiseQueue(0, "rx", 1), [{
    kind: "alarm",
    function: 0x0500,
    source: 0,
    atNs: 51_200,
    alarm: null,
  }]);
});

Deno.test("a read of VTEICR clears it, a reset through VTCTRL clears everything", () => {
  const { vf } = virtual();
  vf.writeMemory(0, VTEIAC, 0, 0);
  vf.raiseQueue(0, "rx", 0);
  assertEquals(vf.readMemory(0, VTEICR, 0), 1);
  assertEquals(vf.readMemory(0, VTEICR, 0), 0);
  vf.writeMemory(0, VTCTRL, 1 << 26, 0);
  assertEquals(vf.readMemory(0, VTEIMS, 0), 0);
  assertEquals(vf.readMemory(0, VTIVAR, 0), 0);
});

Deno.test("the state hash tells a pending interrupt", () => {
  const hash = (nic: Nic82599) => {
    const state = new StateHash();
    nic.hashInto(state);
    return state.hex();
  };
  const nic = physical();
  assertEquals(hash(nic), hash(physical()));
  nic.writeMemory(0, EIMC, 1, 0);
  const before = hash(nic);
  nic.raiseQueue(0, "rx", 0);
  assertEquals(hash(nic) === before, false);
});
