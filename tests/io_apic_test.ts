/**
 * The computer's own I/O APIC as the host's kernel programs it, with and without interrupt remapping.
 *
 * Expected: Intel VT-d specification, "Programming I/OxAPIC for Remapping" (bit 48: remappable format; bits 63:49 and 11: the
 * handle), "Fault Reason Encodings" (25h: a message in compatibility format is blocked); Linux 3.5 `io_apic.c`: names with
 * `IR-`, ISA line n at vector 0x30 + n; `intel_irq_remapping.c`: the vector field of an entry has the pin's number.
 */
import { assertEquals } from "@std/assert";
import { Engine } from "../hw/sim/engine.ts";
import { Machine } from "../hw/machine.ts";
import { RemappingFault } from "../hw/vtd.ts";
import { computerBoard } from "../runtime/linux/board.ts";
import { IoApicPins } from "../runtime/linux/irq/io_apic.ts";
import { FLAT_MACHINE } from "./flat_costs.ts";
import { SessionRig } from "./session_rig.ts";

const MASKED = 0x1_0000;

Deno.test("the host's keyboard line: an entry in remappable format, whose handle leads to vector and CPU", () => {
  const rig = new SessionRig({ system: "kvm" });
  const { ioApic, remapping } = rig.lab.machine;
  assertEquals(ioApic.chip.entry(1), { low: 1, high: 0x1_0000 }, "pin 1, format bit 48, handle 0");
  const [low, destination] = remapping.entry(0)!;
  assertEquals([(low >>> 16) & 0xff, destination], [0x31, 0]);
  const others = Array.from({ length: 24 }, (_, pin) => ioApic.chip.entry(pin).low).filter((_, pin) =>
    pin !== 1
  );
  assertEquals(new Set(others), new Set([MASKED]));
});

Deno.test("/proc/interrupts: chips whose interrupts are remapped are called IR-", () => {
  const rig = new SessionRig({ system: "kvm" });
  const names = rig.ok("awk '/i8042|TxRx-0/ { print $(NF - 1) }' /proc/interrupts | sort -u");
  assertEquals(names, "IR-IO-APIC-edge\nIR-PCI-MSI-edge\n");
});

Deno.test("with remapping a line's affinity is in force at once, and its redirection entry stays as it is", () => {
  const rig = new SessionRig({ system: "kvm" });
  const { machine } = rig.lab;
  const counts = () =>
    rig.ok("awk '$NF == \"i8042\" { print $2, $3, $4, $5 }' /proc/interrupts").trim().split(" ").map(Number);
  const before = machine.ioApic.chip.entry(1);
  rig.ok("echo 4 > /proc/irq/1/smp_affinity");
  const [, , third] = counts();
  rig.ok("true; sleep 0.001");
  assertEquals(machine.ioApic.chip.entry(1), before);
  assertEquals(machine.remapping.entry(0)![1], 2);
  assertEquals(counts()[2]! > third!, true);
});

Deno.test("where interrupts are remapped, an entry in compatibility format reaches nobody: a fault", () => {
  const machine = new Machine(new Engine(1), FLAT_MACHINE);
  const pins = new IoApicPins(computerBoard(machine.ports));
  const pulse = () => {
    for (const high of [true, false]) machine.ioApic.setLine(4, high);
  };
  machine.remapping.interruptRemapping = true;
  pins.route(4, { vector: 0x34, destination: 1, level: false, remapIndex: -1 });
  pulse();
  assertEquals(machine.remapping.faults.map(({ reason }) => reason), [RemappingFault.CompatibilityBlocked]);
  pins.route(4, { vector: 0x34, destination: 1, level: false, remapIndex: 7 });
  pulse();
  assertEquals(machine.remapping.faults.at(-1), {
    reason: RemappingFault.EntryNotPresent,
    source: -1,
    at: 7,
  });
});
