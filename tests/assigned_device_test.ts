/**
 * An assigned device's interrupts: slides 16 to 18 and 20 of the talk, box by box, with the exits that the talk counts.
 *
 * The sequences are the talk's figures; cpu3 runs the vCPU, with its thread pinned there on stock KVM.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { oneInterrupt, runningWithDevice } from "./exit_rig.ts";
import { RFC_V1, RFC_V2, SERIAL_WRITE, STOCK } from "./kvm_rig.ts";

const WITHOUT_DIRECT_EOI = [
  "interrupt",
  "IRQ handler",
  "EOI",
  "--VM exit--",
  "  emulate APIC access",
  "--VM entry--",
  "guest runs",
];

Deno.test("stock KVM: an assigned device's interrupt is slide 18's normal delivery, with two exits", () => {
  const { boxes, exits, taken, device, rig } = oneInterrupt(STOCK);
  assertEquals(boxes, [
    "interrupt",
    "--VM exit--",
    "  IRQ handler",
    "  vIRQ injection",
    "--VM entry--",
    "IRQ handler",
    "EOI",
    "--VM exit--",
    "  emulate APIC access",
    "--VM entry--",
    "guest runs",
  ]);
  assertEquals([exits, taken, device.forwarded], [2, 1, 1]);
  const [first] = device.interrupts();
  assert(first!.hostVector !== first!.guestVector, "the host has a vector of its own");
  assertEquals(rig.irqs.get(first!.irq)!.name, "kvm:0000:05:00.0");
  const thread = [...rig.host.tasks.values()].find(({ name }) => name === `irq/${first!.irq}-kvm:0000`)!;
  assertEquals([thread.policy, thread.rtPriority, thread.kernelThread], ["SCHED_FIFO", 50, true]);
});

Deno.test("direct delivery alone: slide 18's direct delivery, with one exit for the EOI", () => {
  const { boxes, exits, taken, device } = oneInterrupt({ ...RFC_V2, eoi: false });
  assertEquals(boxes, WITHOUT_DIRECT_EOI);
  assertEquals([exits, taken, device.forwarded], [1, 1, 0]);
});

Deno.test("rfc-v1 delivers directly too, and its EOI reaches the physical APIC", () => {
  const { boxes, exits, rig } = oneInterrupt(RFC_V1);
  assertEquals(boxes, WITHOUT_DIRECT_EOI);
  assertEquals(exits, 1);
  assert(!rig.machine.cpus[3]!.apic.inService, "nothing is left in service");
});

Deno.test("direct delivery and direct EOI: slide 20's figure, without an exit", () => {
  const { boxes, exits, taken, device, rig } = oneInterrupt(RFC_V2);
  assertEquals(boxes, ["interrupt", "IRQ handler", "direct EOI", "guest runs"]);
  assertEquals([exits, taken, device.forwarded], [0, 1, 0]);
  const [first] = device.interrupts();
  assertEquals([first!.cpu, first!.hostVector], [3, first!.guestVector], "the device has the guest's vector");
  assertEquals(rig.host.interruptCounts(first!.irq)[3], 0, "the host has not seen it");
});

Deno.test("a virtual interrupt under direct mode: slide 20's figure, with two exits", () => {
  const { rig, vcpu, machine } = runningWithDevice(RFC_V2);
  const before = vcpu.totalExits;
  const boxes = rig.boxes(200_000, () => rig.type((cpu) => machine.networkLine.raise(cpu)));
  assertEquals(boxes, [
    "NMI",
    "--VM exit--",
    "  disable direct EOI",
    "  vIRQ injection",
    "--VM entry--",
    "IRQ handler",
    "EOI",
    "--VM exit--",
    "  emulate APIC access",
    "  re-enable direct EOI",
    "--VM entry--",
    "guest runs",
  ]);
  assertEquals(vcpu.totalExits - before, 2);
});

/** The guest's vector arrives while its vCPU is out, because user space serves an access. */
function whileOut(registered: boolean) {
  const { rig, vcpu, device, irqs } = runningWithDevice(RFC_V2);
  const { guestVector } = device.interrupts()[0]!;
  const { vectorIrq } = rig.host.cpus[3]!;
  assert(vectorIrq.has(guestVector), "the guest's vector is registered on the slave");
  if (!registered) vectorIrq.delete(guestVector);
  rig.portWrites.push(SERIAL_WRITE);
  rig.until(() => vcpu.exits[30]! === 1 && vcpu.loadedOn === null);
  const injections = vcpu.injections;
  device.raise(0);
  rig.pass(1_000_000);
  return { rig, device, guestVector, taken: irqs(), injected: vcpu.injections - injections };
}

Deno.test("slide 17: a guest vector that comes while the VM is out becomes a virtual interrupt", () => {
  const { rig, device, taken, injected } = whileOut(true);
  assertEquals([device.forwarded, injected, taken], [1, 1, 1]);
  assertEquals(rig.host.spuriousVectors, 0);
});

Deno.test("slide 17: without the registration it is lost, with a line in the host's log", () => {
  const { rig, device, taken, injected, guestVector } = whileOut(false);
  assertEquals([device.forwarded, injected, taken], [0, 0, 0]);
  assertEquals(rig.host.spuriousVectors, 1);
  assertEquals(rig.host.dmesg.at(-1)!.text, `do_IRQ: 3.${guestVector} No irq handler for vector (irq -1)`);
});

Deno.test("while direct mode is off a device's interrupt exits, and goes through host and thread", () => {
  const { rig, machine, vcpu, device, irqs } = runningWithDevice(RFC_V2);
  rig.type((cpu) => machine.networkLine.raise(cpu));
  rig.until(() => vcpu.vmcs.externalInterruptExiting && vcpu.inGuest);
  const before = vcpu.exits[1]!;
  device.raise(0);
  rig.pass(1_000_000);
  assertEquals([vcpu.exits[1]! - before, device.forwarded, irqs()], [1, 1, 1]);
  assert(!vcpu.vmcs.externalInterruptExiting, "direct mode is on again");
});

Deno.test("an interrupt may be moved from the slave to an online CPU and back: the vector goes with it", () => {
  const { rig, device } = runningWithDevice(RFC_V2);
  const { irq, guestVector } = device.interrupts()[0]!;
  rig.irqs.setAffinity(irq, 1 << 0);
  assert(device.interrupts()[0]!.hostVector !== guestVector);
  rig.irqs.setAffinity(irq, 1 << 3);
  assertEquals(device.interrupts()[0]!.hostVector, guestVector);
});

Deno.test("an assigned device is in its machine's domain of the remapping unit, and in none afterwards", () => {
  const { rig, device } = runningWithDevice(STOCK);
  const { remapping } = rig.machine;
  assertEquals(remapping.domainOf(0x0500), rig.kvm.vms[0]!.domain, "05:00.0");
  rig.finish((task) => device.deassign(task));
  assertEquals(remapping.domainOf(0x0500), undefined);
});
