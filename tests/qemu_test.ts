/**
 * QEMU as a process: what it starts, what it refuses, how it ends.
 *
 * Expected messages are those of qemu-kvm 1.1; what is on and off follows from the talk's slides 11, 19, 21 and 30.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ExitReason } from "../hw/vmx.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { Ioctl } from "../runtime/kvm/ioctl/ioctls.ts";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { RFC_V2, Rig, SERIAL_WRITE, type Started, startQemu, STOCK } from "./kvm_rig.ts";

const SLIDE_30 = `qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -serial pty -nographic
  -drive file=kvm/test.img,if=virtio -device pci-assign,host=05:00.0`;
/** Numbers of `errno.h`. */
const EINVAL = 22, ENOSYS = 38, EIO = 5;

/** A command that succeeds, and a tenth of a second after it. */
function started(rig: Rig, command: string): Started & { machine: NonNullable<Started["machine"]> } {
  const result = startQemu(rig, command);
  assertEquals([result.status, result.stdout], [0, ""], result.stderr);
  rig.pass(100_000_000);
  return { ...result, machine: result.machine! };
}

Deno.test("slide 30's command gives the vCPU the offline CPU, and every direct feature is on", () => {
  const rig = new Rig(RFC_V2);
  const { machine, stderr, guest } = started(rig, SLIDE_30);
  assertEquals(stderr, "char device redirected to /dev/pts/0\n");
  assertEquals(machine.name, "vm0");
  const on = { on: true, reason: "" };
  const [status] = machine.status();
  assertEquals(status!.slaveCpu, 3);
  assertEquals([status!.directInterrupts, status!.directEoi, status!.directTimer], [on, on, on]);
  assertEquals(machine.warnings(), []);
  assertEquals(guest!.cpus[0]!.state, "online", "the guest has booted");
  const threads = machine.pids.map((pid) => rig.host.tasks.get(pid)!.name);
  assertEquals(threads, ["qemu-kvm.patched", "qemu-kvm.patched"], "its first thread and one for the vCPU");
  assertEquals(guest!.dmesg.filter(({ text }) => text.includes("No irq handler")), []);
});

Deno.test("the calls that QEMU makes are in the trace, in order, with their results", () => {
  const rig = new Rig(RFC_V2);
  const log = rig.engine.trace = new TraceLog();
  startQemu(rig, SLIDE_30);
  rig.pass(100_000_000);
  rig.engine.trace = null;
  const calls = log.records.filter(({ kind }) => kind === "syscall")
    .map(({ name, fields }) => `${name}(${fields.args}) = ${fields.result}`);
  assertEquals(calls.map((call) => call.replace(/, \d{10,}\)/, ", …)")), [
    "open(/dev/kvm, 2) = 3",
    "ioctl(3, KVM_GET_API_VERSION, 0) = 12",
    "ioctl(3, KVM_CREATE_VM, 0) = 4",
    "ioctl(4, KVM_SET_IDENTITY_MAP_ADDR, …) = 0",
    "ioctl(4, KVM_SET_TSS_ADDR, …) = 0",
    "ioctl(4, KVM_CREATE_IRQCHIP, 0) = 0",
    "ioctl(4, KVM_SET_GSI_ROUTING, &(struct kvm_irq_routing){…}) = 0",
    "ioctl(4, KVM_REGISTER_COALESCED_MMIO, &(struct kvm_coalesced_mmio_zone){…}) = 0",
    "ioctl(4, KVM_ASSIGN_PCI_DEVICE, 0000:05:00.0, 3) = 0", // KVM_DEV_ASSIGN_ENABLE_IOMMU | _PCI_2_3
    "ioctl(4, KVM_SET_USER_MEMORY_REGION, 0, 0, 0, 1073741824, …) = 0",
    "ioctl(3, KVM_CHECK_EXTENSION, 81) = 1",
    "ioctl(4, KVM_CREATE_VCPU, 0) = 5",
    "ioctl(5, KVM_SET_CPUID2, x2apic,kvmclock,kvm_nopiodelay,kvm_steal_time,kvmclock_stable_bit) = 0",
    "ioctl(5, KVM_SET_SLAVE_CPU, 3) = 0",
    // KVM_DEV_ASSIGN_PCI_2_3 | _MASK_INTX: Linux sets Interrupt Disable, then opens MSI-X (msix_capability_init()).
    "ioctl(4, KVM_ASSIGN_SET_INTX_MASK, 0000:05:00.0, 6) = 0",
    "ioctl(4, KVM_ASSIGN_SET_MSIX_NR, 0000:05:00.0, 2) = 0",
    "ioctl(4, KVM_ASSIGN_SET_MSIX_ENTRY, 0000:05:00.0, 24, 0) = 0",
    "ioctl(4, KVM_ASSIGN_SET_MSIX_ENTRY, 0000:05:00.0, 25, 1) = 0",
    "ioctl(4, KVM_SET_GSI_ROUTING, &(struct kvm_irq_routing){…}) = 0",
    "ioctl(4, KVM_ASSIGN_DEV_IRQ, 0000:05:00.0, 0, 0, 1028) = 0", // KVM_DEV_IRQ_HOST_MSIX | _GUEST_MSIX
  ]);
});

