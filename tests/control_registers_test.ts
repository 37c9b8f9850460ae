/**
 * Control registers and INVLPG in guest mode: masks, read shadows, what exits and with which qualification.
 *
 * Restated from the Intel SDM, vol. 3C: "Instructions That Cause VM Exits Conditionally", "Changes to Instruction Behavior
 * in VMX Non-Root Operation", "Guest/Host Masks and Read Shadows for CR0 and CR4", tables "Definitions of Primary
 * Processor-Based VM-Execution Controls" and "Exit Qualification for Control-Register Accesses" (27-3).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { CLTS, endless, INVLPG, LMSW, LOAD, MOV_FROM_CR, MOV_TO_CR, type Step } from "../hw/sim/activity.ts";
import type { Vmcs } from "../hw/vmx.ts";
import { BITMAPS, GUEST, HLT_EXITING, Vm } from "./vmx_rig.ts";

/** Primary controls: bit 9 INVLPG exiting, 15 CR3-load exiting, 16 CR3-store exiting. */
const INVLPG_EXITING = 1 << 9, CR3_LOAD = 1 << 15, CR3_STORE = 1 << 16;
/** CR0: bit 0 PE, 1 MP, 3 TS, 16 WP. CR4: bit 7 PGE. */
const PE = 1, MP = 1 << 1, TS = 1 << 3, WP = 1 << 16, PGE = 1 << 7;
const CR_ACCESS = 28, INVLPG_REASON = 14;

/** An instruction, its register or address, its value. */
type Instruction = readonly [step: Step, address: number, value?: number];

/** Executes `instructions` in guest mode; exits are skipped. Answers each one's result, and reasons and qualifications. */
function execute(instructions: readonly Instruction[], before: (vmcs: Vmcs) => void, primary = 0) {
  const exits: (readonly [reason: number, qualification: number])[] = [];
  const results: number[] = [];
  const vm = new Vm(function* (vm) {
    for (const [step, address, value = 0] of instructions) {
      vm.guest.address = address;
      vm.guest.value = value;
      results.push(yield step);
    }
    yield endless("guest", GUEST);
  }, {
    primary: HLT_EXITING | BITMAPS | primary,
    before: ({ vmcs }) => before(vmcs),
    atExit: ({ vmcs }, reason) => {
      exits.push([reason, vmcs.exitQualification]);
      vmcs.skipInstruction(0x77);
      return true;
    },
  });
  vm.engine.runUntil(100_000);
  return { exits, results, guest: vm.guest };
}

Deno.test("MOV to CR0 exits where a masked bit is other than the shadow says; else it writes the bits that are open", () => {
  const { exits, guest } = execute([
    [MOV_TO_CR, 0, PE | MP], // masked PE as in the shadow: MP is written, WP taken away
    [MOV_TO_CR, 0, MP], // PE is to go: exits
    [MOV_TO_CR, 0, PE | TS],
  ], (vmcs) => {
    vmcs.guest.cr0 = PE | WP;
    vmcs.cr0Mask = PE;
    vmcs.cr0Shadow = PE;
  });
  assertEquals(exits, [[CR_ACCESS, 0x000]], "bits 3:0 CR0, 5:4 MOV to, 11:8 RAX");
  assertEquals(guest.cr0, PE | TS);
});

Deno.test("a masked bit keeps its value through a MOV that does not exit, and reads as the shadow has it", () => {
  const { exits, results, guest } = execute([[MOV_TO_CR, 0, PE | MP], [MOV_FROM_CR, 0]], (vmcs) => {
    vmcs.guest.cr0 = PE | TS; // as a hypervisor has it that wants to see the first use of the FPU
    vmcs.cr0Mask = TS;
    vmcs.cr0Shadow = 0;
  });
  assertEquals(exits, []);
  assertEquals(guest.cr0, PE | MP | TS);
  assertEquals(results[1], PE | MP);
});

Deno.test("CR4 has a mask and a shadow of its own", () => {
  const before = (mask: number) => (vmcs: Vmcs) => {
    vmcs.guest.cr4 = PGE;
    vmcs.cr4Mask = mask;
    vmcs.cr4Shadow = PGE;
  };
  const flush: Instruction[] = [[MOV_TO_CR, 4, 0], [MOV_TO_CR, 4, PGE], [MOV_FROM_CR, 4]];
  const owned = execute(flush, before(0));
  assertEquals([owned.exits, owned.results], [[], [0, 0, PGE]]);
  assertEquals(execute(flush, before(PGE)).exits, [[CR_ACCESS, 0x004]], "the second agrees with the shadow");
});

