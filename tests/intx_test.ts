/**
 * INTx: a function's line, the I/O APIC behind it, and the handlers that share it.
 *
 * Expected: PCI Local Bus Specification 3.0, "Device Control", "Device Status" (Interrupt Disable, Interrupt Status); Intel
 * 82599 datasheet, "Interrupt Registers" (EICR is cleared by a read, EIAM without EIAME); Intel 7 Series PCH datasheet, "I/O
 * APIC": version 20h, EOI register; Linux 3.5 `kernel/irq/manage.c`, `chip.c`, `spurious.c`, `ixgbe_main.c` (`ixgbe_intr()`).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Activity, work } from "../hw/sim/activity.ts";
import { Nic82599 } from "../hw/nic_82599.ts";
import { buildPciBus, wireInterrupts } from "../hw/machine_pci.ts";
import { TALK_TOPOLOGY } from "../hw/machine_topology.ts";
import { PciBus, PciFunction, placeOf } from "../hw/pci.ts";
import { EBUSY } from "../runtime/linux/errno.ts";
import type { LineAction } from "../runtime/linux/irq/irq_lines.ts";
import { Rig, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

const COMMAND = 4, STATUS = 6, INTX_DISABLE = 0x400, INTERRUPT = 8;
const EICR = 0x800, EICS = 0x808, EIMS = 0x880, EIMC = 0x888, EIAM = 0x890, IVAR = 0x900, EITR0 = 0x820;
const LEVEL = 0x8000, REMOTE_IRR = 0x4000, MASKED = 0x1_0000;
/** The card's input of the I/O APIC. */
const LINE = 16;

/** A card whose queue 0 tells by its line, and what that line does. */
function wired() {
  const nic = new Nic82599(TALK_TOPOLOGY.nics[0]!);
  const levels: boolean[] = [];
  nic.interruptWire = (asserted) => {
    if (levels.at(-1) !== asserted) levels.push(asserted);
  };
  nic.configuration.write(COMMAND, 2, 2); // no bus mastering: a line needs none
  nic.writeMemory(0, IVAR, 0x8080, 0);
  nic.writeMemory(0, EIAM, 0xffff, 0);
  nic.writeMemory(0, EIMS, 1, 0);
  return {
    nic,
    levels,
    high: () => levels.at(-1) === true,
    status: () => (nic.configuration.read(STATUS, 2) & INTERRUPT) !== 0,
  };
}

Deno.test("a line is asserted from the cause until EICR is read, which disables what EIAM says", () => {
  const { nic, high, status } = wired();
  assertEquals(nic.raiseQueue(0, "rx", 0), []);
  assertEquals([high(), status()], [true, true]);
  assertEquals(nic.readMemory(0, EICR, 0), 1);
  assertEquals([high(), status(), nic.readMemory(0, EIMS, 0)], [false, false, 0]);
  nic.raiseQueue(0, "rx", 0);
  assertEquals(high(), false, "disabled");
  nic.writeMemory(0, EIMS, 1, 0);
  assertEquals(high(), true, "what came meanwhile is told of when the cause is enabled");
  nic.writeMemory(0, EIMC, 1, 0);
  assertEquals(high(), false);
  nic.writeMemory(0, EIMS, 1, 0);
  nic.writeMemory(0, EICR, 1, 0);
  assertEquals([high(), nic.readMemory(0, EICS, 0)], [false, 0], "a 1 that is written clears as well");
});

Deno.test("Interrupt Disable keeps INTx# from the wire, and Interrupt Status goes on", () => {
  const { nic, high, status } = wired();
  nic.raiseQueue(0, "rx", 0);
  nic.configuration.write(COMMAND, 2, 2 | INTX_DISABLE);
  assertEquals([high(), status()], [false, true]);
  nic.configuration.write(COMMAND, 2, 2);
  assertEquals([high(), status()], [true, true]);
  nic.reset();
  assertEquals([high(), status()], [false, false]);
});

