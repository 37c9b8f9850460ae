/**
 * Ends of a slave CPU's time with a guest: whichever way it comes to its end, nothing is left behind.
 *
 * Expectations: patch 02 (`slave_cpu_down()`: the CPU is offline again), patch 06 (`kvm_arch_vcpu_put_migrate()`: the VMCS is
 * cleared), patch 08 (KVM_SET_SLAVE_CPU with a negative number detaches; the end of a vCPU does the same), patch 18
 * (`deassign_slave_msix()`: the vectors are reverted), `Documentation/ABI/testing/sysfs-devices-system-cpu`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Invariants } from "../runtime/lab/invariants.ts";
import { IrqDescriptor } from "../runtime/linux/irq/irq.ts";
import { SessionRig } from "./session_rig.ts";

/** LVT timer entry: bit 16 masks it. */
const LVTT = 0x320, MASKED = 0x1_0000;
/** Initial count. */
const TMICT = 0x380;

/** What a guest could leave behind on the host and on cpu3. */
function leavings({ lab }: SessionRig) {
  const { host, kvm, machine, software } = lab;
  const cpu = host.cpus[3]!, physical = machine.cpus[3]!;
  return {
    state: cpu.state,
    devicesVectors: [...cpu.vectorIrq].filter(([, action]) => action instanceof IrqDescriptor).length,
    timerOverride: cpu.localTimerOverride !== null,
    functions: cpu.callFunctions.length,
    addressSpace: cpu.addressSpace,
    shootdowns: cpu.shootdowns + host.tlb.pending.length + host.tlb.idleSlaves,
    pending: host.cpus.map(({ nmiMask, rescheduleMask }) => nmiMask | rescheduleMask),
    vmcs: physical.vmcs !== null,
    timerArmed: physical.apic.read(TMICT, lab.engine.nowNs) !== 0 &&
      (Number(physical.apic.read(LVTT, lab.engine.nowNs)) & MASKED) === 0,
    inService: physical.apic.inService,
    slaves: [...kvm.slaves.keys()],
    dying: [...kvm.dying],
    booting: [...kvm.booting.keys()],
    machines: kvm.vms.length,
    irqs: software.irqs.list().map(({ irq, name, affinity, cpu: home, vector }) =>
      `${irq} ${name} ${affinity} cpu${home} ${vector}`
    ),
    remapped: software.irqs.list().length,
    domain: machine.remapping.domainOf(0x0500),
    device: software.pci.find("0000:05:00.0")!.assigned,
    tasks: [...host.tasks.values()].filter(({ name }) => /qemu|kvm/.test(name)).map(({ name }) => name),
  };
}

/** A host whose cpu3 is offline and whose virtual function is free: what is there before a guest is, and one that runs. */
function runningGuest(system: string, features = "qemu64,+x2apic") {
  const rig = new SessionRig({ system });
  rig.ok(`
echo 8086 10ed > /sys/bus/pci/drivers/pci-stub/new_id
echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind
echo 0 > /sys/devices/system/cpu/cpu3/online
run 10ms > /dev/null`);
  const before = leavings(rig);
  rig.ok(`
qemu-kvm.patched -m 1024 -cpu ${features} -enable-kvm -no-kvm-pit -nographic -device pci-assign,host=05:00.0
ssh vm0 true`);
  const watch = new Invariants(rig.lab);
  rig.lab.engine.trace = watch;
  rig.start("ssh vm0 'while :; do sleep 0.001; done'");
  rig.start("ssh vm0 'while :; do :; done'");
  rig.ok("run 20ms > /dev/null");
  assertEquals(rig.lab.host.cpus[3]!.state, "slave");
  assert(leavings(rig).devicesVectors > 0, "the guest's vectors are registered");
  return { rig, before, watch };
}

const pidOf = ({ lab }: SessionRig) => lab.guests.get("vm0")!.machine.pid;

