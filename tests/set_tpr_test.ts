/**
 * CR8 of a machine whose interrupt controllers are user space's.
 *
 * Expectations: Linux 3.5 `arch/x86/kvm/vmx.c` (`vmx_exec_control()`: without local APICs in the kernel there is no TPR shadow, and
 * loads and stores of CR8 exit; `handle_cr()`: KVM_EXIT_SET_TPR where the priority has fallen), `x86.c` (`kvm_set_cr8()`:
 * CR8_RESERVED_BITS), `include/linux/kvm.h` (`KVM_EXIT_SET_TPR` is 11).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Activity, endless, MOV_FROM_CR, work } from "../hw/sim/activity.ts";
import { Context, RegisterFile } from "../hw/register_file.ts";
import { RunExitReason } from "../runtime/kvm/ioctl/ioctls.ts";
import { kvmRun } from "../runtime/kvm/slave_cpu.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { Handlers } from "./cpu_rig.ts";
import { Rig, STOCK } from "./kvm_rig.ts";

const CR_ACCESS = 28;

/** Executes MOVs to CR8 of `values`, and one from it, in a guest; the local APICs are the kernel's or not. */
function executed(irqchip: boolean, values: readonly number[]) {
  const rig = new Rig(STOCK);
  const faults: number[] = [], returned: string[] = [];
  let read = -1;
  const handlers = new Handlers();
  handlers.onException = (vector) =>
    (function* (): Activity {
      yield work("fault handler", Layers.GuestKernel, 100);
      faults.push(vector);
    })();
  const registers: RegisterFile = new RegisterFile(handlers, new Context("guest", program()));
  function* program(): Activity {
    for (const value of values) yield registers.movToCr(8, value);
    registers.address = 8;
    read = yield MOV_FROM_CR;
    yield endless("guest", Layers.GuestTask);
  }
  const vm = rig.kvm.createVm();
  if (irqchip) vm.createIrqchip();
  const vcpu = vm.createVcpu(registers);
  rig.run("vcpu", 1, function* (task) {
    vcpu.thread = task;
    for (;;) returned.push(yield* kvmRun(vcpu));
  });
  rig.pass(20_000_000);
  return { returned, faults, read, exits: vcpu.exits[CR_ACCESS]! };
}

Deno.test("user space hears of a priority that falls, and of no other", () => {
  assertEquals(RunExitReason.KVM_EXIT_SET_TPR, 11);
  const { returned, read, exits } = executed(false, [5, 9, 9, 3, 0, 7]);
  assertEquals(returned, ["KVM_EXIT_SET_TPR", "KVM_EXIT_SET_TPR"]);
  assertEquals([read, exits], [7, 7], "six writes and a read exit");
});

Deno.test("with local APICs in the kernel the TPR shadow takes all of it", () => {
  assertEquals(executed(true, [5, 3, 0, 7]), { returned: [], faults: [], read: 7, exits: 0 });
});

Deno.test("reserved bits of CR8 are refused with #GP, and the priority stays", () => {
  const { returned, faults, read } = executed(false, [5, 0x10]);
  assertEquals([returned, faults, read], [[], [13], 5]);
});