Deno.test("throttling holds the line back as it does messages; with MSI-X on there is no line", () => {
  const { nic, high } = wired();
  nic.writeMemory(0, EITR0, (8 | 0x8000_0000) >>> 0, 0); // 2048 ns
  nic.raiseQueue(0, "rx", 0);
  nic.readMemory(0, EICR, 10);
  nic.writeMemory(0, EIMS, 1, 10);
  assertEquals(nic.raiseQueue(0, "rx", 10).map(({ kind }) => kind), ["alarm"]);
  assertEquals(high(), false);
  nic.alarm(0, 2048);
  assertEquals(high(), true);
  nic.configuration.write(0x72, 2, 0x8000);
  assertEquals(high(), false, "a function with MSI-X enabled must not use INTx#");
});

Deno.test("a host without messages: the driver takes the card's line, ended by the I/O APIC's EOI register", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("boot kvm --append pci=nomsi");
  assertMatch(rig.ok("grep eth1 /proc/interrupts"), /^ 16: .* IR-IO-APIC-fasteoi {3}eth1\n$/);
  assertEquals(
    rig.ok("lspci | grep -c Virtual || true"),
    "0\n",
    "virtual functions have no pin: there are none",
  );
  const { ioApic, remapping } = rig.lab.machine;
  assertEquals(ioApic.chip.entry(LINE).low, LEVEL | LINE, "the vector is the remapping entry's");
  const count = () => Array.from(rig.lab.host.interruptCounts(LINE)).reduce((sum, n) => sum + n, 0);
  for (let i = 1; i <= 3; i++) {
    rig.ok("irq pf0; run 200us");
    assertEquals([count(), ioApic.chip.entry(LINE).low & REMOTE_IRR], [i, 0]);
  }
  assertEquals(remapping.faults.length, 0);
  assertEquals(
    rig.ok("devmem 0xfec00000 32 1; devmem 0xfec00010"),
    "0x00170020\n",
    "24 entries, version 20h",
  );
});

/** The host of the rig, and a second device on the card's line. */
function shared() {
  const rig = new Rig(STOCK, { offline: [] });
  const { ioApic } = rig.machine;
  const second = new PciFunction({
    ...{ bdf: placeOf("00:1d.0"), vendorId: 0x8086, deviceId: 0x1e26, classCode: 0x0c_0320, revision: 4 },
    ...{
      subsystemVendorId: 0,
      subsystemId: 0,
      bars: [],
      headerType: 0,
      interruptPin: 1,
      interruptLine: LINE,
    },
  });
  const bus = new PciBus();
  bus.plug({ functions: () => [second] });
  wireInterrupts(bus, ioApic);
  const wires = [second.interruptWire!, ioApic.wire(LINE)];
  const taken: string[] = [];
  /** A handler that hears of its device, and has it fall silent. */
  const handler = (name: string, device: number, more: Partial<LineAction> = {}): LineAction => ({
    name,
    shared: true,
    act: () => {
      if (!high[device]) return false;
      taken.push(name);
      drive(device, false);
      return true;
    },
    ...more,
  });
  const high = [false, false];
  const drive = (device: number, asserted: boolean) => wires[device]!(high[device] = asserted);
  return { rig, ioApic, drive, high, handler, taken };
}

Deno.test("a shared line is high while one of its devices asserts it, and every handler is asked", () => {
  const { rig, ioApic, drive, handler, taken } = shared();
  const actions = [handler("ehci_hcd:usb1", 0), handler("eth1", 1)];
  for (const action of actions) assert(!("number" in rig.irqs.requestLine(LINE, action)));
  assertEquals(rig.irqs.get(LINE)!.name, "ehci_hcd:usb1, eth1");
  drive(1, true);
  rig.pass(100_000);
  drive(0, true);
  drive(1, true);
  rig.pass(100_000);
  assertEquals(taken, ["eth1", "ehci_hcd:usb1", "eth1"]);
  assertEquals(rig.host.interruptCounts(LINE)[0], 2, "one interrupt for two devices");
  rig.irqs.freeLine(LINE, actions[0]!);
  assertEquals(rig.irqs.get(LINE)!.name, "eth1");
  rig.irqs.freeLine(LINE, actions[1]!);
  assertEquals([rig.irqs.get(LINE), ioApic.chip.entry(LINE).low], [undefined, MASKED]);
});

