/**
 * VM entries: what they bring into the guest, and what lets it go no further than its door.
 *
 * Fields and controls are restated from the Intel SDM, vol. 3C, "VM Entries".
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { COST } from "./cpu_rig.ts";
import {
  BITMAPS,
  eoiOpen,
  EXTERNAL,
  HLT_EXITING,
  information,
  NMI,
  NMI_WINDOW,
  PREEMPTION_TIMER,
  thousand,
  VIRTUAL_NMIS,
  Vm,
  WINDOW,
  works,
} from "./vmx_rig.ts";

const { vmEntry: ENTRY, vmExit: EXIT, eventInjection: INJECTION, msrAccess: MSR } = COST;

Deno.test("an entry injects the event of its interruption field, once", () => {
  const vm = new Vm(works, {
    bitmap: eoiOpen(),
    before: (vm) => {
      vm.guestHandles(0x40);
      vm.vmcs.entryInterruptionInfo = information(0, 0x40);
    },
    atExit: ({ vmcs }) => {
      assertEquals(vmcs.entryInterruptionInfo >>> 31, 0, "the valid bit is cleared");
      return true;
    },
  });
  vm.handle(0x50);
  vm.interruptAt(ENTRY + INJECTION + 1000 + MSR + 300, 0x50);
  vm.engine.runUntil(20_000);
  const begins = ENTRY + INJECTION;
  assertEquals(vm.log[0], `${begins} guest 0x40 begins`);
  assertEquals(vm.log[1], `${begins + 1000 + MSR} guest 0x40 ends`);
  assertEquals(vm.events.slice(2), ["exit 1", "0x50 begins", "0x50 ends", "guest done"]);
});

Deno.test("an interruption field whose valid bit is clear injects nothing", () => {
  const vm = new Vm(works, { before: ({ vmcs }) => vmcs.entryInterruptionInfo = 0x40 });
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["guest done"]);
});

Deno.test("exceptions and NMIs are injected whatever the guest's IF; the handler's vector is the field's", () => {
  for (const [type, vector] of [[3, 13], [2, 2]] as const) {
    const vm = new Vm(works, {
      before: (vm) => {
        vm.guest.interruptFlag = false;
        vm.guestHandlers.onException = (vector) => vm.notes(`vector ${vector}`);
        vm.guestHandlers.onNmi = () => vm.notes("vector 2");
        vm.vmcs.entryInterruptionInfo = information(type, vector);
      },
    });
    vm.engine.runUntil(20_000);
    assertEquals(vm.log, [`${ENTRY + INJECTION} vector ${vector}`, `${ENTRY + INJECTION + 1000} guest done`]);
    assertEquals(vm.guest.interruptFlag, false, "IRET restores IF as it was");
  }
});

Deno.test("to inject an interrupt with IF clear fails the entry: reason 33, nothing delivered, the field as it was", () => {
  // SDM, "VM-Entry Failures During or After Loading Guest State": the valid bit of the VM-entry
  // interruption-information field is not cleared, the guest-state area is not modified.
  const vm = new Vm(works, {
    before: (vm) => {
      vm.guest.interruptFlag = false;
      vm.guestHandles(0x40);
      vm.vmcs.entryInterruptionInfo = information(0, 0x40);
    },
    atExit: ({ vmcs, guest }) => {
      assertEquals(vmcs.entryInterruptionInfo, information(0, 0x40));
      assertEquals(guest.context.depth, 0);
      return false;
    },
  });
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["exit 33", "host goes on"]);
});

Deno.test("interrupt-window exiting: reason 7 as soon as the guest's IF is set, before it goes on", () => {
  const vm = new Vm(function* (vm) {
    vm.guest.interruptFlag = false;
    yield thousand;
    vm.guest.interruptFlag = true;
    vm.note("IF set");
    yield* works(vm);
  }, {
    primary: HLT_EXITING | BITMAPS | WINDOW,
    before: ({ guest }) => guest.interruptFlag = false,
    atExit: ({ vmcs }) => {
      vmcs.primary &= ~WINDOW;
      return true;
    },
  });
  vm.engine.runUntil(20_000);
  const open = ENTRY + 1000;
  assertEquals(vm.log, [
    `${open} IF set`,
    `${open + EXIT} exit 7`,
    `${open + EXIT + 10 + ENTRY + 1000} guest done`,
  ]);
});

Deno.test("an open interrupt window exits after NMIs and before external interrupts", () => {
  const vm = new Vm(works, {
    primary: HLT_EXITING | BITMAPS | WINDOW,
    atExit: ({ vmcs }, reason) => {
      if (reason === 7) vmcs.primary &= ~WINDOW;
      return reason !== 1;
    },
  });
  vm.handle(0x40);
  vm.nmiAt(ENTRY - 2);
  vm.interruptAt(ENTRY - 1, 0x40);
  vm.engine.runUntil(20_000);
  const exits = vm.events.filter((what) => what.startsWith("exit"));
  // The host's IF is set behind the first exit, where it takes the interrupt itself.
  assertEquals(exits, ["exit 0", "exit 7"]);
});

Deno.test("a preemption timer of 0 exits with reason 52 before the guest's first step, at every entry", () => {
  const vm = new Vm(function* (vm) {
    vm.note("guest runs");
    yield* works(vm);
  }, {
    pin: EXTERNAL | NMI | PREEMPTION_TIMER,
    atExit: ({ vmcs, log }) => {
      if (log.length === 2) vmcs.pinBased &= ~PREEMPTION_TIMER;
      return true;
    },
  });
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["exit 52", "exit 52", "guest runs", "guest done"]);
});

Deno.test("a preemption timer of 0 lets an event be injected, and exits before its handler's first step", () => {
  const vm = new Vm(works, {
    pin: EXTERNAL | NMI | PREEMPTION_TIMER,
    bitmap: eoiOpen(),
    before: (vm) => {
      vm.guestHandles(0x40);
      vm.vmcs.entryInterruptionInfo = information(0, 0x40);
    },
    atExit: ({ vmcs, guest, events }) => {
      assertEquals(events, ["exit 52"]);
      assertEquals([vmcs.entryInterruptionInfo >>> 31, guest.context.depth], [0, 1]);
      vmcs.pinBased &= ~PREEMPTION_TIMER;
      return true;
    },
  });
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["exit 52", "guest 0x40 begins", "guest 0x40 ends", "guest done"]);
});

/** A guest's NMI handler that works for a microsecond. */
function handlesNmis(vm: Vm): void {
  vm.guestHandlers.onNmi = function* () {
    vm.note("guest NMI begins");
    yield thousand;
    vm.note("guest NMI ends");
  };
}

