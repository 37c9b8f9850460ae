/**
 * Guest time: what a host books for the guests that it executes, and what each guest books for itself.
 *
 * *Document*: `proc(5)`: `/proc/stat` (user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice, in
 * 1/100 s; user contains guest), `/proc/PID/stat` (field 14 utime, 15 stime, 43 guest_time; a process's are its threads');
 * Linux 3.5 `include/linux/kvm_host.h` (`kvm_guest_enter()`, `kvm_guest_exit()`), `fs/proc/array.c`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Invariants } from "../runtime/lab/invariants.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { SessionRig } from "./session_rig.ts";

const USER = 0, SYSTEM = 2, IDLE = 3, STEAL = 7, GUEST = 8;
/** A guest without slave CPU; its vCPUs are threads of the host. */
const STOCK = "qemu-kvm -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic";
const PATCHED = "qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic";

/** A guest that keeps reading IA32_APIC_BASE: each of these exits. */
const READS = "ssh vm0 'while :; do rdmsr 0x1b; done > /dev/null'";

/** Columns of a row of /proc/stat, 1/100 s. @param on `ssh vm0 ` for a guest's */
function columns(rig: SessionRig, cpu: number, on = ""): number[] {
  return rig.ok(`${on}grep cpu${cpu} /proc/stat`).trim().split(" ").slice(1).map(Number);
}

/** Fields of a /proc/PID/stat by their number in proc(5). */
function fields(rig: SessionRig, path: string): number[] {
  return [0, ...rig.ok(`cat ${path}`).trim().split(" ").map(Number)];
}

/** What `after` has more than `before`. */
const more = (after: number[], before: number[]) => after.map((value, i) => value - before[i]!);

/** Whether `value` hundredths are `expected`, but for roundings and what everybody has to do beside. */
function near(value: number, expected: number, what: string, within = 4): void {
  assert(Math.abs(value - expected) <= within, `${what}: ${value}, expected about ${expected}`);
}

function vcpuThread(rig: SessionRig, vm: string, index = 0): { pid: number; tid: number } {
  const { file } = rig.lab.guests.get(vm)!.machine;
  const { pid, tgid } = file.vm.vcpus[index]!.thread!;
  return { pid: tgid, tid: pid };
}

Deno.test("each of two guests counts its own CPU: the one computes, the other is idle", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`${STOCK}; ${STOCK}; ssh vm0 true; ssh vm1 true`);
  rig.start("ssh vm1 'while :; do :; done'");
  rig.ok("run 10ms");
  const before = ["vm0", "vm1"].map((vm) => columns(rig, 0, `ssh ${vm} `));
  rig.ok("run 1s");
  const [idle, busy] = ["vm0", "vm1"].map((vm, i) => more(columns(rig, 0, `ssh ${vm} `), before[i]!));
  near(idle![USER]! + idle![SYSTEM]!, 0, "vm0's own work");
  near(idle![IDLE]!, 100, "vm0 idles");
  near(busy![USER]! + busy![SYSTEM]!, 100, "vm1's own work");
  near(busy![IDLE]!, 0, "vm1 idles");
});

Deno.test("a guest of two vCPUs counts each of them: a loop on cpu1 is cpu1's", () => {
  for (const system of ["kvm", "talk"]) {
    const rig = new SessionRig({ system });
    if (system === "talk") rig.ok("for cpu in 3 2; do echo 0 > /sys/devices/system/cpu/cpu$cpu/online; done");
    rig.ok(`${system === "kvm" ? STOCK : PATCHED} -smp 2; ssh vm0 true`);
    rig.start("ssh vm0 'taskset -c 1 stress -c 1'");
    rig.ok("run 10ms");
    const before = [0, 1].map((cpu) => columns(rig, cpu, "ssh vm0 "));
    rig.ok("run 1s");
    const [first, second] = [0, 1].map((cpu) => more(columns(rig, cpu, "ssh vm0 "), before[cpu]!));
    near(first![USER]!, 0, `${system}: cpu0, user`);
    near(first![IDLE]!, 100, `${system}: cpu0, idle`);
    near(second![USER]! + second![STEAL]! + second![SYSTEM]!, 100, `${system}: cpu1`);
    near(second![IDLE]!, 0, `${system}: cpu1, idle`);
  }
});

Deno.test("what a guest's CPU was away for, handling its exits, is its system time; waiting for a CPU is steal", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`${STOCK}; ssh vm0 true`);
  rig.start(READS);
  rig.start("taskset -c 3 stress -c 1");
  rig.ok("run 10ms");
  const before = columns(rig, 0, "ssh vm0 ");
  rig.ok("run 100ms");
  const spent = more(columns(rig, 0, "ssh vm0 "), before);
  near(spent[STEAL]!, 5, "steal, beside one other task", 3);
  near(spent[USER]! + spent[SYSTEM]! + spent[STEAL]!, 10, "a busy guest", 2);
  near(spent[IDLE]!, 0, "a busy guest does not idle", 2);
});

