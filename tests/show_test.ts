/**
 * The tables that `show` prints: what leads an interrupt from a device to its handler.
 *
 * Expected: QEMU's `info pic` (`hw/intc/ioapic_common.c`), the flags that `lspci -v` prints, `/proc/interrupts` as the guest
 * itself reads it, slide 13 of the talk: the device's message has the guest's vector.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { markedLines } from "../dsl/session/changed_words.ts";
import { ioApicLines } from "../runtime/qemu/info_pic.ts";
import { IoApic } from "../hw/ioapic.ts";
import { SessionRig } from "./session_rig.ts";

function talk(system: string): SessionRig {
  const rig = new SessionRig({ system });
  rig.ok(". ./talk_setup.rtk > /dev/null 2>&1");
  return rig;
}

Deno.test("an I/O APIC is shown as QEMU's info pic does", () => {
  const chip = new IoApic();
  chip.setEntry(9, 0x0000_a039, 0x0100_0000); // level, active low, vector 0x39 to APIC 1
  chip.setEntry(4, 0x0001_0934, 0x0300_0000); // masked, lowest priority, logical
  chip.assert(9);
  chip.accepted(9);
  const lines = ioApicLines("ioapic0", chip);
  assertEquals(lines.length, 27);
  assertEquals(lines[0], "ioapic0: ver=0x11 id=0x00 sel=0x00");
  assertEquals(lines[1], "  pin 0  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical");
  assertEquals(lines[5], "  pin 4  0x0300000000010934 dest=3 vec=52  active-hi edge  masked lowest logical");
  assertEquals(
    lines[10],
    "  pin 9  0x010000000000e039 dest=1 vec=57  active-lo level        fixed  physical",
  );
  assertEquals(lines.slice(25), ["  IRR      9", "  Remote IRR 9"]);
  chip.write(0, 0x26);
  assertEquals(ioApicLines("ioapic0", chip)[0], "ioapic0: ver=0x11 id=0x00 sel=0x26 (redir[11])");
});

Deno.test("show msi: the entries of a device's table, and where their messages lead", () => {
  for (
    const [system, leads] of [["kvm", /vector 0x\w\w of cpu[012], /], [
      "rfc-v2",
      /vector 0x61 of cpu3, /,
    ]] as const
  ) {
    const rig = talk(system);
    const [head, , first] = rig.ok("show msi 05:00.0").split("\n");
    const [, flags] = /MSI-X: (.*)/.exec(rig.ok("lspci -v -s 05:00.0"))!;
    assertEquals(head, `0000:05:00.0 MSI-X: ${flags}`);
    assertMatch(first!, /^ {4}0 {2}00000000fee[0-9a-f]{5} {2}[0-9a-f]{8} {2}no {4}no {7}\S/);
    assertMatch(first!, leads);
  }
  const rig = new SessionRig({ system: "kvm" });
  assertMatch(rig.ok("show msi"), /\d+ entries are empty and masked/);
  assertMatch(rig.run("show msi 05:00.9").err, /no device with messages "05:00\.9"/);
});

Deno.test("show vectors and idt: a slave CPU's table has the guest's vector, the others' have not", () => {
  const rig = talk("rfc-v2");
  const guest = rig.ok("show vectors vm0");
  const [, vector] = /(0x\w\w) +\d+ {2}eth1-TxRx-0/.exec(guest)!;
  assertMatch(
    rig.ok("show vectors 3"),
    new RegExp(`^host cpu3 \\(slave\\)[^]* ${vector} +\\d+ {2}kvm:0000:05:00\\.0`),
  );
  assert(!rig.ok("show vectors 1").includes("kvm:"));
  const idt = rig.ok("show idt vm0");
  assertStringIncludes(idt, "  0xef     apic_timer_interrupt\n");
  assertMatch(idt, new RegExp(`${vector} on cpu0: do_IRQ, IRQ \\d+ \\(eth1-TxRx-0\\)`));
  assertMatch(rig.run("show idt vm1").err, /no machine "vm1": did you mean vm0\?/);
});

Deno.test("show irqs is /proc/interrupts of the machine", () => {
  const rig = talk("kvm");
  const shown = rig.ok("show irqs");
  assertEquals(rig.ok("cat /proc/interrupts").replace(/ *\d+/g, " N"), shown.replace(/ *\d+/g, " N"));
  assertMatch(rig.ok("show irqs vm0"), /eth1-TxRx-0\n/);
});

Deno.test("what is not as it was at the last stop has a mark, word by word; showing changes nothing", () => {
  const rig = talk("rfc-v2");
  const before = [rig.session.now, rig.lab.engine.stateHash()];
  const first = rig.ok("show lapic 3");
  assertEquals(rig.ok("show lapic 3"), first, "nothing has changed");
  for (const what of ["ioapic", "ioapic vm0", "msi", "vectors", "idt", "irqs", "irqs vm0", "events", "cpu"]) {
    rig.ok(`show ${what}`);
  }
  assertEquals([rig.session.now, rig.lab.engine.stateHash()], before);
  rig.ok("run 100us");
  assert(!/^[* ]/m.test(rig.ok("show lapic 3 | cat")), "another command reads it as it is");
  rig.ok("run 100us");
  const shown = rig.ok("show lapic 3");
  assertEquals(shown.split("\n").filter((line) => line.startsWith("*")).map((line) => line.slice(0, 7)), [
    "* Timer",
  ]);
  assertMatch(shown, /initial_count = \d+ current_count =\*\d+\n/);
  assertStringIncludes(shown, "\n  SPIV\t");
  assertEquals(rig.ok("show lapic 3"), shown, "looking twice does not take the marks away");
});

Deno.test("marks say what has changed since the last stop, not since something was shown", () => {
  const rig = talk("rfc-v2");
  rig.ok("show vmcs; irq vf0");
  rig.ok("stop-at exit; ssh vm0 true &\nrun");
  assertMatch(rig.ok("show vmcs"), /^\* exit reason +\*0 EXCEPTION_NMI$/m);
  rig.ok("step");
  assert(!/^\* exit reason/m.test(rig.ok("show vmcs")), "it was the same at the stop before");
  rig.ok("back");
  assert(!/^\* exit reason/m.test(rig.ok("show vmcs")));
});

Deno.test("marks keep columns where they are: they stand in a blank", () => {
  const before = ["cpu   mode   exits  does", "cpu0  root       0  C1", "cpu1  guest     12  endless loop"];
  const after = ["cpu   mode   exits  does", "cpu0  root       0  C1", "cpu1  root      13  VM exit"];
  assertEquals(markedLines(after, before), [
    "  cpu   mode   exits  does",
    "  cpu0  root       0  C1",
    "* cpu1 *root     *13 *VM exit",
  ]);
  assertEquals(markedLines(before, before), before);
  assertEquals(markedLines(["a 1", "b  2 3"], ["b 2 3"]), ["* a 1", "  b  2 3"], "a line that is new");
});