Deno.test("virtual NMIs: an injected NMI blocks others until the guest's IRET, and the window then exits with reason 8", () => {
  // SDM, "NMI-window exiting"; bit 3 of the interruptibility state is blocking by NMI.
  const blocking: number[] = [];
  const vm = new Vm(works, {
    pin: EXTERNAL | NMI | VIRTUAL_NMIS,
    primary: HLT_EXITING | BITMAPS | NMI_WINDOW,
    before: (vm) => {
      handlesNmis(vm);
      vm.vmcs.entryInterruptionInfo = information(2, 2);
    },
    atExit: ({ vmcs }, reason) => {
      blocking.push(vmcs.interruptibility);
      if (reason === 8 && blocking.length === 1) vmcs.entryInterruptionInfo = information(2, 2);
      else vmcs.primary &= ~NMI_WINDOW;
      return true;
    },
  });
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, [
    "guest NMI begins",
    "guest NMI ends",
    "exit 8",
    "guest NMI begins",
    "guest NMI ends",
    "exit 8",
    "guest done",
  ]);
  assertEquals(vm.log[2], `${ENTRY + INJECTION + 1000 + EXIT} exit 8`, "at the IRET");
  assertEquals(blocking, [0, 0]);
});

Deno.test("virtual NMIs: a physical NMI exits from the guest's NMI handler too, which stays blocked and goes on", () => {
  const vm = new Vm(works, {
    pin: EXTERNAL | NMI | VIRTUAL_NMIS,
    before: (vm) => {
      handlesNmis(vm);
      vm.vmcs.entryInterruptionInfo = information(2, 2);
    },
    atExit: ({ vmcs }) => {
      assertEquals(vmcs.interruptibility, 1 << 3);
      return true;
    },
  });
  vm.nmiAt(ENTRY + INJECTION + 400);
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["guest NMI begins", "exit 0", "guest NMI ends", "guest done"]);
});

