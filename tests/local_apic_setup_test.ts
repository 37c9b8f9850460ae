/**
 * What a kernel makes of the local APICs before user space: pins, and the rate of the timer.
 *
 * Expectations: Linux 3.4 and 3.5 `arch/x86/kernel/apic/apic.c` (`setup_local_APIC()`: LINT0 ExtINT and masked once the I/O APIC
 * is in use, LINT1 NMI, open on the boot processor only; `setup_APIC_timer()`: another processor copies `lapic_clockevent`).
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const LVT0 = 0x350, LVT1 = 0x360;
const EXTINT_MASKED = 0x1_0700, NMI_OPEN = 0x400, NMI_MASKED = 0x1_0400;

const pins = ({ lab }: SessionRig) =>
  lab.machine.cpus.map(({ apic }) => [apic.read(LVT0, lab.engine.nowNs), apic.read(LVT1, lab.engine.nowNs)]);

Deno.test("the host's pins: LINT0 masked ExtINT, LINT1 NMI, open on cpu0 only; a CPU that comes back has them again", () => {
  const rig = new SessionRig({ system: "kvm" });
  const others = Array.from({ length: 3 }, () => [EXTINT_MASKED, NMI_MASKED]);
  assertEquals(pins(rig), [[EXTINT_MASKED, NMI_OPEN], ...others]);
  rig.ok("for to in 0 1; do echo $to > /sys/devices/system/cpu/cpu2/online; done; run 10ms > /dev/null");
  assertEquals(pins(rig), [[EXTINT_MASKED, NMI_OPEN], ...others]);
});

Deno.test("a slave CPU's pins are those of any other but the first", () => {
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok(`
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic; ssh vm0 true`);
  assertEquals(pins(rig)[3], [EXTINT_MASKED, NMI_MASKED]);
});

/** Counts for each ns, as each of the guest's processors believes. */
function rates({ lab }: SessionRig): number[] {
  return lab.guests.get("vm0")!.kernel.cpus.map(({ timerTicks, timerNs }) => timerTicks / timerNs);
}

Deno.test("a guest's other processors copy the first one's calibration, right or wrong", () => {
  const emulated = 1 / 16; // KVM's APIC counts 1 ns a bus cycle (`APIC_BUS_CYCLE_NS`), divided by 16
  const both = new SessionRig({ system: "kvm" });
  both.ok("qemu-kvm -smp 2 -cpu qemu64,+x2apic -nographic -no-kvm-pit; ssh vm0 true");
  for (const rate of rates(both)) assertAlmostEquals(rate, emulated, emulated / 1000);
  // One slave CPU for two: the first vCPU's timer is the processor's, the second one's is KVM's.
  const mixed = new SessionRig({ system: "rfc-v2" });
  mixed.ok(`
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -smp 2 -cpu qemu64,+x2apic -nographic -no-kvm-pit; ssh vm0 true`);
  const [first, second] = rates(mixed);
  assertEquals(second, first);
  assert(Math.abs(second! - emulated) > emulated / 10, "nobody has measured the second one's own");
});
