/**
 * Guests without EPT: what exits because KVM shadows their page tables, and what of it follows from the guest's software.
 *
 * Expectations: Linux 3.5 `arch/x86/kvm/vmx.c` (`vmx_exec_control()`: without EPT loads and stores of CR3 and INVLPG exit;
 * `update_exception_bitmap()`: page faults do; `KVM_CR4_GUEST_OWNED_BITS`), `kernel/sched/core.c` (`context_switch()`: the
 * idle task and threads of the kernel keep the page tables of whoever ran before), `Documentation/ABI` of sysfs modules.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Activity, CLTS, INVLPG, LMSW, MOV_FROM_CR, MOV_TO_CR, type Step } from "../hw/sim/activity.ts";
import { exitReasonName } from "../runtime/kvm/exit_names.ts";
import { Rig, startQemu, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

const QEMU = "qemu-kvm -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic -m 1024";
const WITHOUT_EPT = 'boot kvm --append "kvm-intel.ept=0"';

/** A guest with `ept` that has booted. */
function guest(append = ""): SessionRig {
  const rig = new SessionRig({ system: "kvm" });
  if (append !== "") rig.ok(append);
  rig.ok(`${QEMU}; ssh vm0 true`);
  return rig;
}

const exitsOf = (rig: SessionRig, script: string, name: string) => {
  rig.ok(script);
  return rig.exits[name] ?? 0;
};

Deno.test("cyclictest over a busy process loads CR3 twice for each period: there and back", () => {
  const loops = 1000;
  const script = `ssh vm0 'while :; do :; done' &
ssh vm0 cyclictest -q -p 99 -n -l ${loops}`;
  const loads = exitsOf(guest(WITHOUT_EPT), script, "CR_ACCESS");
  assert(Math.abs(loads - 2 * loops) < 20, `${loads} in ${loops} periods`);
  assertEquals(exitsOf(guest(), script, "CR_ACCESS"), 0, "with EPT none exits");
});

Deno.test("an idle guest's cyclictest loads nothing: the idle task and ksoftirqd keep its page tables", () => {
  const loads = exitsOf(guest(WITHOUT_EPT), "ssh vm0 cyclictest -q -p 99 -n -l 1000", "CR_ACCESS");
  assert(loads < 20, `${loads} in 1000 periods`);
});

Deno.test("a load of CR3 that empties the TLB is a tlb_flush of debugfs, a load of another table is none", () => {
  const rig = guest(WITHOUT_EPT);
  const flushes = () => Number(rig.ok("cat /sys/kernel/debug/kvm/tlb_flush"));
  const before = flushes();
  rig.ok("ssh vm0 cyclictest -t 3 -q -p 99 -n -l 100");
  assertEquals(flushes() - before, 3, "3.4 flushes for the guard page of each thread's stack");
});

Deno.test("show vmcs has the controls, masks and shadows that make the difference", () => {
  const shown = (append = "") => {
    const lines = guest(append).ok("show vmcs vm0").split("\n").map((line) => line.trim());
    const of = (name: string) => lines.find((line) => line.includes(name))?.replace(/ +/g, " ");
    return ["INVLPG exiting", "CR3-load", "CR3-store", "enable EPT", "exception bitmap", "CR4 guest/host"]
      .map(of);
  };
  assertEquals(shown(), [
    "bit 9 = 0 INVLPG exiting: off",
    "bit 15 = 0 CR3-load exiting: CR3 is the guest's own",
    "bit 16 = 0 CR3-store exiting: off",
    "bit 1 = 1 enable EPT: a missing page is an EPT violation",
    "exception bitmap 0x00000000",
    "CR4 guest/host mask, shadow 0xfffff875 0x000006f0",
  ]);
  assertEquals(shown(WITHOUT_EPT), [
    "bit 9 = 1 INVLPG exiting: INVLPG causes a VM exit",
    "bit 15 = 1 CR3-load exiting: MOV to CR3 causes a VM exit",
    "bit 16 = 1 CR3-store exiting: MOV from CR3 causes a VM exit",
    "bit 1 = 0 enable EPT: a missing page is a page fault",
    "exception bitmap 0x00004000",
    "CR4 guest/host mask, shadow 0xfffff8f5 0x000006f0",
  ]);
});

Deno.test("the parameter can be read, and not be written", () => {
  const rig = new SessionRig({ system: "kvm" });
  const path = "/sys/module/kvm_intel/parameters";
  assertEquals(rig.ok(`cat ${path}/ept; ls ${path}`), "Y\nept\nflexpriority\nple_gap\nple_window\n");
  assertEquals(rig.run(`echo N > ${path}/ept`).status, 1);
  assertEquals(rig.ok(`${WITHOUT_EPT} > /dev/null; cat ${path}/ept`), "N\n");
  assertEquals(rig.run('boot kvm --append "kvm-intel.ept=maybe"').status, 2);
});