Deno.test("a device that is bound to its driver is refused, with the way to free it", () => {
  const rig = new Rig(RFC_V2, { vfDriver: "ixgbevf" });
  const { status, stderr, machine } = startQemu(
    rig,
    "qemu-kvm -cpu qemu64,+x2apic -no-kvm-pit -device pci-assign,host=05:00.0",
  );
  assertEquals([status, machine], [1, undefined]);
  assertEquals(stderr.split("\n"), [
    'Failed to assign device "(null)" : Device or resource busy',
    "*** The driver 'ixgbevf' is occupying your device 0000:05:00.0.",
    "***",
    "*** You can try the following commands to free it:",
    "***",
    '*** $ echo "8086 10ed" > /sys/bus/pci/drivers/pci-stub/new_id',
    '*** $ echo "0000:05:00.0" > /sys/bus/pci/drivers/ixgbevf/unbind',
    '*** $ echo "0000:05:00.0" > /sys/bus/pci/drivers/pci-stub/bind',
    '*** $ echo "8086 10ed" > /sys/bus/pci/drivers/pci-stub/remove_id',
    "***",
    "qemu-kvm: -device pci-assign,host=05:00.0: Device 'kvm-pci-assign' could not be initialized",
    "",
  ]);
  assertEquals([rig.kvm.vms.length, rig.pci.driverOf("05:00.0")], [0, "ixgbevf"]);
});

Deno.test("a device that does not exist, a wrong option, a missing image: status 1 and nothing left behind", () => {
  const rig = new Rig(STOCK);
  const missing = startQemu(rig, "qemu-kvm -device pci-assign,host=07:00.0,id=nic");
  assertEquals([missing.status, missing.stderr.split("\n")[0], missing.stderr.split("\n")[1]], [
    1,
    "get_real_device: /sys/bus/pci/devices/0000:07:00.0/config: No such file or directory",
    "qemu-kvm: -device pci-assign,host=07:00.0,id=nic: pci-assign: Error: Couldn't get real device (nic)!",
  ]);
  const option = startQemu(rig, "qemu-kvm -nosuchoption");
  assertEquals([option.status, option.stderr], [1, "qemu-kvm: -nosuchoption: invalid option\n"]);
  const image = startQemu(rig, "qemu-kvm -drive file=nosuch.img,if=virtio");
  assertEquals(image.status, 1);
  assertStringIncludes(image.stderr, "Could not open 'nosuch.img': No such file or directory");
  assertEquals(rig.kvm.vms.length, 0);
});