Deno.test("the host's guest column is part of its user column, on the CPU that executes the guest", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`${STOCK}; ssh vm0 true`);
  rig.start("ssh vm0 'while :; do :; done'");
  rig.ok("run 10ms");
  const before = [0, 1, 2, 3].map((cpu) => columns(rig, cpu));
  rig.ok("run 1s");
  const spent = [0, 1, 2, 3].map((cpu) => more(columns(rig, cpu), before[cpu]!));
  near(spent[3]![GUEST]!, 100, "guest time of cpu3");
  assert(spent[3]![USER]! >= spent[3]![GUEST]!, "user contains guest");
  near(spent[3]![IDLE]!, 0, "cpu3 idles");
  assertEquals(spent.slice(0, 3).map((row) => row[GUEST]), [0, 0, 0]);
});

Deno.test("a host CPU whose guest sleeps is idle, and its columns are the time that has passed", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`${STOCK}; ssh vm0 true`);
  const before = columns(rig, 3);
  rig.ok("run 1s");
  const spent = more(columns(rig, 3), before);
  near(spent[GUEST]!, 0, "guest");
  near(spent[IDLE]!, 100, "idle");
  near(spent[USER]! + spent[SYSTEM]! + spent[IDLE]!, 100, "all", 2);
});

for (const system of ["kvm", "talk"]) {
  Deno.test(`${system}: guest_time is that of the vCPU's thread, and its process's is the sum of its threads'`, () => {
    const rig = new SessionRig({ system });
    if (system === "talk") rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online");
    rig.ok(`${system === "kvm" ? STOCK : PATCHED}; ssh vm0 true`);
    rig.start("ssh vm0 'while :; do :; done'");
    rig.ok("run 10ms");
    const { pid, tid } = vcpuThread(rig, "vm0");
    assert(pid !== tid, "QEMU's main loop is another thread");
    const paths = [`/proc/${pid}/stat`, `/proc/${pid}/task/${pid}/stat`, `/proc/${pid}/task/${tid}/stat`];
    const before = paths.map((path) => fields(rig, path));
    rig.ok("run 1s");
    const [process, main, vcpu] = paths.map((path, i) => more(fields(rig, path), before[i]!));
    near(vcpu![43]!, 100, "guest_time of the vCPU's thread");
    assertEquals([main![43], vcpu![44]], [0, 0], "no other thread's, no child's");
    near(process![43]!, vcpu![43]!, "guest_time of the process", 1);
    assert(vcpu![14]! >= vcpu![43]!, "utime contains guest_time");
  });
}

Deno.test("a guest that is reset counts from zero again", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`${STOCK}; ssh vm0 true`);
  rig.start("ssh vm0 'while :; do :; done'");
  rig.ok("run 1s; monitor vm0 system_reset; run 300ms; ssh vm0 true");
  const spent = columns(rig, 0, "ssh vm0 ");
  assert(spent[USER]! + spent[SYSTEM]! < 20, `${spent}`);
});

Deno.test("M14, the stamp behind the handler: the host's time becomes the guest's, and the invariant says how much", () => {
  const spent = (mutant: string) => {
    const rig = new SessionRig({ system: "kvm" });
    rig.ok(`boot kvm ${mutant}`);
    const watch = new Invariants(rig.lab);
    rig.lab.engine.trace = watch;
    rig.ok(`${STOCK}; ssh vm0 true`);
    rig.start(READS);
    rig.ok("run 50ms");
    const { kvm, engine } = rig.lab;
    const { thread } = kvm.vms[0]!.vcpus[0]!;
    return {
      guestNs: thread!.guestNs,
      row: columns(rig, 3),
      layers: rig.lab.timeByLayer(3),
      nowNs: engine.nowNs,
      kinds: [...new Set(watch.violations.map(({ kind }) => kind))],
    };
  };
  const right = spent(""), wrong = spent("--mutant M14");
  assertEquals([right.layers, right.nowNs], [wrong.layers, wrong.nowNs], "the hardware's record is the same");
  assertEquals([right.kinds, wrong.kinds], [[], ["sum of layers"]]);
  const kvmNs = right.layers[Layers.Kvm]!, hostNs = kvmNs + right.layers[Layers.HostKernel]!;
  const surplusNs = wrong.guestNs - right.guestNs; // of KVM's, and of handlers that came in between
  assert(surplusNs > kvmNs / 2 && surplusNs <= hostNs, `${surplusNs} ns of KVM's ${kvmNs}`);
  near(wrong.row[GUEST]! - right.row[GUEST]!, surplusNs / 1e7, "the guest column", 1);
  near(right.row[SYSTEM]! - wrong.row[SYSTEM]!, surplusNs / 1e7, "which the system column lacks", 1);
});

Deno.test("ps: TIME of a process is that of all its threads, a vCPU's on a slave CPU included; -L tells them apart", () => {
  const rig = new SessionRig({ system: "talk" });
  rig.ok(`echo 0 > /sys/devices/system/cpu/cpu3/online; ${PATCHED}; ssh vm0 true`);
  rig.start("ssh vm0 'while :; do :; done'");
  rig.ok("run 3s");
  const { pid, tid } = vcpuThread(rig, "vm0");
  assertEquals(rig.ok(`ps -p ${pid} -o time=`), "00:00:03\n");
  const rows = rig.ok(`ps -L -p ${pid} -o lwp=,time=`).trim().split("\n").map((row) =>
    row.trim().split(/ +/)
  );
  assertEquals(rows, [[`${pid}`, "00:00:00"], [`${tid}`, "00:00:03"]]);
});
