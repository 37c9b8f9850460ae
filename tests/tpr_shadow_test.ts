/**
 * Task priority in guest mode: the TPR shadow, its threshold, and exits from loops of PAUSE.
 *
 * Controls, reasons and qualifications are restated from the Intel SDM, vol. 3C: "Processor-Based VM-Execution
 * Controls", "Virtualizing CR8-Based TPR Accesses", "Virtualizing Memory-Mapped APIC Accesses", "TPR Virtualization",
 * "Changes to Instruction Behavior in VMX Non-Root Operation" (PAUSE), table "Exit Qualification for Control-Register
 * Accesses".
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type Activity,
  endless,
  LOAD,
  MOV_TO_CR,
  PAUSE,
  type Step,
  STORE,
  work,
} from "../hw/sim/activity.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { COST } from "./cpu_rig.ts";
import { Rig, startQemu, STOCK } from "./kvm_rig.ts";
import { BITMAPS, GUEST, HLT_EXITING, Vm } from "./vmx_rig.ts";

/** Primary control bit 19 CR8-load exiting, bit 21 use TPR shadow; secondary control bit 10 PAUSE-loop exiting. */
const CR8_LOAD = 1 << 19, TPR_SHADOW = 1 << 21, PAUSE_LOOP = 1 << 10;
const TPR = 0x80, TPR_ADDRESS = 0xfee0_0080, EOI_ADDRESS = 0xfee0_00b0;

/** An instruction with its operands, in the guest. */
function operands(vm: Vm, step: Step, address: number, value = 0): Step {
  vm.guest.address = address;
  vm.guest.value = value;
  return step;
}

/** A guest with a virtual-APIC page, which is the local APIC of another processor. */
function shadowed(program: (vm: Vm) => Activity, threshold = 0, primary = TPR_SHADOW) {
  const reasons: number[] = [];
  const page = new Vm(function* () {
    yield endless("nothing", GUEST);
  }).cpu.apic;
  const vm = new Vm(program, {
    primary: HLT_EXITING | BITMAPS | primary,
    before: ({ vmcs }) => {
      vmcs.virtualApic = page;
      vmcs.tprThreshold = threshold;
    },
    atExit: ({ vmcs }, reason) => {
      reasons.push(reason, vmcs.exitQualification);
      vmcs.tprThreshold = 0;
      if (reason !== 43) vmcs.skipInstruction();
      return true;
    },
  });
  return { vm, page, reasons };
}

Deno.test("with the TPR shadow MOV to CR8 writes bits 7:4 of the page's TPR, and the processor's stays", () => {
  const { vm, page, reasons } = shadowed(function* (vm) {
    yield operands(vm, MOV_TO_CR, 8, 0x9);
    vm.note("guest goes on");
    yield endless("guest", GUEST);
  });
  vm.engine.runUntil(20_000);
  assertEquals([page.register(TPR), vm.cpu.apic.register(TPR), reasons.length], [0x90, 0, 0]);
  assertEquals(vm.log, [`${COST.vmEntry + COST.crAccess} guest goes on`]);
});

Deno.test("with CR8-load exiting it exits with reason 28; qualification: bits 3:0 say CR8", () => {
  const { vm, page, reasons } = shadowed(
    function* (vm) {
      yield operands(vm, MOV_TO_CR, 8, 0x9);
      yield endless("guest", GUEST);
    },
    0,
    CR8_LOAD,
  );
  vm.engine.runUntil(20_000);
  assertEquals([reasons, page.register(TPR)], [[28, 8], 0]);
});

Deno.test("a priority that falls below the threshold exits with reason 43, behind the instruction; one that does not, not", () => {
  for (const [value, found] of [[6, []], [5, [43, 0]]] as const) {
    const { vm, page, reasons } = shadowed(function* (vm) {
      page.setRegister(TPR, 0xf0);
      yield operands(vm, MOV_TO_CR, 8, 0xf);
      yield operands(vm, MOV_TO_CR, 8, value);
      vm.note("once");
      yield endless("guest", GUEST);
    }, 6);
    page.setRegister(TPR, 0xf0);
    vm.engine.runUntil(20_000);
    assertEquals(reasons, [...found]);
    assertEquals(page.register(TPR), value << 4);
    assertEquals(vm.events.filter((event) => event === "once").length, 1);
  }
});

