/**
 * NMIs for a guest: from user space, from its own local APIC, from its own message; one handled and one pending at most.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/x86.c` (`process_nmi()`, `inject_pending_event()`), `arch/x86/kvm/vmx.c`
 * (`handle_nmi_window()`, `vmx_complete_interrupts()`); Intel SDM vol. 3A, "Local Vector Table".
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { work } from "../hw/sim/activity.ts";
import { kvmDebugfs } from "../runtime/kvm/debugfs.ts";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import type { Kernel } from "../runtime/linux/kernel.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { RFC_V2, Rig, startQemu, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

/** LVT LINT1's offset; delivery mode 100 (bits 10:8) is NMI; ICR bit 14 is the level "assert". */
const LVT1 = 0x360, NMI_MODE = 4 << 8, ASSERT = 1 << 14;
/** Basic exit reason of an NMI window. */
const NMI_WINDOW = 8;
/** What the guest's handler takes. */
const handler = work("guest's NMI handler", Layers.GuestKernel, 50_000);

/** A guest that runs; its NMI handler takes 50 us and counts. */
function running(capabilities = STOCK): { rig: Rig; vcpu: Vcpu; guest: Kernel; taken: () => number } {
  const rig = new Rig(capabilities, { offline: capabilities.slaveCpu ? [3] : [] });
  const { guest } = startQemu(rig, "qemu-kvm.patched -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic");
  rig.pass(100_000_000);
  let taken = 0;
  const { idt } = guest!.cpus[0]!.registers;
  idt.nmi = function* () {
    taken++;
    yield handler;
  };
  return { rig, vcpu: rig.kvm.vms[0]!.vcpus[0]!, guest: guest!, taken: () => taken };
}

/** KVM_NMI from CPU 0. */
function nmi(rig: Rig, vcpu: Vcpu): void {
  rig.type((cpu) => {
    vcpu.events.queueNmi();
    vcpu.kick(cpu);
  });
}

Deno.test("of NMIs that come while the guest handles one, one waits; an NMI window brings it at the guest's IRET", () => {
  const { rig, vcpu, taken } = running();
  nmi(rig, vcpu);
  rig.pass(20_000);
  assertEquals([taken(), vcpu.events.nmiMasked], [1, true]);
  for (let i = 0; i < 3; i++) {
    nmi(rig, vcpu);
    rig.pass(5_000);
  }
  assertEquals([taken(), vcpu.events.nmiPending, vcpu.exits[NMI_WINDOW]], [1, 1, 0]);
  rig.pass(1_000_000);
  assertEquals([taken(), vcpu.events.nmiPending, vcpu.exits[NMI_WINDOW]], [2, 0, 1]);
  assertEquals(vcpu.events.nmiMasked, false);
  const counter = kvmDebugfs(rig.kvm).lookup("nmi_window");
  assert(counter?.kind === "attribute");
  assertEquals(counter.show?.(), "1\n");
});

Deno.test("two NMIs before an entry are both delivered, a third is merged", () => {
  const { rig, vcpu, taken } = running();
  rig.type((cpu) => {
    for (let i = 0; i < 3; i++) vcpu.events.queueNmi();
    vcpu.kick(cpu);
  });
  rig.pass(1_000_000);
  assertEquals([taken(), vcpu.nmiInjections, vcpu.exits[NMI_WINDOW]], [2, 2, 1]);
});

Deno.test("an LVT entry in NMI mode and a message in NMI mode reach the guest as NMIs, whatever their vector", () => {
  const { rig, vcpu, guest, taken } = running();
  rig.type((cpu) => {
    vcpu.lapic.core.setRegister(LVT1, NMI_MODE | 0x55);
    assert(vcpu.lapic.localInterrupt(LVT1, cpu));
  });
  rig.pass(1_000_000);
  assertEquals(taken(), 1);
  const cpu = guest.cpus[0]!;
  cpu.vectorIrq.set(0x50, {
    irq: 9,
    name: "sends an NMI",
    *handler() {
      yield cpu.sendMessage(0, ASSERT | NMI_MODE);
    },
  });
  rig.type((from) => vcpu.interrupt(0x50, from));
  rig.pass(1_000_000);
  assertEquals(taken(), 2);
});

Deno.test("on a slave CPU an injected NMI turns direct mode off, and no EOI turns it on again", () => {
  // Patch 14: off on any injection, on at each emulated EOI. An NMI has none: the next virtual interrupt's does it.
  const { rig, vcpu, taken } = running(RFC_V2);
  assertEquals(vcpu.vmcs.externalInterruptExiting, false);
  nmi(rig, vcpu);
  rig.pass(1_000_000);
  assertEquals([taken(), vcpu.vmcs.externalInterruptExiting], [1, true]);
  rig.type((from) => vcpu.interrupt(0x3b, from));
  rig.pass(1_000_000);
  assertEquals(vcpu.vmcs.externalInterruptExiting, false);
});

Deno.test("the delivery of an NMI that meets a missing page is repeated: the guest takes it once", () => {
  const { rig, vcpu, taken } = running();
  rig.type((cpu) => {
    rig.kvm.vms[0]!.unmapPage();
    vcpu.events.queueNmi();
    vcpu.kick(cpu);
  });
  rig.pass(50_000_000);
  assertEquals([taken(), vcpu.nmiInjections], [1, 1]);
  assertEquals([vcpu.vmcs.ept.mapped, vcpu.events.nmiMasked], [true, false]);
});

Deno.test("the monitor's nmi reaches the processor whose LINT1 is open: the guest's kernel says that it knows no reason", () => {
  for (const system of ["kvm", "talk"]) {
    const rig = new SessionRig({ system });
    const qemu = system === "kvm" ? "qemu-kvm" : "qemu-kvm.patched";
    rig.ok(`echo 0 > /sys/devices/system/cpu/cpu3/online
${qemu} -m 1024 -smp 1 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic -monitor null
ssh vm0 true
echo nmi | monitor vm0
run 1ms`);
    assert(rig.ok("ssh vm0 dmesg").includes("NMI received for unknown reason"), system);
    assertEquals(rig.ok("ssh vm0 'grep NMI: /proc/interrupts'").split(/ +/)[1], "1");
  }
});