Deno.test("CR3: loads and stores exit by a control each; without them they reach the register", () => {
  const both: Instruction[] = [[MOV_TO_CR, 3, 0x1_2345_6000], [MOV_FROM_CR, 3]];
  const open = execute(both, () => {});
  assertEquals([open.exits, open.results, open.guest.cr3], [[], [0, 0x1_2345_6000], 0x1_2345_6000]);
  const load = execute(both, () => {}, CR3_LOAD);
  assertEquals([load.exits, load.results, load.guest.cr3], [[[CR_ACCESS, 0x03]], [0x77, 0], 0]);
  const store = execute(both, () => {}, CR3_STORE);
  assertEquals([store.exits, store.results], [[[CR_ACCESS, 0x13]], [0, 0x77]], "access type 1: MOV from");
});

Deno.test("CLTS: exits where TS is masked and set in the shadow, does nothing where it is masked only, else clears TS", () => {
  const run = (mask: number, shadow: number) => {
    const { exits, guest } = execute([[CLTS, 0]], (vmcs) => {
      vmcs.guest.cr0 = PE | TS;
      vmcs.cr0Mask = mask;
      vmcs.cr0Shadow = shadow;
    });
    return [exits, guest.cr0 & TS];
  };
  assertEquals(run(TS, TS), [[[CR_ACCESS, 0x20]], TS], "access type 2, register 0");
  assertEquals(run(TS, 0), [[], TS]);
  assertEquals(run(0, TS), [[], 0]);
});

Deno.test("LMSW: bits 3:0 of CR0, never clears PE; exits by the masked ones, with its source in bits 31:16", () => {
  const run = (mask: number, shadow: number, source: number) => {
    const { exits, guest } = execute([[LMSW, 0, source]], (vmcs) => {
      vmcs.guest.cr0 = WP | PE;
      vmcs.cr0Mask = mask;
      vmcs.cr0Shadow = shadow;
    });
    return [exits, guest.cr0];
  };
  assertEquals(run(0, 0, TS), [[], WP | PE | TS], "PE stays, WP is beyond its reach");
  assertEquals(
    run(TS, 0, PE | TS),
    [[[CR_ACCESS, 0x0009_0030]], WP | PE],
    "access type 3, operand a register",
  );
  assertEquals(
    run(PE, 0, PE),
    [[[CR_ACCESS, 0x0001_0030]], WP | PE],
    "PE is to be set where the shadow has it clear",
  );
  assertEquals(run(PE, PE, MP), [[], WP | PE | MP], "PE clear in the source asks for nothing");
  assertEquals(run(MP, 0, 0xfff0), [[], WP | PE], "source bits above 3 are not looked at");
});

Deno.test("INVLPG exits by bit 9, its qualification is the linear address", () => {
  const address = 0x7fff_1234_5678;
  assertEquals(execute([[INVLPG, address]], () => {}).exits, []);
  assertEquals(execute([[INVLPG, address]], () => {}, INVLPG_EXITING).exits, [[INVLPG_REASON, address]]);
});

Deno.test("without EPT a missing page is a page fault: reason 0, type 3, vector 14, with an error code", () => {
  const PAGE_FAULT = 1 << 14, DEVICE = 0xfebf_0000;
  const information: number[] = [];
  const vm = new Vm(function* (vm) {
    vm.guest.address = DEVICE;
    yield LOAD;
    vm.vmcs.ept.mapped = false;
    yield INVLPG;
    yield endless("guest", GUEST);
  }, {
    primary: HLT_EXITING | BITMAPS | INVLPG_EXITING,
    before: ({ vmcs }) => {
      vmcs.secondary &= ~2; // bit 1: enable EPT
      vmcs.exceptionBitmap = PAGE_FAULT;
    },
    atExit: ({ vmcs }, reason) => {
      information.push(reason, vmcs.exitInterruptionInfo);
      if (vmcs.ept.mapped) vmcs.skipInstruction();
      if (reason === INVLPG_REASON) vmcs.skipInstruction();
      else vmcs.ept.mapped = true;
      return true;
    },
  });
  vm.engine.runUntil(100_000);
  const fault = 0x8000_0b0e; // bit 31 valid, 11 error code valid, 10:8 hardware exception, 7:0 vector
  assertEquals(information, [0, fault, INVLPG_REASON, 0, 0, fault]);
});
