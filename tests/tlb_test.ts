/**
 * TLB shoot-downs: the sender waits for every CPU in its mask.
 *
 * Expectations: Linux 3.6 `kernel/smp.c` (the sender of a function call that waits), `arch/x86/mm/tlb.c`; patch 21 of the
 * series: slave CPUs are asked by NMI; one that is idle acknowledges in the handler, another before it enters the guest or
 * when it gives the vCPU back; the sender spins until all have, without a limit.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MUTANTS } from "../runtime/kvm/protocol.ts";
import { RFC_V2, Rig, SERIAL_WRITE, startQemu, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

const NMI_EXIT = 0;
const EXTERNAL_INTERRUPT = 1;
const PREEMPTION_TIMER = 52;
const COMMAND = "qemu-kvm.patched -cpu qemu64,+x2apic -no-kvm-pit";

/** A guest that computes: on slave cpu3, or on cpu3 as any other task of the host. */
function running(capabilities = RFC_V2, protocol = {}) {
  const rig = new Rig(capabilities, { offline: capabilities.slaveCpu ? [3] : [], protocol });
  const { machine } = startQemu(rig, COMMAND);
  rig.pass(100_000_000);
  const vcpu = rig.kvm.vms[0]!.vcpus[0]!;
  assert(vcpu.inGuest);
  return { rig, vcpu, pid: machine!.pid };
}

/** Shoots QEMU's address space down from cpu1; says when that is done. */
function shootDown({ rig, pid }: { rig: Rig; pid: number }): { readonly tookNs: number | undefined } {
  const result: { tookNs: number | undefined } = { tookNs: undefined };
  rig.run("sender", 1, function* (task) {
    const sinceNs = rig.engine.nowNs;
    yield* rig.host.tlb.flush(task, pid);
    result.tookNs = rig.engine.nowNs - sinceNs;
    return 0;
  });
  return result;
}

/** Exits by reason from now on. */
function exitsFrom(vcpu: { readonly exits: ArrayLike<number> }) {
  const before = Array.from(vcpu.exits);
  return () =>
    Object.fromEntries(
      before.flatMap((count, reason) =>
        vcpu.exits[reason] === count ? [] : [[reason, vcpu.exits[reason]! - count]]
      ),
    );
}

Deno.test("a slave CPU that runs a guest leaves it by one NMI, and the sender spins until it has", () => {
  const guest = running();
  const exits = exitsFrom(guest.vcpu);
  const nmis = guest.rig.host.cpus[3]!.nonMaskableInterrupts;
  const sent = shootDown(guest);
  guest.rig.pass(1_000_000);
  assertEquals(exits(), { [NMI_EXIT]: 1 });
  assertEquals(
    guest.rig.host.cpus[3]!.nonMaskableInterrupts,
    nmis,
    "taken as an exit, not through the host's table",
  );
  // At least the message, the exit and the NMI's handling lie between.
  assert(sent.tookNs! > 500, `${sent.tookNs} ns`);
  assertEquals(guest.rig.host.tlb.pending, []);
  assert(guest.vcpu.inGuest);
});

Deno.test("a slave CPU that waits in its loop has given the address space back and is not asked", () => {
  const guest = running();
  guest.rig.portWrites.push(SERIAL_WRITE);
  guest.rig.until(() => guest.vcpu.loadedOn === null);
  assertEquals(guest.rig.host.cpus[3]!.addressSpace, 0, "unuse_mm()");
});

Deno.test("a slave CPU that is idle when its NMI comes acknowledges in the handler", () => {
  const { rig } = running();
  rig.portWrites.push(SERIAL_WRITE);
  rig.until(() => (rig.host.tlb.idleSlaves & (1 << 3)) !== 0);
  const slave = rig.host.cpus[3]!;
  slave.shootdowns = 1; // asked at the very instant at which it gave the vCPU back
  assert(rig.host.tlb.nmiArrived(slave), "the NMI was for it");
  assertEquals(slave.shootdowns, 0);
  assert(!rig.host.tlb.nmiArrived(slave), "the next one is not");
});

