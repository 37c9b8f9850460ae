/**
 * PV EOI and KVM's own features: what CPUID leaf 0x40000001 shows, the MSRs behind it, and the exits that it saves.
 *
 * *Document*: Linux 3.6 `Documentation/virtual/kvm/{cpuid,msr}.txt` (bits; MSR_KVM_PV_EOI_EN 0x4b564d04: bit 0 enables, bit 1 is
 * reserved, the rest is an address), `arch/x86/kvm/lapic.c`; QEMU 1.1 `target-i386/cpu.c` (all features that KVM has), QEMU 7.2
 * `target/i386/kvm/kvm-cpu.c` (`kvm_default_props`).
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { TraceLog } from "../hw/sim/trace.ts";
import { ExitReason } from "../hw/vmx.ts";
import { shows, supportedCpuid } from "../runtime/kvm/cpuid.ts";
import { KVM_VERSIONS } from "../runtime/kvm/versions.ts";
import { Invariants } from "../runtime/lab/invariants.ts";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { SessionRig } from "./session_rig.ts";

const MSR_PV_EOI = "0x4b564d04";

/** A guest of today's host, on CPU 3, with QEMU's `-cpu` as given. */
function guest({ cpu = "qemu64", kernel = "linux-6.18.0", more = "", before = "" } = {}) {
  const rig = new SessionRig({ system: "kvm", kernel });
  rig.ok(`set -o era=today; boot kvm --kernel ${kernel}`);
  const watch = new Invariants(rig.lab);
  rig.lab.engine.trace = watch;
  rig.ok(before);
  rig.ok(`qemu-system-x86_64 -m 1024 -cpu ${cpu} -accel kvm -display none ${more}; ssh vm0 true`);
  const { vcpus } = rig.lab.guests.get("vm0")!.machine.file.vm;
  return { rig, watch, vcpus };
}

/** Exits for each period of an idle guest's cyclictest, all and those of MSR writes. */
function perPeriod(rig: SessionRig): { all: number; writes: number } {
  rig.ok("ssh vm0 cyclictest -m -q -p 99 -l 500 > /dev/null");
  const { exits } = rig.result;
  return {
    all: exits.reduce((sum, count) => sum + count) / 500,
    writes: exits[ExitReason.MsrWrite]! / 500,
  };
}

Deno.test("a KVM shows the features that it has, and that the model has: PV EOI is bit 6, since 3.6", () => {
  const eax = (version: keyof typeof KVM_VERSIONS) =>
    supportedCpuid(KVM_VERSIONS[version]).find((entry) => entry.get("function") === 0x4000_0001)!.get("eax");
  const clock = (1 << 0) | (1 << 3), noDelay = 1 << 1, steal = 1 << 5, eoi = 1 << 6, stable = 1 << 24;
  assertEquals(eax("3.5"), clock | noDelay | steal | stable);
  assertEquals(eax("3.6"), clock | noDelay | steal | eoi | stable);
  assertEquals(eax("6.18"), eax("3.6"), "what has come since is not modelled, and not shown");
});

Deno.test("an interrupt that is ended in memory costs no exit: one fewer each timer period", () => {
  const { rig, watch } = guest();
  const withIt = perPeriod(rig), without = perPeriod(guest({ cpu: "qemu64,-kvm_pv_eoi" }).rig);
  assert(Math.abs(without.all - withIt.all - 1) < 0.1, `${without.all} and ${withIt.all} a period`);
  assert(Math.abs(without.writes - withIt.writes - 1) < 0.1, "it is a write of the EOI register");
  assertEquals(watch.violations, []);
});

Deno.test("a kernel before 3.6 does not ask for it, and ends its interrupts with an exit", () => {
  const { rig, vcpus } = guest({ kernel: "linux-3.4.0" });
  assert(shows(vcpus[0]!.state.cpuid, "kvm_pv_eoi"), "it is offered");
  const { all } = perPeriod(rig),
    without = perPeriod(guest({ kernel: "linux-3.4.0", cpu: "qemu64,-kvm_pv_eoi" }).rig);
  assertEquals(all, without.all);
  assertEquals(Number(rig.ok(`ssh vm0 rdmsr ${MSR_PV_EOI}`)), 0);
});

Deno.test("KVM 3.5 has no such register, and QEMU 1.1 takes away what KVM has not", () => {
  const rig = new SessionRig({ system: "kvm", kernel: "linux-3.8.0" });
  rig.ok("qemu-kvm -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic; ssh vm0 true");
  const { state } = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!;
  assertEquals(["kvm_steal_time", "kvm_pv_eoi"].map((name) => shows(state.cpuid, name)), [true, false]);
  for (const access of [`rdmsr ${MSR_PV_EOI}`, `wrmsr ${MSR_PV_EOI} 0`]) {
    assertEquals(rig.run(`ssh vm0 ${access}`).status, 4, access);
  }
});

Deno.test("the register: an address of 4-byte words in memory, else #GP; bit 0 clear ends it", () => {
  const { rig, vcpus: [vcpu] } = guest({ more: "-smp 1" });
  const { pvEoi } = vcpu!;
  assertEquals(Number(rig.ok(`ssh vm0 rdmsr -c ${MSR_PV_EOI}`)) & 1, 1, "the kernel has enabled it");
  const { value } = pvEoi;
  const refused = ["0x1000003", "0x1000002", "0x7fffffff0001"]; // unaligned twice; beyond 1 GiB
  for (const bad of refused) {
    const { status, err } = rig.run(`ssh vm0 wrmsr ${MSR_PV_EOI} ${bad}`);
    assertEquals(status, 4, bad);
    assertStringIncludes(err, `cannot set MSR ${MSR_PV_EOI}`);
  }
  assertEquals(pvEoi.value, value, "what is refused changes nothing");
  const before = perPeriod(rig);
  rig.ok(`ssh vm0 wrmsr ${MSR_PV_EOI} 0`);
  const after = perPeriod(rig);
  assert(Math.abs(after.writes - before.writes - 1) < 0.1);
  // A word elsewhere is nobody's: KVM takes its bit back, and the guest goes on ending by exits.
  rig.ok(`ssh vm0 wrmsr ${MSR_PV_EOI} 0x2000001`);
  assert(Math.abs(perPeriod(rig).writes - after.writes) < 0.1);
});

