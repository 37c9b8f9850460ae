/**
 * Patch 17: a kick that comes between KVM's last look at a vCPU's requests and the entry must not be forgotten.
 *
 * Expectations are from the patch and the Intel SDM, vol. 3C, "VMX-Preemption Timer": with the timer at 0 the processor enters,
 * delivers what was to be injected, and exits before the guest's first instruction, with basic reason 52.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { runningWithDevice } from "./exit_rig.ts";
import { RFC_V2, SERIAL_WRITE } from "./kvm_rig.ts";

const PREEMPTION_TIMER = 52;
/** Bit 6 of the pin-based controls. */
const ACTIVATE_PREEMPTION_TIMER = 1 << 6;

/** A virtual interrupt whose NMI arrives while the vCPU is about to enter the guest, on its slave CPU. */
function kickInTheGap(preventsEntry: boolean) {
  const { rig, vcpu } = runningWithDevice(RFC_V2, { preventsEntry });
  rig.portWrites.push(SERIAL_WRITE); // out to user space, and in again
  rig.until(() => vcpu.loadedOn === null);
  rig.until(() => vcpu.inGuest && rig.machine.cpus[3]!.inFlight?.name === "slaveEntry");
  const before = [...vcpu.exits];
  vcpu.apic.accept(0x3b);
  rig.machine.cpus[3]!.nmi();
  return { rig, vcpu, exits: () => vcpu.exits.map((count, reason) => count - before[reason]!) };
}

Deno.test("an NMI between the last look at the requests and the entry is followed by exit 52, and the request is served", () => {
  const { rig, vcpu, exits } = kickInTheGap(true);
  rig.until(() => exits()[PREEMPTION_TIMER]! > 0);
  assertEquals(vcpu.vmcs.pinBased & ACTIVATE_PREEMPTION_TIMER, 0, "the timer is off again");
  rig.pass(1_000_000);
  assertEquals(exits()[PREEMPTION_TIMER], 1);
  assert(vcpu.apic.pendingVector() < 0, "the virtual interrupt has been injected");
});

Deno.test("without that the guest runs on, and the request waits", () => {
  const { rig, vcpu, exits } = kickInTheGap(false);
  rig.pass(1_000_000);
  assertEquals(exits()[PREEMPTION_TIMER], 0);
  assertEquals(vcpu.apic.pendingVector(), 0x3b);
  assert(vcpu.inGuest);
});