Deno.test("fork(): both sides copy the page of the stack that they write first, and flush it: INVLPG exits without EPT", () => {
  for (const [append, exits] of [[WITHOUT_EPT, 1], ["", 0]] as const) {
    const rig = guest(append);
    const count = () => rig.lab.kvm.vms[0]!.vcpus[0]!.exits[INVLPG_REASON]!;
    const counter = () => Number(rig.ok("cat /sys/kernel/debug/kvm/invlpg"));
    const before = [count(), counter()] as const;
    rig.ok("ssh vm0 true");
    assertEquals([count() - before[0], counter() - before[1]], [exits, exits], "the shell's child");
    rig.ok("ssh vm0 stress -q -c 3 -t 1s");
    assertEquals(
      count() - before[0],
      exits * (2 + 2 * 3),
      "another one, three workers and their parent after each",
    );
  }
});

/** An instruction, its register or address, its value. */
type Instruction = readonly [step: Step, address: number, value?: number];

/** Executes `instructions` in a guest; answers the exits by reason, and what each instruction has got. */
function executed(append: string, instructions: readonly Instruction[]) {
  const rig = guest(append);
  const { lab } = rig;
  const { kernel } = lab.guests.get("vm0")!;
  const vcpu = lab.kvm.vms[0]!.vcpus[0]!;
  const results: number[] = [], reasons: Record<string, number> = {};
  const task = kernel.createTask("program", 1, function* (): Activity<number> {
    const { registers } = kernel.cpus[0]!;
    for (const [step, address, value = 0] of instructions) {
      const before = Array.from(vcpu.exits);
      registers.address = address;
      registers.value = value;
      results.push(yield step);
      for (const reason of [INVLPG_REASON, CR_REASON]) {
        const name = exitReasonName(reason), more = vcpu.exits[reason]! - before[reason]!;
        if (more > 0) reasons[name] = (reasons[name] ?? 0) + more;
      }
    }
    return 0;
  });
  lab.type(kernel, (cpu) => kernel.wake(task, cpu));
  rig.ok("run 50ms");
  return { exits: reasons, results, vcpu };
}

const INVLPG_REASON = 14, CR_REASON = 28;
const PGE = 1 << 7, CR4 = 0x6f0, CR0 = 0x8005_0033;

Deno.test("a global flush by CR4.PGE and INVLPG exit without EPT only", () => {
  const program: Instruction[] = [
    [MOV_FROM_CR, 4],
    [MOV_TO_CR, 4, CR4 & ~PGE],
    [MOV_TO_CR, 4, CR4],
    [INVLPG, 0x7fff_0000],
    [MOV_FROM_CR, 4],
  ];
  const without = executed(WITHOUT_EPT, program);
  assertEquals([without.exits, without.results], [{ CR_ACCESS: 2, INVLPG: 1 }, [CR4, 0, 0, 0, CR4]]);
  const { exits, results } = executed("", program);
  assertEquals([exits, results], [{}, [CR4, 0, 0, 0, CR4]]);
});

Deno.test("CR0: TS is the guest's own, other bits exit; what no processor can have is refused with #GP", () => {
  const WP = 1 << 16, PE = 1, TS = 8, MP = 2;
  const { exits, results, vcpu } = executed("", [
    [MOV_TO_CR, 0, (CR0 | TS) >>> 0],
    [MOV_FROM_CR, 0],
    [CLTS, 0],
    [MOV_FROM_CR, 0],
    [MOV_TO_CR, 0, (CR0 & ~WP) >>> 0],
    [MOV_FROM_CR, 0],
    [LMSW, 0, 0], // takes MP away; PE cannot be cleared
    [MOV_FROM_CR, 0],
    [MOV_TO_CR, 0, (CR0 & ~PE) >>> 0], // paging without protection
    [MOV_FROM_CR, 0],
  ]);
  const read = results.filter((_, i) => i % 2 === 1);
  const withoutWp = (CR0 & ~WP) >>> 0, last = (withoutWp & ~MP) >>> 0;
  assertEquals(read, [(CR0 | TS) >>> 0, CR0, withoutWp, last, last]);
  assertEquals(exits, { CR_ACCESS: 3 }, "WP, MP, PE");
  assertEquals(vcpu.registers.cr0 & WP, WP, "the processor's own stays set");
});

Deno.test("a page that the host has taken is a page fault that exits, and the guest goes on when it has been read", () => {
  for (const [ept, name] of [[false, "EXCEPTION_NMI"], [true, "EPT_VIOLATION"]] as const) {
    const rig = new Rig(STOCK);
    rig.kvm.ept = ept;
    startQemu(rig, QEMU);
    rig.pass(100_000_000);
    const vm = rig.kvm.vms[0]!, vcpu = vm.vcpus[0]!;
    const count = (name: string) =>
      vcpu.exits.reduce((n, of, at) => exitReasonName(at) === name ? n + of : n, 0);
    const before = count(name);
    vm.unmapPage();
    rig.machine.messageSignalled(3, 0xfd);
    rig.pass(100_000_000);
    assertEquals(count(name) - before, 1, name);
    assert(vm.ept.mapped);
    assertEquals(vcpu.mmu.fixed, 1);
  }
});