Deno.test("an interrupt of the I/O APIC's, whose end that has to hear of, is ended by an exit", () => {
  const { rig } = guest();
  const log = rig.lab.engine.trace = new TraceLog();
  for (let i = 0; i < 3; i++) rig.ok("ssh vm0 true; run 1ms"); // each by the emulated network card, line 11
  const vectors = (name: string) =>
    log.records.filter((record) => record.name === name).map(({ fields }) => fields.vector);
  const others = (name: string) => vectors(name).filter((vector) => vector !== Vector.LocalTimer);
  assert(others("kvm_eoi").length >= 3);
  assertEquals(others("kvm_pv_eoi"), []);
});

Deno.test("tracepoint kvm_pv_eoi follows kvm_eoi, where KVM sees what the guest has ended", () => {
  const { rig } = guest();
  rig.ok("cd /sys/kernel/tracing; echo kvm:kvm_eoi kvm:kvm_pv_eoi > set_event; echo 1 > tracing_on");
  rig.ok("ssh vm0 cyclictest -m -q -p 99 -l 20 > /dev/null");
  const lines = rig.ok("grep -o 'kvm_[a-z_]*eoi: .*' trace").trim().split("\n");
  const at = lines.indexOf("kvm_pv_eoi: apicid 0 vector 239");
  assert(at > 0);
  assertEquals(lines[at - 1], "kvm_eoi: apicid 0 vector 239");
});

Deno.test("steal time is told where CPUID shows it: -cpu qemu64,-kvm_steal_time tells none", () => {
  const { rig, vcpus: [vcpu] } = guest({ cpu: "qemu64,-kvm_steal_time" });
  assertEquals([vcpu!.steal.value, Number(rig.ok("ssh vm0 rdmsr 0x4b564d03"))], [0n, 0]);
});

Deno.test("features that KVM has and the model has not are named, and their registers fault", () => {
  const rig = new SessionRig({ system: "kvm", kernel: "linux-6.18.0" });
  rig.ok("set -o era=today");
  const { status, err } = rig.run(
    "qemu-system-x86_64 -m 512 -cpu qemu64,+kvm-asyncpf -accel kvm -display none",
  );
  assertEquals([status, err], [
    0,
    "note: -cpu: kvm_asyncpf is not modelled, and the guest is not shown it\n",
  ]);
  rig.ok("ssh vm0 true");
  assertEquals(rig.run("ssh vm0 wrmsr 0x4b564d02 1").status, 4, "asynchronous page faults");
  rig.ok("ssh vm0 wrmsr 0x4b564d01 0x1234001");
  assertEquals(Number(rig.ok("ssh vm0 rdmsr -c 0x4b564d01")), 0x1234001, "kvm-clock's is there");
});

Deno.test("interrupts of all kinds at random instants: none is lost, none is ended twice, none is stuck", () => {
  const device = "/sys/bus/pci/devices/0000:05:00.0";
  const { rig, watch, vcpus: [vcpu] } = guest({
    before: `echo vfio-pci > ${device}/driver_override; echo 0000:05:00.0 > ${device}/driver/unbind
      echo 0000:05:00.0 > /sys/bus/pci/drivers_probe`,
    more: "-device vfio-pci,host=0000:05:00.0",
  });
  const { engine, host } = rig.lab;
  const { networkLine } = rig.lab.guests.get("vm0")!.machine;
  rig.start("ssh vm0 'cyclictest -m -q -p 99 -i 100 -l 100000 > /dev/null'");
  rig.start("ssh vm0 'while :; do rdmsr 0x1b; done > /dev/null'");
  rig.ok("run 1ms");
  const seen = { kvm_inj_virq: 0, kvm_eoi: 0, kvm_pv_eoi: 0 };
  engine.trace = {
    record(record) {
      watch.record(record);
      if (record.name === "kvm_entry" && vcpu!.pvEoi.pending) {
        assertEquals(vcpu!.apic.irr.highest(), -1, "the bit is set where no other one waits");
      }
      if (record.name in seen) seen[record.name as keyof typeof seen]++;
    },
  };
  const random = engine.random.stream("pv eoi");
  for (let i = 0; i < 1000; i++) {
    engine.runUntil(engine.nowNs + 1 + Math.floor(random.exponential() * 15_000));
    if (random.uniform() < 0.5) rig.lab.interruptSources().get("vf0")?.(0);
    else rig.lab.type(host, (here) => networkLine.raise(here));
  }
  engine.runUntil(engine.nowNs + 1_000_000);
  assertEquals(watch.violations, []);
  assert(
    seen.kvm_pv_eoi > 200 && seen.kvm_eoi - seen.kvm_pv_eoi > 200,
    "both ways to end one have been gone",
  );
  const inService = vcpu!.apic.inService ? 1 : 0;
  assert(
    Math.abs(seen.kvm_inj_virq - seen.kvm_eoi) <= 1 + inService,
    "each injected interrupt has been ended",
  );
});
