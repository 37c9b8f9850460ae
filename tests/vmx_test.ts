/**
 * Guest mode: which events and instructions leave it.
 *
 * Control bits and exit reasons are restated from the Intel SDM, vol. 3C and appendix C.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Activity, CPUID, endless, HLT, IN, LOAD, OUT, OUT_WORD, STORE } from "../hw/sim/activity.ts";
import { MsrBitmap } from "../hw/vmx.ts";
import { COST, msr } from "./cpu_rig.ts";
import {
  BITMAPS,
  eoiOpen,
  EXTERNAL,
  GUEST,
  HLT_EXITING,
  information,
  NMI,
  thousand,
  Vm,
  works,
} from "./vmx_rig.ts";

const { vmEntry: ENTRY, vmExit: EXIT, interruptDelivery: DELIVERY, c1Exit: C1, msrAccess: MSR } = COST;

Deno.test("pin-based bit 0 set: an interrupt exits with reason 1 and stays requested, for the host's own table", () => {
  const vm = new Vm(works, {
    atExit: ({ cpu: { apic, registers } }) => {
      assertEquals([apic.irr.members(), apic.isr.members()], [[0x40], []]);
      assertEquals(registers.interruptFlag, false, "an exit clears IF");
      return true;
    },
  });
  vm.handle(0x40);
  vm.interruptAt(ENTRY + 300, 0x40);
  vm.engine.runUntil(20_000);
  const exit = ENTRY + 300 + EXIT;
  const handled = exit + DELIVERY + MSR;
  assertEquals(vm.log, [
    `${exit} exit 1`,
    `${exit + DELIVERY} 0x40 begins`,
    `${handled} 0x40 ends`,
    `${handled + 10 + ENTRY + 700} guest done`,
  ]);
  assertEquals(vm.cpu.exits, 1);
});

Deno.test("pin-based bit 0 set: an interrupt exits whether the guest's IF is set or not", () => {
  const vm = new Vm(works, { before: ({ guest }) => guest.interruptFlag = false, atExit: () => false });
  vm.handle(0x40);
  vm.interruptAt(ENTRY + 300, 0x40);
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["exit 1", "0x40 begins", "0x40 ends", "host goes on"]);
});

Deno.test("pin-based bit 0 clear: the interrupt goes through the guest's table, and its EOI to the APIC, without exit", () => {
  const vm = new Vm(works, { pin: NMI, bitmap: eoiOpen() });
  vm.guestHandles(0x40);
  vm.interruptAt(ENTRY + 300, 0x40);
  vm.at(ENTRY + 300 + DELIVERY + 500, () => assertEquals(vm.cpu.apic.isr.members(), [0x40]));
  vm.engine.runUntil(20_000);
  const begins = ENTRY + 300 + DELIVERY;
  assertEquals(vm.log, [
    `${begins} guest 0x40 begins`,
    `${begins + 1000 + MSR} guest 0x40 ends`,
    `${begins + 1000 + MSR + 700} guest done`,
  ]);
  assertEquals([vm.cpu.exits, vm.cpu.apic.isr.members()], [0, []]);
});

Deno.test("pin-based bit 0 clear: the guest's IF holds the interrupt back", () => {
  const vm = new Vm(function* (vm) {
    vm.guest.interruptFlag = false;
    yield thousand;
    vm.note("guest sets IF");
    vm.guest.interruptFlag = true;
    yield* works(vm);
  }, { pin: NMI, bitmap: eoiOpen() });
  vm.guestHandles(0x40);
  vm.interruptAt(ENTRY + 300, 0x40);
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["guest sets IF", "guest 0x40 begins", "guest 0x40 ends", "guest done"]);
  assertEquals(vm.log[1], `${ENTRY + 1000 + DELIVERY} guest 0x40 begins`);
});

Deno.test("an interrupt that waits at the entry exits at once with bit 0 set, is delivered at once with it clear", () => {
  for (
    const [pin, events] of [
      [EXTERNAL | NMI, ["exit 1", "0x40 begins", "0x40 ends", "host goes on"]],
      [NMI, ["guest 0x40 begins", "guest 0x40 ends", "guest done"]],
    ] as const
  ) {
    const vm = new Vm(works, { pin, bitmap: eoiOpen(), atExit: () => false });
    vm.handle(0x40);
    vm.guestHandles(0x40);
    vm.interruptAt(ENTRY - 1, 0x40); // during the entry, which is atomic; the host's IF is clear
    vm.engine.runUntil(20_000);
    assertEquals(vm.events, [...events]);
    assertEquals(vm.log[0]!.split(" ")[0], `${ENTRY + (pin === NMI ? DELIVERY : EXIT)}`);
  }
});

Deno.test("NMI exiting: reason 0, whose interruption information says NMI; NMIs are blocked after it", () => {
  const vm = new Vm(works, {
    before: ({ guest }) => guest.interruptFlag = false,
    atExit: ({ vmcs, cpu }) => {
      assertEquals(vmcs.exitInterruptionInfo, information(2, 2));
      assertEquals(cpu.nmiPending, false);
      return true;
    },
  });
  vm.nmiAt(ENTRY + 300);
  vm.engine.runUntil(20_000);
  const exit = ENTRY + 300 + EXIT;
  assertEquals(vm.log, [`${exit} exit 0`, `${exit + 10 + ENTRY + 700} guest done`]);
});

Deno.test("after an NMI's exit another NMI waits for the host's IRET", () => {
  const vm = new Vm(works, { atExit: () => false });
  vm.handlers.onNmi = () => vm.notes("host NMI");
  vm.nmiAt(ENTRY + 300);
  vm.nmiAt(ENTRY + 300 + 50); // during the exit
  vm.engine.runUntil(20_000);
  const exit = ENTRY + 300 + EXIT;
  assertEquals(vm.log, [
    `${exit} exit 0`,
    `${exit + DELIVERY} host NMI`,
    `${exit + DELIVERY + 10} host goes on`,
  ]);
});

Deno.test("without NMI exiting an NMI goes through the guest's table and is blocked until the guest's IRET", () => {
  const vm = new Vm(works, { pin: EXTERNAL });
  vm.guestHandlers.onNmi = function* () {
    vm.note("guest NMI begins");
    yield thousand;
    vm.note("guest NMI ends");
  };
  vm.nmiAt(ENTRY + 300);
  vm.nmiAt(ENTRY + 500);
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, [
    "guest NMI begins",
    "guest NMI ends",
    "guest NMI begins",
    "guest NMI ends",
    "guest done",
  ]);
  assertEquals(vm.cpu.exits, 0);
});

Deno.test("a blocked NMI does not come in with an interrupt that exits: the exit is the interrupt's", () => {
  const vm = new Vm(works, {
    pin: EXTERNAL,
    atExit: ({ cpu, guest }) => {
      assertEquals([cpu.nmiPending, guest.context.depth], [true, 1]);
      return false;
    },
  });
  vm.handle(0x40);
  vm.guestHandlers.onNmi = function* () {
    vm.note("guest NMI begins");
    yield thousand;
    vm.note("guest NMI ends");
  };
  vm.nmiAt(ENTRY + 300);
  vm.nmiAt(ENTRY + 500);
  vm.interruptAt(ENTRY + 700, 0x40);
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["guest NMI begins", "exit 1", "0x40 begins", "0x40 ends", "host goes on"]);
  assertEquals(vm.log[1], `${ENTRY + 700 + EXIT} exit 1`);
});

Deno.test("HLT exiting: reason 12, the processor never halts", () => {
  const vm = new Vm(function* (vm) {
    yield HLT;
    vm.note("behind HLT");
    yield* works(vm);
  }, {
    atExit: ({ vmcs }) => {
      vmcs.skipInstruction();
      return true;
    },
  });
  vm.engine.runUntil(20_000);
  const exit = ENTRY + EXIT;
  assertEquals(vm.log, [
    `${exit} exit 12`,
    `${exit + 10 + ENTRY} behind HLT`,
    `${exit + 10 + ENTRY + 1000} guest done`,
  ]);
});

Deno.test("without HLT exiting the guest halts in guest mode; its own interrupt wakes it from C1 without an exit", () => {
  const vm = new Vm(function* (vm) {
    yield HLT;
    vm.note("behind HLT");
    yield* works(vm);
  }, { pin: NMI, primary: BITMAPS, bitmap: eoiOpen() });
  vm.guestHandles(0x40);
  vm.interruptAt(5_000, 0x40);
  vm.engine.runUntil(20_000);
  const begins = 5_000 + C1 + DELIVERY;
  assertEquals(vm.log, [
    `${begins} guest 0x40 begins`,
    `${begins + 1000 + MSR} guest 0x40 ends`,
    `${begins + 1000 + MSR} behind HLT`,
    `${begins + 1000 + MSR + 1000} guest done`,
  ]);
  assertEquals(vm.cpu.exits, 0);
});

Deno.test("an exit out of HLT saves activity state HLT: the next entry goes on halting", () => {
  // SDM, "Architectural State before a VM Exit": "a return to the active state occurs only after the VM exit
  // completes"; "Saving Non-Register State": the activity state is saved as it was before the exit.
  for (const nmi of [false, true]) {
    const vm = new Vm(function* (vm) {
      yield HLT;
      vm.note("behind HLT");
      yield* works(vm);
    }, { primary: BITMAPS });
    vm.handle(0x40);
    if (nmi) vm.nmiAt(5_000);
    else vm.interruptAt(5_000, 0x40);
    vm.engine.runUntil(20_000);
    const exit = 5_000 + C1 + EXIT;
    assertEquals(vm.log[0], `${exit} exit ${nmi ? 0 : 1}`);
    assertEquals(vm.events.includes("behind HLT"), false);
    assertEquals([vm.guest.halted, vm.cpu.vmcs], [true, vm.vmcs]);
  }
});

Deno.test("an injected event ends activity state HLT, whatever its type", () => {
  for (const type of [0, 2, 3]) {
    const vm = new Vm(function* (vm) {
      yield HLT;
      vm.note("behind HLT");
      yield* works(vm);
    }, {
      primary: BITMAPS,
      bitmap: eoiOpen(),
      atExit: ({ vmcs }) => {
        vmcs.entryInterruptionInfo = information(type, type === 2 ? 2 : 0x40 - 0x30 * Math.min(type, 1));
        return true;
      },
    });
    vm.handle(0x50);
    vm.guestHandles(0x40);
    vm.interruptAt(5_000, 0x50);
    vm.engine.runUntil(20_000);
    assertEquals(vm.events.slice(-2), ["behind HLT", "guest done"], `type ${type}`);
    assertEquals(vm.guest.halted, false);
  }
});

Deno.test("the MSR bitmap opens reads and writes apart; what is closed exits with 31 or 32", () => {
  const accesses = function* (vm: Vm): Activity {
    yield vm.guest.wrmsr(msr(0x080), 0x20);
    const tpr = yield vm.guest.rdmsr(msr(0x080));
    vm.note(`TPR 0x${tpr.toString(16)}`);
    yield endless("guest", GUEST);
  };
  const rows = [
    ["r", ["exit 32", "TPR 0x0"]], // the write did not reach the register
    ["w", ["exit 31", "TPR 0x7"]],
    ["rw", ["TPR 0x20"]],
    ["", ["exit 32", "exit 31", "TPR 0x7"]],
  ] as const;
  for (const [access, events] of rows) {
    const bitmap = new MsrBitmap("TPR");
    if (access !== "") bitmap.open(0x808, access);
    const vm = new Vm(accesses, {
      bitmap,
      atExit: ({ vmcs }) => {
        vmcs.skipInstruction(7); // the emulation says 7
        return true;
      },
    });
    vm.engine.runUntil(20_000);
    assertEquals(vm.events, [...events], `opened for "${access}"`);
  }
});

Deno.test("without use of MSR bitmaps every RDMSR and WRMSR exits, and so do MSRs above 0x1fff", () => {
  for (const [primary, number] of [[HLT_EXITING, 0x80b], [HLT_EXITING | BITMAPS, 0xc000_0080]] as const) {
    const vm = new Vm(function* (vm) {
      yield vm.guest.wrmsr(number, 0);
      yield vm.guest.rdmsr(number);
      yield endless("guest", GUEST);
    }, {
      primary,
      bitmap: new MsrBitmap("all").open(0x80b, "rw"),
      atExit: ({ vmcs }) => {
        vmcs.skipInstruction();
        return true;
      },
    });
    vm.engine.runUntil(20_000);
    assertEquals(vm.events, ["exit 32", "exit 31"]);
  }
});

Deno.test("OUT, IN, CPUID, HLT and accesses to registers in memory exit with their reasons and qualifications", () => {
  const found: number[] = [];
  const vm = new Vm(function* (vm) {
    for (
      const [step, address, value] of [
        [OUT, 0x70, 0x0f],
        [IN, 0x71, 0],
        [OUT_WORD, 0xb004, 0x2000],
        [CPUID, 0, 0],
        [STORE, 0xfebf_0000, 1],
        [LOAD, 0xfee0_0020, 0],
        [STORE, 0xfee0_00b0, 0],
        [HLT, 0x55, 0],
      ] as const
    ) {
      vm.guest.address = address;
      vm.guest.value = value;
      const result = yield step;
      vm.note(`${step.name} ${result}`);
    }
    yield endless("guest", GUEST);
  }, {
    atExit: ({ vmcs, log }) => {
      found.push(vmcs.exitQualification);
      vmcs.skipInstruction(log.length);
      return true;
    },
  });
  vm.engine.runUntil(20_000);
  // 30 I/O instruction, 10 CPUID, 49 EPT misconfiguration, 44 access to the APIC's page ("virtualize APIC accesses").
  const events = [
    "exit 30",
    "out 1",
    "exit 30",
    "in 3",
    "exit 30",
    "outw 5",
    "exit 10",
    "cpuid 7",
    "exit 49",
    "store 9",
    "exit 44",
    "load 11",
    "exit 44",
    "store 13",
    "exit 12",
    "hlt 15",
  ];
  assertEquals(vm.events, events);
  // I/O: bits 2:0 bytes - 1, bit 3 IN, bits 31:16 port. APIC access: bits 11:0 offset, bits 15:12 0 read, 1 write. The
  // others clear the field: an earlier exit's is not to be seen.
  assertEquals(found, [0x0070_0000, 0x0071_0008, 0xb004_0001, 0, 0, 0x020, 0x10b0, 0]);
});

Deno.test("an instruction that exited and is not skipped is executed again, with its operands", () => {
  const bitmap = new MsrBitmap("opened later");
  const vm = new Vm(function* (vm) {
    yield vm.guest.wrmsr(msr(0x080), 0x20);
    vm.note("guest done");
    yield endless("guest", GUEST);
  }, {
    bitmap,
    before: (vm) => vm.guestHandles(0x40),
    atExit: (vm) => {
      const exits = vm.events.filter((what) => what === "exit 32").length;
      // In between the guest takes an event whose handler executes another WRMSR.
      if (exits === 2) vm.vmcs.entryInterruptionInfo = information(0, 0x40);
      if (exits === 2) bitmap.open(0x80b, "w");
      if (exits === 3) bitmap.open(0x808, "w");
      return true;
    },
  });
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, [
    "exit 32",
    "exit 32",
    "guest 0x40 begins",
    "guest 0x40 ends",
    "exit 32",
    "guest done",
  ]);
  assertEquals(vm.cpu.apic.read(0x080, 0), 0x20);
});
