/**
 * Steal time: what a guest's kernel shows of the time that others have had its CPU.
 *
 * *Document*: Linux 3.5 `Documentation/virtual/kvm/msr.txt` (MSR_KVM_STEAL_TIME 0x4b564d03: bit 0 enables, bits 5:1 are
 * reserved), `arch/x86/kvm/x86.c` (`accumulate_steal_time()`: the thread's `sched_info.run_delay`), `proc(5)`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import { SessionRig } from "./session_rig.ts";

/** A guest that computes on CPU 3, beside `loops` endless loops of the host there, for a second. */
function busy(loops: number, system = "kvm", kernel = "linux-3.4.0") {
  const rig = new SessionRig({ system, kernel });
  const program = system === "kvm" ? "qemu-kvm" : "qemu-kvm.patched";
  rig.ok(`echo 0 > /sys/devices/system/cpu/cpu3/online
${program} -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic
ssh vm0 true`);
  rig.start("ssh vm0 'while :; do :; done'");
  for (let i = 0; i < loops; i++) rig.start("taskset -c 3 stress -c 1");
  rig.ok("run 1s");
  const vcpu: Vcpu = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!;
  return { rig, vcpu };
}

/** The steal column of /proc/stat in the guest, s: the eighth after the name, in 1/100 s. */
function stealColumn(rig: SessionRig): number {
  return Number(rig.ok("ssh vm0 'grep cpu0 /proc/stat'").trim().split(/ +/)[8]) / 100;
}

Deno.test("a guest whose CPU the host's loops share sees their time as steal: the run_delay of its vCPU's thread", () => {
  const { rig, vcpu } = busy(1);
  const column = stealColumn(rig);
  assert(column > 0.3 && column < 0.7, `${column} s of one second, beside one other task`);
  const { record } = vcpu.steal;
  assert(record !== null);
  assertEquals(column, Math.floor(record.stealNs / 1e7) / 100);
  // What is recorded is the waiting up to when the thread last got the CPU.
  assert(record.stealNs <= vcpu.thread!.runDelayNs);
});

Deno.test("the time of a thread that never sleeps is running and waiting, to the nanosecond", () => {
  const { rig, vcpu } = busy(1);
  const thread = vcpu.thread!;
  const soFar = () => {
    const { nowNs } = rig.lab.engine;
    const running = thread.cpuTimeNs + (thread.queuedNs < 0 ? nowNs - thread.execStartNs : 0);
    const waiting = thread.runDelayNs + (thread.queuedNs >= 0 ? nowNs - thread.queuedNs : 0);
    return { nowNs, running, waiting };
  };
  const before = soFar();
  rig.ok("run 500ms");
  const after = soFar();
  const waited = after.waiting - before.waiting;
  assertEquals(after.running - before.running + waited, after.nowNs - before.nowNs);
  assert(waited > 200_000_000 && waited < 300_000_000, `${waited} ns of 500 ms, beside one other task`);
});

Deno.test("alone on its CPU, and on a slave CPU, a guest is stolen nothing from", () => {
  for (const system of ["kvm", "talk"]) {
    const { rig } = busy(0, system);
    assertEquals(stealColumn(rig), 0, system);
  }
});

Deno.test("MSR 0x4b564d03: reserved bits fault, bit 0 clear ends the account; a kernel before 3.1 never sets it", () => {
  const { rig, vcpu } = busy(1);
  assertEquals(Number(rig.ok("ssh vm0 rdmsr -c 0x4b564d03")) & 1, 1);
  const { status, err } = rig.run("ssh vm0 wrmsr 0x4b564d03 0x2");
  assertEquals([status, err.includes("cannot set MSR 0x4b564d03")], [4, true]);
  rig.ok("ssh vm0 wrmsr 0x4b564d03 0x0");
  const { record } = vcpu.steal;
  const before = record!.stealNs;
  rig.ok("run 200ms");
  assertEquals(record!.stealNs, before);
  const old = busy(1, "kvm", "linux-2.6.32");
  assertEquals([stealColumn(old.rig), Number(old.rig.ok("ssh vm0 rdmsr 0x4b564d03"))], [0, 0]);
});