/** Ways to the end of everything. */
const ENDS: Readonly<Record<string, (rig: SessionRig) => string>> = {
  "SIGTERM to QEMU": (rig) => `kill -TERM ${pidOf(rig)}`,
  "SIGKILL to QEMU": (rig) => `kill -KILL ${pidOf(rig)}`,
  "the monitor's quit": () => "monitor vm0 quit",
  "a stopped machine that is killed": (rig) => `monitor vm0 stop; kill -KILL ${pidOf(rig)}`,
  "the slave CPU detached, then SIGTERM": (rig) =>
    `monitor vm0 stop; ioctl(vcpu[0], KVM_SET_SLAVE_CPU, -1); monitor vm0 cont; kill ${pidOf(rig)}`,
};

for (const system of ["rfc-v1", "rfc-v2", "talk"]) {
  for (const [end, commands] of Object.entries(ENDS)) {
    Deno.test(`${system}: ${end} while the slave CPU runs: nothing is left, and the CPU comes back online`, () => {
      const { rig, before, watch } = runningGuest(system);
      rig.run(commands(rig));
      rig.ok("run 500ms > /dev/null"); // native_cpu_die() looks every 100 ms
      assertEquals(leavings(rig), before);
      assertEquals(watch.violations, []);
      assertEquals(rig.lab.guests.size, 0);
      rig.ok("echo 1 > /sys/devices/system/cpu/cpu3/online");
      assertEquals(rig.ok("cat /sys/devices/system/cpu/online"), "0-3\n");
      assertEquals(rig.ok("taskset -c 3 cyclictest -n -q -l 10 | wc -l"), "2\n", "and works as before");
      // What was there can be had again.
      rig.ok(`
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic -device pci-assign,host=05:00.0
ssh vm0 true`);
      assertEquals(rig.lab.host.cpus[3]!.state, "slave");
    });
  }
}

Deno.test("a slave CPU cannot be brought online, and its guest does not notice", () => {
  const { rig } = runningGuest("rfc-v2");
  const exits = () => rig.lab.exits().reduce((sum, count) => sum + count);
  const before = exits();
  const { status, err } = rig.run("echo 1 > /sys/devices/system/cpu/cpu3/online");
  assertEquals([status, err], [1, "x.rtk: line 1: echo: write error: Invalid argument\n"]);
  assertEquals([rig.lab.host.cpus[3]!.state, exits()], ["slave", before]);
});

Deno.test("detached, the CPU is offline again and the vCPU runs on an online one", () => {
  const { rig } = runningGuest("rfc-v2");
  rig.ok("monitor vm0 stop; ioctl(vcpu[0], KVM_SET_SLAVE_CPU, -1); monitor vm0 cont");
  rig.ok("run 5ms > /dev/null");
  const vcpu = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!;
  const after = leavings(rig);
  assertEquals(after.state, "offline");
  assertEquals([after.slaves, after.timerOverride, after.vmcs, after.timerArmed], [[], false, false, false]);
  assertEquals([after.shootdowns, after.addressSpace, after.dying], [0, 0, []]);
  assertEquals([vcpu.slaveCpu, vcpu.loadedOn?.state, vcpu.vmcs.externalInterruptExiting], [
    -1,
    "online",
    true,
  ]);
  for (const { cpu } of rig.lab.software.irqs.list()) {
    assert(cpu < 3, "no interrupt is led to the CPU that is gone");
  }
});

Deno.test("system_reset while the slave CPU runs: the guest begins anew there, with no interrupt of the old one's", () => {
  const { rig, watch } = runningGuest("talk");
  const kernel = rig.lab.guests.get("vm0")!.kernel;
  rig.ok("monitor vm0 system_reset");
  rig.ok("ssh vm0 true");
  const { machine, kernel: anew } = rig.lab.guests.get("vm0")!;
  assert(anew !== kernel);
  assertEquals(rig.lab.host.cpus[3]!.state, "slave");
  const [vcpu] = machine.file.vm.vcpus;
  assertEquals([vcpu!.slaveCpu, vcpu!.inGuest], [3, true]);
  const before = machine.file.vm.assigned[0]!.forwarded;
  rig.ok("irq vf0; run 1ms > /dev/null");
  assertEquals(
    rig.ok("ssh vm0 grep TxRx /proc/interrupts").trim().split(/\s+/)[1],
    "1",
    "delivered directly",
  );
  assertEquals(machine.file.vm.assigned[0]!.forwarded, before);
  assertEquals(watch.violations, []);
});
