/**
 * A virtual timer of a vCPU on a slave CPU: an hrtimer of an online CPU, because a slave has none.
 *
 * Expectations: Linux 3.5 `kernel/hrtimer.c` (`migrate_hrtimers()`: the timers of a CPU that goes offline expire on another
 * one), `arch/x86/kvm/lapic.c`. Both were found by the soak: the kick was left to the CPU that had gone, and a timer was
 * asked of it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

/** A guest without the direct timer that waits for its own; the CPU of its vCPU's thread. */
function waitingGuest() {
  const rig = new SessionRig({ system: "rfc-v1" });
  rig.ok(`
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic
ssh vm0 true`);
  const vcpu = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!;
  return { rig, vcpu, home: () => vcpu.thread!.cpu };
}

Deno.test("the CPU on which a virtual timer waits goes offline: it expires on another one, and the vCPU is kicked", () => {
  const { rig, home } = waitingGuest();
  rig.start("ssh vm0 cyclictest -n -q -i 50000 -l 4");
  rig.lab.engine.runUntil(rig.lab.engine.nowNs + 20_000_000); // its timer has been started
  const cpu = home();
  assert(cpu > 0 && cpu < 3);
  rig.ok(`echo 0 > /sys/devices/system/cpu/cpu${cpu}/online`);
  rig.ok("run 300ms > /dev/null");
  const { count, maxUs } = rig.histogram;
  assertEquals(count, 4);
  assert(maxUs! < 10_000, `${maxUs} us`);
});

Deno.test("the CPU of the vCPU's thread is offline when the guest sets its timer: an online one is asked", () => {
  const { rig, home } = waitingGuest();
  const cpu = home();
  rig.ok(`echo 0 > /sys/devices/system/cpu/cpu${cpu}/online`);
  assertEquals(home(), cpu, "the thread sleeps, and belongs there until it wakes");
  rig.ok("ssh vm0 cyclictest -n -q -l 20");
  assertEquals(rig.lab.machine.droppedMessages, 0);
  assert(rig.histogram.maxUs! < 1000, `${rig.histogram.maxUs} us`);
});