Deno.test("on a kernel without the patches the patched QEMU runs its guest like any other", () => {
  const rig = new Rig(STOCK);
  const { machine } = started(rig, SLIDE_30);
  const [status] = machine.status();
  assertEquals([status!.slaveCpu, status!.directInterrupts.on], [null, false]);
  assert(status!.exits > 0);
  assertEquals([rig.host.cpus[3]!.state, machine.warnings()], ["offline", []]);
});

Deno.test("without +x2apic the guest works, its EOI and timer are trapped, and it is said", () => {
  const rig = new Rig(RFC_V2);
  const { machine, guest } = started(rig, SLIDE_30.replace(",+x2apic", ""));
  const [status] = machine.status();
  assertEquals([status!.directInterrupts.on, status!.directEoi.on, status!.directTimer.on], [
    true,
    false,
    false,
  ]);
  assertStringIncludes(status!.directEoi.reason, "+x2apic");
  assertStringIncludes(status!.directTimer.reason, "+x2apic");
  assertEquals(machine.warnings(), ["no +x2apic in -cpu: EOI and timer are trapped"]);
  const { vcpus: [vcpu], assigned: [device] } = rig.kvm.vms[0]!;
  assertEquals(guest!.cpus[0]!.state, "online", "it has booted, by memory-mapped accesses");
  assertEquals(vcpu!.exits[ExitReason.MsrWrite], 0);
  const before = vcpu!.totalExits, mapped = vcpu!.exits[ExitReason.ApicAccess]!;
  device!.raise(0);
  rig.pass(200_000);
  assertEquals(
    [vcpu!.totalExits - before, vcpu!.exits[ExitReason.ApicAccess]! - mapped],
    [1, 1],
    "the EOI",
  );
});

Deno.test("with the in-kernel PIT each tick turns direct mode off and on again, and it is said", () => {
  const rig = new Rig(RFC_V2);
  const { machine } = started(rig, SLIDE_30.replace("-no-kvm-pit", ""));
  const { pit, vcpus: [vcpu] } = rig.kvm.vms[0]!;
  const ticks = pit!.ticks, switches = vcpu!.directSwitches, exits = vcpu!.totalExits;
  rig.pass(10 * pit!.periodNs);
  assertEquals([pit!.ticks - ticks, vcpu!.directSwitches - switches], [10, 20]);
  assertEquals(vcpu!.totalExits - exits, 20, "an NMI and an EOI each");
  assertStringIncludes(machine.warnings()[0]!, "turn direct mode off each time");
});

Deno.test("with -no-kvm-pit nothing disturbs a guest in direct mode", () => {
  const rig = new Rig(RFC_V2);
  started(rig, SLIDE_30);
  const [vcpu] = rig.kvm.vms[0]!.vcpus;
  const before = [vcpu!.totalExits, vcpu!.directSwitches];
  rig.pass(1_000_000_000);
  assertEquals([vcpu!.totalExits, vcpu!.directSwitches], before);
});

