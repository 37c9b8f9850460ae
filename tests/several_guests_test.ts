/**
 * Several guests at once: each has its own dedicated CPU, its own function, its own counters.
 *
 * Expectations: an interrupt of a device goes to the machine that it is assigned to; KVM's counters are a machine's; patch 13:
 * the vectors are registered on the slave CPU of that machine.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Invariants } from "../runtime/lab/invariants.ts";
import { SessionRig } from "./session_rig.ts";

/** `examples/two_guests.rtk`, with the invariants watched. */
function guests(system: string) {
  const rig = new SessionRig({ system });
  rig.ok(`boot ${system} --append ixgbe.max_vfs=2`);
  const watch = new Invariants(rig.lab);
  rig.lab.engine.trace = watch;
  rig.ok(". ./two_guests.rtk; run 10ms > /dev/null");
  return { rig, watch };
}

const exitsOf = ({ lab }: SessionRig, vm: string) => lab.exits(vm).reduce((sum, count) => sum + count);
/** Interrupts of the assigned function that its guest has taken. */
const taken = (rig: SessionRig, vm: string) => {
  const { kernel, software } = rig.lab.guests.get(vm)!;
  const { irq } = software.irqs.list().find(({ name }) => /TxRx-0$/.test(name))!;
  return kernel.interruptCounts(irq)[0];
};

for (const system of ["rfc-v2", "talk"]) {
  Deno.test(`${system}: each of two guests takes its own function's interrupts, without an exit of anybody's`, () => {
    const { rig, watch } = guests(system);
    assertEquals(rig.lab.kvm.slaves.get(3)!.vm.name, "vm0");
    assertEquals(rig.lab.kvm.slaves.get(2)!.vm.name, "vm1");
    const before = ["vm0", "vm1"].map((vm) => exitsOf(rig, vm));
    rig.ok("for i in 1 2 3; do irq vf0; run 200us; done > /dev/null");
    assertEquals([taken(rig, "vm0"), taken(rig, "vm1")], [3, 0]);
    rig.ok("for i in 1 2; do irq vf1; run 200us; done > /dev/null");
    assertEquals([taken(rig, "vm0"), taken(rig, "vm1")], [3, 2]);
    assertEquals(["vm0", "vm1"].map((vm) => exitsOf(rig, vm)), before);
    assertEquals(watch.violations, []);
  });

  Deno.test(`${system}: a virtual interrupt of one guest makes that one leave, and no other`, () => {
    const { rig } = guests(system);
    const count = () => ["vm0", "vm1"].map((vm) => exitsOf(rig, vm));
    const before = count();
    const { networkLine } = rig.lab.guests.get("vm1")!.machine;
    rig.lab.type(rig.lab.host, (here) => networkLine.raise(here));
    rig.ok("run 1ms > /dev/null");
    assertEquals(count(), [before[0]!, before[1]! + 2], "slide 20: two exits");
  });
}

Deno.test("a measurement counts the exits of the guest in which it ran", () => {
  const { rig } = guests("rfc-v2");
  const exits = (vm: string) => {
    rig.ok(`ssh ${vm} cyclictest -m -q -p 99 -n -l 200 > /dev/null`);
    return rig.result.exits.reduce((sum, count) => sum + count);
  };
  assertEquals([exits("vm0"), exits("vm1")], [0, 0]);
  assert(exits("vm2") > 3 * 200, "the stock guest leaves for each timer: arm, expiry, EOI");
});

Deno.test("one guest killed: its CPU and its function are free, the other goes on", () => {
  const { rig, watch } = guests("talk");
  const other = exitsOf(rig, "vm1");
  rig.ok(`kill -KILL ${rig.lab.guests.get("vm0")!.machine.pid}; run 20ms > /dev/null`);
  assertEquals(rig.lab.host.cpus.map(({ state }) => state), ["online", "online", "slave", "offline"]);
  assertEquals([...rig.lab.kvm.slaves.keys()], [2]);
  assertEquals(rig.lab.machine.remapping.domainOf(0x0500), undefined);
  rig.ok("irq vf1; run 1ms > /dev/null");
  assertEquals([taken(rig, "vm1"), exitsOf(rig, "vm1")], [1, other]);
  assertEquals(watch.violations, []);
});

Deno.test("two QEMUs that start at the same time are two guests; one of them gets the CPU that both want", () => {
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online");
  const start = "qemu-kvm.patched -m 512 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic";
  rig.start(start);
  rig.start(start);
  rig.ok("run 400ms > /dev/null; ssh vm0 true; ssh vm1 true");
  assertEquals([...rig.lab.guests.keys()].sort(), ["vm0", "vm1"]);
  const slaves = [...rig.lab.guests.values()].map(({ machine }) => machine.file.vm.vcpus[0]!.slaveCpu);
  assertEquals(slaves.sort(), [-1, 3]);
  const warnings = [...rig.lab.guests.values()].flatMap(({ machine }) => machine.warnings());
  assertEquals(warnings.length, 1);
  assert(/KVM_SET_SLAVE_CPU, 3: /.test(warnings[0]!), warnings[0]);
  assertEquals(rig.run(`${start} -name vm1`).status, 1, "a name is given once");
  assertEquals(rig.run(`${start} -name host`).status, 1);
});

Deno.test("who brings a CPU online while it boots as a slave waits, and gets EINVAL", () => {
  for (const ms of [171, 175, 181, 185]) {
    const rig = new SessionRig({ system: "rfc-v2" });
    rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online");
    rig.start("qemu-kvm.patched -m 512 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic");
    const { engine, host } = rig.lab;
    engine.runUntil(engine.nowNs + ms * 1_000_000);
    assertEquals(host.cpus[3]!.state, "offline", `${ms} ms: it is booting`);
    assertEquals(rig.run("echo 1 > /sys/devices/system/cpu/cpu3/online").status, 1);
    rig.ok("ssh vm0 true");
    assertEquals(host.cpus[3]!.state, "slave");
  }
});