Deno.test("virtual NMIs: to inject an NMI while NMIs are blocked fails the entry; without the control nobody asks", () => {
  // SDM, "Checks on Guest Non-Register State": bit 3 must be 0 if the event is an NMI and "virtual NMIs" is 1.
  for (const [control, events] of [[VIRTUAL_NMIS, ["exit 33"]], [0, ["guest NMI begins"]]] as const) {
    const vm = new Vm(works, {
      pin: EXTERNAL | NMI | control,
      before: (vm) => {
        handlesNmis(vm);
        vm.vmcs.interruptibility = 1 << 3;
        vm.vmcs.entryInterruptionInfo = information(2, 2);
      },
      atExit: () => false,
    });
    vm.engine.runUntil(20_000);
    assertEquals(vm.events.slice(0, 1), [...events]);
  }
});

Deno.test("an open NMI window exits at the entry, before a pending NMI and before an open interrupt window", () => {
  // SDM, "Other Causes of VM Exits": NMI-window exits before NMIs, these before interrupt-window exits.
  const vm = new Vm(works, {
    pin: EXTERNAL | NMI | VIRTUAL_NMIS,
    primary: HLT_EXITING | BITMAPS | NMI_WINDOW | WINDOW,
    atExit: ({ vmcs }, reason) => {
      if (reason === 8) vmcs.primary &= ~NMI_WINDOW;
      if (reason === 7) vmcs.primary &= ~WINDOW;
      return true;
    },
  });
  vm.cpu.nmiBlocked = true; // the host's own: it does not hold an exit back
  vm.nmiAt(ENTRY - 1);
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["exit 8", "exit 0", "exit 7", "guest done"]);
});

Deno.test("an NMI window opens in activity state HLT too", () => {
  const vm = new Vm(works, {
    pin: EXTERNAL | NMI | VIRTUAL_NMIS,
    primary: BITMAPS | NMI_WINDOW,
    before: ({ guest }) => guest.halted = true,
    atExit: () => false,
  });
  vm.engine.runUntil(20_000);
  assertEquals(vm.events, ["exit 8", "host goes on"]);
});

Deno.test("an EPT violation during the delivery of an event leaves the event in the IDT-vectoring field", () => {
  // SDM, "Information for VM Exits That Occur During Event Delivery". Qualification: bit 0 read, bit 2 fetch, bits 7 and 8.
  for (const [type, vector] of [[0, 0x40], [2, 2]] as const) {
    const found: unknown[] = [];
    const vm = new Vm(works, {
      pin: EXTERNAL | NMI | VIRTUAL_NMIS,
      before: (vm) => {
        handlesNmis(vm);
        vm.guestHandles(0x40);
        vm.vmcs.entryInterruptionInfo = information(type, vector);
        vm.vmcs.ept.mapped = false;
      },
      atExit: ({ vmcs, guest }) => {
        const { idtVectoringInfo, entryInterruptionInfo, exitQualification, interruptibility } = vmcs;
        found.push([idtVectoringInfo, entryInterruptionInfo, exitQualification, interruptibility]);
        assertEquals(guest.context.depth, 0, "the handler has not begun");
        vmcs.interruptibility = 0;
        if (found.length === 2) vmcs.ept.mapped = true;
        return true;
      },
    });
    vm.engine.runUntil(20_000);
    assertEquals(vm.events, ["exit 48", "exit 48", "guest done"]);
    assertEquals(found, [[information(type, vector), 0, 0x181, type === 2 ? 8 : 0], [0, 0, 0x184, 0]]);
  }
});