Deno.test("-S: slide 11's two calls, typed; KVM_RUN is made by the vCPU's own thread", () => {
  const rig = new Rig(RFC_V2, { offline: [2, 3] });
  const { machine, guest } = started(rig, `${SLIDE_30} -S`);
  assertEquals([machine.running, guest!.cpus[0]!.state], [false, "offline"], "the guest has not begun");
  const [vcpu] = machine.publish();
  const ioctl = (request: number, argument: number) =>
    rig.finish((task) => rig.ioctl(vcpu!, request, argument, task));
  assertEquals(ioctl(Ioctl.KVM_SET_SLAVE_CPU, 1), -EINVAL, "still online");
  assertEquals(ioctl(Ioctl.KVM_SET_SLAVE_CPU, 3), 0);
  assertEquals(ioctl(Ioctl.KVM_SET_SLAVE_CPU, 3), -ENOSYS, "the same slave twice");
  let result: number | undefined;
  rig.run("shell", 1, function* (task) {
    result = yield* rig.ioctl(vcpu!, Ioctl.KVM_RUN, 0, task);
    return 0;
  });
  rig.pass(200_000_000);
  assertEquals(
    [result, guest!.cpus[0]!.state],
    [undefined, "online"],
    "it runs, and the call has not returned",
  );
  assertEquals(rig.kvm.vms[0]!.vcpus[0]!.thread, machine.threads[0]!.task);
  rig.portWrites.push(SERIAL_WRITE);
  rig.pass(100_000_000);
  assertEquals([result, vcpu!.lastExit], [0, "KVM_EXIT_IO"], "a user exit ends it");
  // The vCPU is out: now its slave can be taken away, and with it the interrupts go back to the host.
  assertEquals(rig.kvm.vms[0]!.assigned[0]!.interrupts()[0]!.cpu, 3);
  assertEquals(ioctl(Ioctl.KVM_SET_SLAVE_CPU, -1), 0);
  const [interrupt] = rig.kvm.vms[0]!.assigned[0]!.interrupts();
  assertEquals([rig.host.cpus[3]!.state, interrupt!.cpu], ["offline", 0]);
  assert(interrupt!.hostVector !== interrupt!.guestVector);
});

Deno.test("a patched QEMU with two vCPUs takes the offline CPUs, highest first", () => {
  const rig = new Rig(RFC_V2, { offline: [2, 3] });
  const { machine, guest } = started(rig, `${SLIDE_30} -smp 2 -name rt`);
  assertEquals(machine.status().map(({ slaveCpu }) => slaveCpu), [3, 2]);
  assertEquals([machine.name, guest!.name, guest!.cpus.map(({ state }) => state)], ["rt", "rt", [
    "online",
    "online",
  ]]);
});

for (const [title, capabilities] of [["a slave CPU", RFC_V2], ["stock KVM", STOCK]] as const) {
  Deno.test(`a fatal signal ends the process on ${title}, and everything it had is given back`, () => {
    const rig = new Rig(capabilities, { offline: capabilities.slaveCpu ? [3] : [] });
    const { machine } = started(rig, SLIDE_30);
    const pids = machine.pids;
    const [published] = machine.publish();
    assertEquals(rig.pci.find("05:00.0")!.assigned, true);
    rig.type((cpu) => rig.host.kill(rig.host.tasks.get(pids[1]!)!, 128 + 9, cpu));
    rig.pass(1_000_000_000);
    assertEquals(pids.filter((pid) => rig.host.tasks.has(pid)), [], "no thread is left");
    assertEquals([...rig.host.tasks.values()].filter(({ name }) => name.startsWith("irq/")), []);
    assertEquals(rig.kvm.vms, []);
    assertEquals([rig.pci.find("05:00.0")!.assigned, rig.pci.driverOf("05:00.0")], [false, "pci-stub"]);
    assertEquals(rig.irqs.list().filter(({ name }) => name.startsWith("kvm:")), []);
    assertEquals(rig.host.cpus[3]!.state, capabilities.slaveCpu ? "offline" : "online");
    assert(!rig.machine.cpus[3]!.apic.inService);
    assertEquals(
      [...rig.host.cpus[3]!.vectorIrq].map(([vector]) => vector),
      [Vector.Isa + 1],
      "the guest's vectors are gone",
    );
    assertEquals(rig.finish((task) => rig.ioctl(published!, Ioctl.KVM_GET_SLAVE_CPU, 0, task)), -EIO);
    started(rig, SLIDE_30);
  });
}

Deno.test("the same run gives the same state", () => {
  const hash = () => {
    const rig = new Rig(RFC_V2);
    started(rig, SLIDE_30);
    rig.kvm.vms[0]!.assigned[0]!.raise(0);
    rig.pass(10_000_000);
    return rig.engine.stateHash();
  };
  assertEquals(hash(), hash());
});
