/**
 * A vCPU gets its slave CPU when its guest runs already: what becomes of the timer.
 *
 * Expectations: patch 08 (`kvm_arch_vcpu_ioctl_set_slave_cpu()`), patch 20 of the series (`apic_reg_write()`,
 * `start_apic_timer()`): LVTT, TDCR and the TSC deadline reach the slave CPU's own local APIC when the guest writes them there,
 * and at no other time; the attach itself leaves that timer as `slave_cpu_disable_timer()` has: masked. The virtual timer that
 * is armed is an hrtimer of the host's, and goes on.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { SessionRig } from "./session_rig.ts";

const LVTT = 0x320, TDCR = 0x3e0, MASKED = 0x1_0000, TSC_DEADLINE = 2 << 17, DIVIDE_BY_16 = 3;
const ATTACH = "monitor vm0 stop; ioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3)\nmonitor vm0 cont";
const DETACH = "monitor vm0 stop; ioctl(vcpu[0], KVM_SET_SLAVE_CPU, -1); monitor vm0 cont";
const CYCLES = "ssh vm0 cyclictest -a 0 -q -p 99 -n -l 50";

/** A guest that has run on an online CPU, with its cyclictest behind it; then cpu3 is taken from Linux. */
function started(kernel = "linux-3.4.0", cpu = "qemu64,+x2apic") {
  const rig = new SessionRig({ system: "rfc-v2", kernel });
  rig.ok(`qemu-kvm.patched -m 1024 -cpu ${cpu} -enable-kvm -no-kvm-pit -nographic
${CYCLES}
echo 0 > /sys/devices/system/cpu/cpu3/online`);
  const { lab } = rig;
  const vcpu = lab.kvm.vms[0]!.vcpus[0]!;
  const read = (apic: typeof vcpu.apic, offset: number) => Number(apic.read(offset, lab.engine.nowNs));
  return {
    rig,
    vcpu,
    kernel: lab.guests.get("vm0")!.kernel,
    virtual: () => read(vcpu.apic, LVTT),
    physical: (offset = LVTT) => read(lab.machine.cpus[3]!.apic, offset),
  };
}

Deno.test("the attach tells LVTT to nobody: what the guest has armed still comes, what it arms then does not", () => {
  const { rig, vcpu, kernel, virtual, physical } = started();
  rig.start("ssh vm0 cyclictest -a 0 -q -p 99 -n -i 50000 -l 4"); // 50 ms: armed when the attach comes
  rig.ok("run 20ms > /dev/null");
  assert(vcpu.lapic.timer.armed);
  rig.ok(ATTACH);
  assertEquals([virtual(), physical()], [Vector.LocalTimer, MASKED | Vector.LocalTimer]);
  assertEquals(physical(TDCR), DIVIDE_BY_16, "as the host's own timer had it before it was shut");
  const taken = () => kernel.cpus[0]!.localTimerInterrupts;
  const before = taken();
  rig.ok("run 100ms > /dev/null");
  assertEquals(taken() - before, 1, "the virtual one");
  rig.ok("run 400ms > /dev/null");
  assertEquals(taken() - before, 1, "and no other: the processor's is masked");
});

Deno.test("the laboratory says so where somebody attaches like that, and not where the guest has yet to begin", () => {
  const late = started().rig.run(ATTACH);
  assertStringIncludes(late.err, "note: the guest has set its timer up already");
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok("qemu-kvm.patched -S -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic");
  const early = rig.run("echo 0 > /sys/devices/system/cpu/cpu3/online; ioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3)");
  assertEquals([early.status, early.err], [0, ""]);
});

Deno.test("a guest that writes LVTT on its slave CPU has a timer again, if the vector is Linux's", () => {
  const { rig, physical } = started();
  rig.ok(ATTACH);
  assertEquals(rig.run("ssh vm0 wrmsr 0x832 0x41").status, 4, "refused: #GP");
  assertEquals(physical(), MASKED | Vector.LocalTimer);
  rig.ok(`ssh vm0 wrmsr 0x832 ${Vector.LocalTimer}`);
  assertEquals(physical(), Vector.LocalTimer);
});

Deno.test("with TSC deadlines the rate is the same on both sides: after LVTT has been written the timer is right", () => {
  const { rig, physical } = started("linux-3.8.0", "qemu64,+x2apic,+tsc-deadline");
  rig.ok(ATTACH);
  rig.ok(`ssh vm0 wrmsr 0x832 ${TSC_DEADLINE | Vector.LocalTimer}`);
  assertEquals(physical(), TSC_DEADLINE | Vector.LocalTimer);
  rig.ok(CYCLES);
  assertEquals(rig.histogram.count, 50);
  assert(rig.histogram.maxUs! < 100, `${rig.histogram.maxUs} us`);
});

Deno.test("detached it is KVM's timer again, attached once more the processor's, and a CPU's hotplug between changes nothing", () => {
  const { rig, physical, vcpu } = started("linux-3.8.0", "qemu64,+x2apic,+tsc-deadline");
  for (let i = 0; i < 3; i++) {
    rig.ok(ATTACH);
    assertEquals(physical(), MASKED | Vector.LocalTimer, "each time anew");
    rig.ok(`ssh vm0 wrmsr 0x832 ${TSC_DEADLINE | Vector.LocalTimer}`);
    for (const state of [0, 1]) rig.ok(`echo ${state} > /sys/devices/system/cpu/cpu2/online`);
    rig.ok(CYCLES);
    rig.ok(DETACH);
    assertEquals([vcpu.slaveCpu, vcpu.vmcs.externalInterruptExiting], [-1, true]);
    rig.ok(CYCLES);
  }
  const { results } = rig.session;
  for (const { cyclictest } of results.slice(1)) assert(cyclictest.threads[0]!.histogram.maxUs! < 200);
});

Deno.test("a reset of the guest sets everything right: its new kernel sets the processor's timer up", () => {
  const { rig, physical } = started();
  rig.ok(ATTACH);
  rig.ok(`monitor vm0 system_reset; ssh vm0 true; ${CYCLES}`);
  assertEquals(physical(), Vector.LocalTimer);
  assertEquals(rig.histogram.count, 50);
  assert(rig.histogram.maxUs! < 100, `${rig.histogram.maxUs} us`);
});