Deno.test("of the APIC's page TPR neither exits nor is the processor's, with 8 bits; everything else there exits", () => {
  const { vm, page, reasons } = shadowed(function* (vm) {
    yield operands(vm, STORE, TPR_ADDRESS, 0x1a5);
    vm.note(`reads ${yield operands(vm, LOAD, TPR_ADDRESS)}`);
    yield operands(vm, STORE, EOI_ADDRESS);
    yield endless("guest", GUEST);
  });
  vm.engine.runUntil(20_000);
  assertEquals([page.register(TPR), vm.cpu.apic.register(TPR)], [0xa5, 0]);
  assertEquals(vm.events, [`reads ${0xa5}`, "exit 44"]);
  assertEquals(reasons, [44, 0x10b0]);
});

Deno.test("PAUSE exits with reason 40 when its loop is longer than the window, and turns that are far apart are no loop", () => {
  for (const [distance, loops] of [[4, true], [300, false]] as const) {
    const turn = work("turn", GUEST, distance);
    const reasons: number[] = [];
    const vm = new Vm(function* () {
      for (;;) {
        yield PAUSE;
        yield turn;
      }
    }, {
      before: ({ vmcs }) => {
        vmcs.secondary = PAUSE_LOOP;
        vmcs.pleGap = 128;
        vmcs.pleWindow = 4096;
      },
      atExit: ({ vmcs }, reason) => {
        vmcs.skipInstruction();
        reasons.push(reason);
        return reasons.length < 3;
      },
    });
    vm.engine.runUntil(40_000);
    assertEquals(reasons, loops ? [40, 40, 40] : []);
    if (!loops) continue;
    const { ticks, ns } = vm.cpu.apic.timer.tsc;
    const windowNs = (4096 * ns) / ticks;
    const first = Number(vm.log[0]!.split(" ")[0]) - COST.vmEntry - COST.vmExit;
    assert(first > windowNs && first < windowNs + 2 * (distance + COST.pause), `${first} ns`);
  }
});

Deno.test("KVM: an interrupt that the guest's priority holds back comes when the guest lowers it, by one exit of reason 43", () => {
  const rig = new Rig(STOCK, { offline: [] });
  const { guest } = startQemu(rig, "qemu-kvm -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic");
  rig.pass(100_000_000);
  const vcpu = rig.kvm.vms[0]!.vcpus[0]!;
  const cpu = guest!.cpus[0]!;
  const seen: string[] = [];
  const runs = work("at high priority", Layers.GuestKernel, 50_000);
  const setCr8 = (value: number) => {
    cpu.registers.address = 8;
    cpu.registers.value = value;
    return MOV_TO_CR;
  };
  cpu.vectorIrq.set(0x50, {
    irq: 9,
    name: "raises and lowers",
    *handler() {
      yield setCr8(0xf);
      seen.push("raised");
      yield runs;
      seen.push("lowers");
      yield setCr8(0);
      cpu.registers.interruptFlag = true;
      yield runs;
      seen.push("ends");
    },
  });
  cpu.vectorIrq.set(0x61, {
    irq: 10,
    name: "held back",
    // deno-lint-ignore require-yield
    *handler() {
      seen.push("0x61");
    },
  });
  rig.type((from) => vcpu.interrupt(0x50, from));
  rig.pass(20_000);
  assertEquals([seen, vcpu.apic.register(TPR)], [["raised"], 0xf0]);
  rig.type((from) => vcpu.interrupt(0x61, from));
  rig.pass(15_000);
  assertEquals([seen.length, vcpu.vmcs.tprThreshold, vcpu.apic.irr.has(0x61)], [1, 6, true]);
  rig.pass(1_000_000);
  assertEquals(seen, ["raised", "lowers", "0x61", "ends"]);
  assertEquals([vcpu.exits[43], vcpu.exits[28], vcpu.vmcs.tprThreshold], [1, 0, 0]);
});