Deno.test("who does not share gets EBUSY, and the log has both of them with their flags", () => {
  const { rig, handler } = shared();
  rig.irqs.requestLine(LINE, handler("ehci_hcd:usb1", 0));
  const alone = handler("kvm:0000:04:00.0", 1, { shared: false, oneshot: true });
  assertEquals(rig.irqs.requestLine(LINE, alone), EBUSY);
  assertEquals(
    rig.host.dmesg.at(-1)!.text,
    "genirq: Flags mismatch irq 16. 00002000 (kvm:0000:04:00.0) vs. 00000080 (ehci_hcd:usb1)",
  );
});

Deno.test("disable_irq masks with the next interrupt; enable_irq lets a level that has lasted interrupt", () => {
  const { rig, ioApic, drive, handler, taken } = shared();
  rig.irqs.requestLine(LINE, handler("eth1", 1));
  const line = rig.irqs.line(LINE)!;
  const masked = () => (ioApic.chip.entry(LINE).low & MASKED) !== 0;
  line.disable();
  line.disable();
  assertEquals(masked(), false);
  drive(1, true);
  rig.pass(100_000);
  assertEquals([masked(), taken.length, rig.host.interruptCounts(LINE)[0]], [true, 0, 1]);
  assert(!rig.machine.cpus[0]!.apic.inService);
  line.enable();
  rig.pass(100_000);
  assertEquals([masked(), taken.length], [true, 0], "disabled twice");
  line.enable();
  rig.pass(100_000);
  assertEquals([masked(), taken], [false, ["eth1"]]);
});

Deno.test("a ONESHOT line stays masked until its thread has ended", () => {
  const { rig, ioApic, drive } = shared();
  let woken = 0;
  rig.irqs.requestLine(LINE, { name: "kvm", shared: false, oneshot: true, act: () => ++woken > 0 });
  drive(1, true);
  rig.pass(1_000_000);
  assertEquals([woken, ioApic.chip.entry(LINE).low & (MASKED | REMOTE_IRR)], [1, MASKED]);
  drive(1, false);
  rig.irqs.line(LINE)!.threadEnded();
  rig.pass(1_000_000);
  assertEquals([woken, ioApic.chip.entry(LINE).low & MASKED], [1, 0]);
});

Deno.test("a line that stays high and is nobody's is disabled after 100,000 interrupts", () => {
  const { rig, ioApic, drive, handler } = shared();
  rig.irqs.requestLine(LINE, handler("ehci_hcd:usb1", 0));
  drive(1, true); // nobody has a handler for it
  rig.pass(1_000_000_000);
  assertEquals(rig.host.interruptCounts(LINE)[0], 100_000);
  assertEquals(rig.host.dmesg.slice(-2).map(({ text }) => text), [
    'irq 16: nobody cared (try booting with the "irqpoll" option)',
    "Disabling IRQ #16",
  ]);
  assertEquals(ioApic.chip.entry(LINE).low & MASKED, MASKED);
});

Deno.test("a handler of several steps shares with one that has a single one", () => {
  const { rig, drive, handler, taken } = shared();
  const step = work("work", rig.host.kernelLayer, 500);
  function* run(): Activity {
    yield step;
    yield step;
    taken.push("steps");
  }
  rig.irqs.requestLine(LINE, { name: "eth0", shared: true, run });
  rig.irqs.requestLine(LINE, handler("eth1", 1));
  drive(1, true);
  rig.pass(100_000);
  assertEquals(taken, ["steps", "eth1"]);
});

Deno.test("buildPciBus leaves functions without a pin unwired", () => {
  const { bus, nics } = buildPciBus(TALK_TOPOLOGY);
  const pins: number[] = [];
  wireInterrupts(
    bus,
    {
      wire: (pin: number) => {
        pins.push(pin);
        return () => {};
      },
    } as unknown as Parameters<typeof wireInterrupts>[1],
  );
  assertEquals(pins, [LINE]);
  assertEquals(nics[0]!.vf(0).interruptWire, null);
});