Deno.test("an NMI that comes just before the entry prevents that, and the CPU acknowledges without having run the guest", () => {
  const guest = running();
  const { rig, vcpu } = guest;
  rig.portWrites.push(SERIAL_WRITE);
  rig.until(() => vcpu.loadedOn === null);
  rig.until(() => vcpu.inGuest && rig.machine.cpus[3]!.inFlight?.name === "slaveEntry");
  const exits = exitsFrom(vcpu);
  const slave = rig.host.cpus[3]!;
  slave.shootdowns = 1; // as if cpu1 had asked just now: its NMI comes within the entry
  rig.machine.cpus[3]!.nmi();
  rig.until(() => slave.shootdowns === 0);
  assertEquals(exits(), { [PREEMPTION_TIMER]: 1 });
});

const mistake = (id: string) => MUTANTS.find((one) => one.id === id)!.protocol!;

Deno.test("M1: asked by an ordinary interrupt, the guest takes it; nobody acknowledges, and the sender spins on", () => {
  const guest = running(RFC_V2, mistake("M1"));
  const { rig } = guest;
  const sent = shootDown(guest);
  rig.pass(100_000_000);
  assertEquals(sent.tookNs, undefined);
  assertEquals(rig.host.tlb.pending.map(({ sender, waiting }) => [sender, waiting]), [[1, 1 << 3]]);
  assertEquals(rig.machine.cpus[1]!.inFlight?.name, "flush_tlb_others");
});

Deno.test("M7: an NMI just before the entry is forgotten, and nobody acknowledges while the guest runs", () => {
  const { rig, vcpu } = running(RFC_V2, mistake("M7"));
  rig.portWrites.push(SERIAL_WRITE);
  rig.until(() => vcpu.loadedOn === null);
  rig.until(() => vcpu.inGuest && rig.machine.cpus[3]!.inFlight?.name === "slaveEntry");
  rig.host.cpus[3]!.shootdowns = 1;
  rig.machine.cpus[3]!.nmi();
  rig.pass(10_000_000);
  assertEquals([rig.host.cpus[3]!.shootdowns, vcpu.inGuest], [1, true]);
});

Deno.test("stock KVM: the CPU that runs the guest takes a function call, which is an exit, and the sender waits", () => {
  const guest = running(STOCK);
  const exits = exitsFrom(guest.vcpu);
  const calls = guest.rig.host.cpus[3]!.callFunctionInterrupts;
  const sent = shootDown(guest);
  guest.rig.pass(1_000_000);
  assertEquals(exits(), { [EXTERNAL_INTERRUPT]: 1 });
  assertEquals(guest.rig.host.cpus[3]!.callFunctionInterrupts - calls, 1);
  assert(sent.tookNs! > 300, `${sent.tookNs} ns`);
});

Deno.test("nobody else has the address space: nobody is told, and no time passes", () => {
  const { rig } = running();
  const sent = shootDown({ rig, pid: 4711 });
  rig.pass(1_000_000);
  assertEquals(sent.tookNs, 0);
});

Deno.test("a CPU that only idles with an address space leaves it at the first shoot-down", () => {
  const rig = new Rig(STOCK, { offline: [] });
  const visitor = rig.run("visitor", 2, function* (task) {
    yield rig.host.steps.wakeUp;
    yield* rig.host.cpus[task.cpu]!.sleep();
    return 0;
  });
  rig.pass(10_000_000);
  assertEquals(rig.host.cpus[2]!.addressSpace, visitor.tgid, "the idle task keeps it");
  shootDown({ rig, pid: visitor.tgid });
  rig.pass(1_000_000);
  assertEquals(rig.host.cpus[2]!.addressSpace, 0);
});

Deno.test("set -o check reports the shoot-down that is never acknowledged", () => {
  const rig = new SessionRig({ system: "talk" });
  const { err } = rig.run(`
boot talk --mutant M1
set -o check
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic
run 200ms > /dev/null
stress -m 1 --vm-bytes 16000M -t 1 > /dev/null &
run 500ms > /dev/null`);
  assert(
    /missed shoot-down at cpu3, .*: cpu\d has been spinning for 1 ms: cpu3 does not acknowledge its TLB shoot-down/
      .test(err),
    err,
  );
});
