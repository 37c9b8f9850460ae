/**
 * INTx of an assigned device, end to end: the card's line at the host, the guest's line and its driver, the way back of the
 * guest's EOI.
 *
 * Expected: Linux 3.5 `virt/kvm/assigned-dev.c` and 6.18 `vfio_pci_intrs.c`, `eventfd.c` (who masks what, when, and by which
 * names), `virt/kvm/irq_comm.c` and `trace/events/kvm.h` (tracepoints); SeaBIOS (PIRQs of slot 4 lead to line 11, of slot 5 to
 * line 10); the talk's slide 14: shared lines are forwarded by the host.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TraceLog } from "../hw/sim/trace.ts";
import { kvmTraceEvents } from "../runtime/kvm/trace_events.ts";
import { wireInterrupts } from "../hw/machine_pci.ts";
import { OtherCause } from "../hw/nic_82599.ts";
import { PciBus, PciFunction, placeOf } from "../hw/pci.ts";
import { EEXIST } from "../runtime/linux/errno.ts";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import type { DeviceModel } from "../mod.ts";
import { SessionRig } from "./session_rig.ts";

/** The card's line at the host. */
const HOST_LINE = 16;
const LEVEL = 0x8000, REMOTE_IRR = 0x4000, MASKED = 0x1_0000;
const COMMAND = 4, STATUS = 6, INTX_DISABLE = 0x400, INTERRUPT = 8;

const FREE_THE_CARD = `
echo 8086 10fb > /sys/bus/pci/drivers/pci-stub/new_id
echo 0000:04:00.0 > /sys/bus/pci/drivers/ixgbe/unbind
echo 0000:04:00.0 > /sys/bus/pci/drivers/pci-stub/bind
echo 0 > /sys/devices/system/cpu/cpu3/online
`;
const QEMU = "qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic";
/** The guest's kernel, so that nothing in it uses messages. */
const NOMSI = '-kernel kvm/bzImage -append "root=/dev/vda1 ro pci=nomsi"';
/** With a disk in slot 4 the card is in slot 5, whose line nobody else has. */
const WITH_DISK = `-drive file=kvm/test.img,if=virtio ${NOMSI}`;

/** A guest that computes, and has the card's physical function by its line. */
function assigned(
  system: string,
  { device = "", options = NOMSI }: { device?: string; options?: string } = {},
) {
  const rig = new SessionRig({ system });
  rig.ok(`${FREE_THE_CARD} ${QEMU} ${options} -device pci-assign,host=04:00.0${device}; ssh vm0 true`);
  return running(rig);
}

function running(rig: SessionRig) {
  const { lab } = rig;
  const { machine, kernel } = lab.guests.get("vm0")!;
  const { vm } = machine.file;
  rig.start("ssh vm0 'while :; do :; done'");
  lab.engine.runUntil(lab.engine.nowNs + 20_000_000);
  const [vcpu] = vm.vcpus as [Vcpu];
  const line = vm.assigned[0]!.line!;
  const { chip } = lab.machine.ioApic;
  return {
    rig,
    lab,
    vm,
    vcpu,
    line,
    kernel,
    chip,
    gsi: line.to.gsi,
    raise: () => void lab.interruptSources().get("pf0")!(0),
    pass: (ns: number) => lab.engine.runUntil(lab.engine.nowNs + ns),
    until(ready: () => boolean) {
      const limitNs = lab.engine.nowNs + 1e9;
      while (!ready()) {
        assert(lab.engine.nextNs <= limitNs, "within a second");
        lab.engine.step();
      }
    },
    taken: () => kernel.interruptCounts(line.to.gsi)[0]!,
    deviceMasked: () => (lab.nic.configuration.read(COMMAND, 2) & INTX_DISABLE) !== 0,
    hostEntry: () => chip.entry(HOST_LINE).low & (LEVEL | REMOTE_IRR | MASKED),
    inService: () => lab.machine.cpus.some(({ apic }) => apic.inService) || vcpu.apic.inService,
  };
}

for (const system of ["kvm", "isolation", "rfc-v1", "rfc-v2", "talk"]) {
  Deno.test(`${system}: an interrupt by an assigned line is forwarded by the host, with two exits of the guest`, () => {
    const { vcpu, line, raise, pass, taken, hostEntry, deviceMasked, inService, lab } = assigned(system);
    const host = () => Array.from(lab.host.interruptCounts(HOST_LINE)).reduce((sum, n) => sum + n, 0);
    const before = { exits: vcpu.totalExits, taken: taken(), eois: vcpu.exits[32]!, host: host() };
    // 60 us: no tick of the guest's falls into it, and no section of the host's.
    const ticks = () => vcpu.totalExits - before.exits;
    raise();
    pass(60_000);
    assertEquals([ticks(), taken() - before.taken, host() - before.host, line.forwarded], [2, 1, 1, 1]);
    assertEquals(vcpu.exits[32]! - before.eois, 1, "the EOI's: MSR_WRITE");
    assertEquals([hostEntry(), deviceMasked(), inService()], [LEVEL, false, false]);
    assert(
      lab.host.cpus.every(({ id, state }) =>
        state !== "slave" || lab.host.interruptCounts(HOST_LINE)[id] === 0
      ),
    );
  });
}

Deno.test("on a dedicated CPU the line turns direct mode off, until its EOI has been emulated", () => {
  const { vcpu, raise, pass, until } = assigned("talk");
  assert(!vcpu.vmcs.externalInterruptExiting);
  raise();
  until(() => vcpu.vmcs.externalInterruptExiting);
  pass(100_000);
  assert(!vcpu.vmcs.externalInterruptExiting);
});

Deno.test("the names of the line: kvm:, its thread, and the guest's own handlers on their shared line", () => {
  const { rig, lab } = assigned("talk");
  assertMatch(rig.ok("grep kvm: /proc/interrupts"), /^ 16: .* IR-IO-APIC-fasteoi {3}kvm:0000:04:00\.0\n$/);
  assertMatch(rig.ok("ssh vm0 grep eth1 /proc/interrupts"), /^ 11: .* {3}IO-APIC-fasteoi {3}eth0, eth1\n$/);
  const thread = [...lab.host.tasks.values()].find(({ name }) => name === "irq/16-kvm:0000")!;
  assertEquals([thread.policy, thread.rtPriority], ["SCHED_FIFO", 50]);
  const { machine } = lab.guests.get("vm0")!;
  assertStringIncludes(
    machine.describe().join("\n"),
    "  INTx: irq 16 on cpu0, guest's line 11, through the host",
  );
});

Deno.test("with a disk in slot 4 the card is in slot 5, and its line 10 is its own", () => {
  const { gsi, rig } = assigned("talk", { options: WITH_DISK });
  assertStringIncludes(rig.ok("monitor vm0 info pci"), "PCI subsystem 8086:0003\n      IRQ 10.\n");
  assertEquals(gsi, 10);
  assertMatch(rig.ok("ssh vm0 grep eth1 /proc/interrupts"), /^ 10: .* {3}IO-APIC-fasteoi {3}eth1\n$/);
});

Deno.test("the tracepoints of one such interrupt, in the kernel's words and order", () => {
  const { lab, raise, pass } = assigned("kvm", { options: WITH_DISK });
  const log = lab.engine.trace = new TraceLog();
  raise();
  pass(100_000);
  lab.engine.trace = null;
  const names = [
    "kvm_set_irq",
    "kvm_ioapic_set_irq",
    "kvm_pic_set_irq",
    "kvm_inj_virq",
    "kvm_eoi",
    "kvm_ack_irq",
  ];
  const events = kvmTraceEvents(lab.kvm, false);
  const texts = log.records.filter(({ name }) => names.includes(name)).map((record) =>
    `${record.name}: ${events.find(({ name }) => name === record.name)!.text(record, lab.host.cpus[0]!)}`
  );
  assertEquals(texts, [
    "kvm_set_irq: gsi 10 level 1 source 3",
    "kvm_pic_set_irq: chip 1 pin 2 (level|masked)",
    "kvm_ioapic_set_irq: pin 10 dst 0 vec=58 (Fixed|physical|level)",
    "kvm_inj_virq: irq 58",
    "kvm_eoi: apicid 0 vector 58",
    "kvm_ack_irq: irqchip IOAPIC pin 10",
    "kvm_set_irq: gsi 10 level 0 source 3",
    "kvm_pic_set_irq: chip 1 pin 2 (level|masked)",
    "kvm_ioapic_set_irq: pin 10 dst 0 vec=58 (Fixed|physical|level)",
  ]);
});

Deno.test("PCI 2.3: the device is masked from the host's handler to the guest's EOI, its pin is not", () => {
  const { raise, until, deviceMasked, hostEntry, chip, vcpu, pass } = assigned("kvm");
  raise();
  until(deviceMasked);
  until(() => !chip.remoteIrr(HOST_LINE));
  assertEquals(hostEntry(), LEVEL, "others on the line go on interrupting");
  until(() => vcpu.apic.inService);
  assertEquals(deviceMasked(), true);
  pass(100_000);
  assertEquals(deviceMasked(), false);
});

Deno.test("a device that interrupts still when the guest ends its interrupt raises the guest's line anew", () => {
  const { lab, raise, until, taken, vcpu, pass, line, deviceMasked } = assigned("kvm");
  const interrupts = () => (lab.nic.configuration.read(STATUS, 2) & INTERRUPT) !== 0;
  const before = taken();
  raise();
  until(() => vcpu.apic.inService && taken() === before + 1 && !interrupts());
  lab.nic.raiseOther(OtherCause.linkStatusChange, lab.engine.nowNs); // between the handler's look and its EOI
  assert(deviceMasked() && interrupts());
  pass(200_000);
  assertEquals([taken() - before, line.forwarded, deviceMasked()], [2, 1, false], "the host has seen one");
});

Deno.test("share_intx=off: the pin is masked from the host's interrupt to the guest's EOI, the device is not", () => {
  const { raise, until, deviceMasked, hostEntry, vcpu, taken, pass } = assigned("talk", {
    device: ",share_intx=off",
  });
  const before = taken();
  raise();
  until(() => vcpu.apic.inService);
  assertEquals([hostEntry(), deviceMasked()], [LEVEL | MASKED, false]);
  pass(100_000);
  assertEquals([hostEntry(), taken() - before], [LEVEL, 1]);
  for (let i = 0; i < 3; i++) {
    raise();
    pass(100_000);
  }
  assertEquals(taken() - before, 4);
});

/** A USB controller of the host's on the card's line, with its handler. */
function shareTheLine({ lab }: SessionRig) {
  const { ioApic } = lab.machine;
  const usb = new PciFunction({
    ...{ bdf: placeOf("00:1d.0"), vendorId: 0x8086, deviceId: 0x1e26, classCode: 0x0c_0320, revision: 4 },
    ...{ subsystemVendorId: 0, subsystemId: 0, bars: [], headerType: 0 },
    ...{ interruptPin: 1, interruptLine: HOST_LINE },
  });
  const bus = new PciBus();
  bus.plug({ functions: () => [usb] });
  wireInterrupts(bus, ioApic);
  const state = { high: false, taken: 0, drive: (high: boolean) => usb.interruptWire!(state.high = high) };
  lab.software.irqs.requestLine(HOST_LINE, {
    name: "ehci_hcd:usb1",
    shared: true,
    act() {
      if (!state.high) return false;
      state.taken++;
      state.drive(false);
      return true;
    },
  });
  return state;
}

Deno.test("a host's device on the same line is served while the guest keeps its own waiting", () => {
  const { rig, raise, pass, taken, until, vcpu } = assigned("talk");
  const usb = shareTheLine(rig);
  assertMatch(rig.ok("grep ehci /proc/interrupts"), /kvm:0000:04:00\.0, ehci_hcd:usb1/);
  const before = taken();
  raise();
  until(() => vcpu.apic.inService);
  usb.drive(true);
  pass(5_000);
  assertEquals(usb.taken, 1);
  pass(100_000);
  assertEquals(taken() - before, 1, "and it is none of the guest's");
});

/** A device with a line, the card's, and no messages at all. */
const PLAIN: DeviceModel = {
  ...{ name: "plain", address: "00:1e.0", vendorId: 0x1234, deviceId: 3, line: HOST_LINE },
  create: () => ({ read: () => 0, write: () => {}, state: () => [] }),
};

Deno.test("without masking in the device a shared line is refused: EIO, QEMU's words, the kernel's log", () => {
  const rig = new SessionRig({ system: "talk", devices: [PLAIN] });
  rig.ok(
    "echo 1234 0003 > /sys/bus/pci/drivers/pci-stub/new_id; echo 0 > /sys/devices/system/cpu/cpu3/online",
  );
  shareTheLine(rig);
  const { status, err } = rig.run(`${QEMU} ${NOMSI} -device pci-assign,host=00:1e.0,share_intx=off,id=card`);
  assertEquals(status, 1);
  assertEquals(err.split("\n").slice(0, 3), [
    'Failed to assign irq for "card": Input/output error',
    "Perhaps you are assigning a device that shares an IRQ with another device?",
    "qemu-kvm.patched: -device pci-assign,host=00:1e.0,share_intx=off,id=card: Device 'kvm-pci-assign' could not be initialized",
  ]);
  assertMatch(
    rig.ok("dmesg | tail -1"),
    /genirq: Flags mismatch irq 16\. 00002000 \(kvm:0000:00:1e\.0\) vs\. 00000080 \(ehci_hcd:usb1\)\n$/,
  );
  assertEquals(rig.run("grep -c kvm: /proc/interrupts").out, "0\n");
  rig.ok(`${QEMU} ${NOMSI} -device pci-assign,host=00:1e.0`); // the device is free, and shares
});

Deno.test("where the line is refused the host's MSI stands behind the guest's line: QEMU tries that next", () => {
  const rig = new SessionRig({ system: "talk" });
  rig.ok(FREE_THE_CARD);
  const usb = shareTheLine(rig);
  rig.ok(`${QEMU} ${NOMSI} -device pci-assign,host=04:00.0,share_intx=off; ssh vm0 true`);
  assertEquals(rig.lab.guests.get("vm0")!.machine.assigned[0]!.messages, [
    "Host-side INTx sharing not supported, using MSI instead",
    "Some devices do not work properly in this mode.",
  ]);
  assertMatch(rig.ok("grep kvm: /proc/interrupts"), /IR-PCI-MSI-edge {6}kvm:0000:04:00\.0\n$/);
  const { raise, pass, taken } = running(rig);
  const before = taken();
  for (let i = 0; i < 3; i++) {
    raise();
    pass(500_000);
  }
  assertEquals([taken() - before, usb.taken], [3, 0]);
});

Deno.test("prefer_msi=on: the host gets messages, the guest's line rises with each and falls at its EOI", () => {
  const { rig, vcpu, raise, pass, until, taken, vm, line, gsi, inService, hostEntry } = assigned("kvm", {
    device: ",prefer_msi=on",
  });
  assertEquals([line.to.host, hostEntry() & MASKED], ["MSI", MASKED], "nobody has the host's line");
  const exits = [...vcpu.exits];
  const before = taken();
  raise();
  until(() => vcpu.apic.inService);
  assert((vm.chips!.ioapic.core.entry(gsi).low & REMOTE_IRR) !== 0, "a level of the guest's");
  pass(500_000);
  assertEquals([taken() - before, inService(), vm.chips!.ioapic.core.entry(gsi).low & REMOTE_IRR], [
    1,
    false,
    0,
  ]);
  assert(vcpu.exits[1]! > exits[1]!, "forwarded: the patches lead no line to the guest itself");
  rig.ok("kill $(pidof qemu-kvm.patched); run 100ms");
  assertEquals(rig.run("grep -c kvm: /proc/interrupts").out, "0\n");
  assertMatch(rig.ok("lspci -v -s 04:00.0"), /MSI: Enable-/);
});

Deno.test("QEMU's end in the middle of an interrupt leaves line, pin and device as they were", () => {
  for (const device of ["", ",share_intx=off"]) {
    const { rig, lab, raise, until, vcpu, chip, deviceMasked } = assigned("talk", { device });
    raise();
    until(() => vcpu.apic.inService);
    rig.ok("monitor vm0 quit; sleep 0.1");
    assertEquals([lab.software.irqs.get(HOST_LINE), chip.entry(HOST_LINE).low], [undefined, MASKED]);
    assertEquals([deviceMasked(), chip.asserted(HOST_LINE)], [false, false]);
    assert(![...lab.host.tasks.values()].some(({ name }) => name.startsWith("irq/16")));
    rig.ok(`
      echo 0000:04:00.0 > /sys/bus/pci/drivers/pci-stub/unbind
      echo 0000:04:00.0 > /sys/bus/pci/drivers/ixgbe/bind
    `);
    raise();
    rig.ok("run 1ms");
    assertMatch(rig.ok("grep eth2-TxRx-0 /proc/interrupts"), / 1 .*PCI-MSI/);
  }
});

Deno.test("a guest that has messages gives the line back, and has it again when it gives those up", () => {
  const rig = new SessionRig({ system: "talk" });
  rig.ok(`${FREE_THE_CARD} ${QEMU} -device pci-assign,host=04:00.0; ssh vm0 true`);
  const { lab } = rig;
  const [device] = lab.guests.get("vm0")!.machine.file.vm.assigned;
  assertEquals([device!.line, device!.interrupts().length], [null, 2]);
  assertEquals(lab.software.irqs.get(HOST_LINE), undefined);
  rig.ok("ssh vm0 'echo 0000:00:04.0 > /sys/bus/pci/drivers/ixgbe/unbind'");
  assertEquals([device!.line?.to.gsi, device!.interrupts().length], [11, 0]);
});

Deno.test("the guest's Interrupt Disable is KVM's to keep: its line falls, and rises no more", () => {
  const { rig, vm, raise, pass, taken, gsi, deviceMasked } = assigned("kvm");
  const high = () => (vm.chips!.ioapic.core.lines & (1 << gsi)) !== 0;
  rig.ok("ssh vm0 setpci -s 00:04.0 COMMAND=407");
  const before = taken();
  raise();
  pass(200_000);
  assertEquals(
    [high(), taken() - before, deviceMasked()],
    [false, 0, true],
    "masked when the interrupt came",
  );
});

Deno.test("an irq is assigned once, by a device that has a pin, and given back once", () => {
  const { rig, vm } = assigned("kvm");
  const [device] = vm.assigned;
  const [cpu] = rig.lab.host.cpus;
  assertEquals(device!.assignLine(10, cpu!), EEXIST);
  assertEquals(device!.deassignLine(cpu!), true);
  assertEquals(device!.deassignLine(cpu!), false);
});

Deno.test("VFIO: an irqfd raises the line, its resampler lowers it at the guest's EOI", () => {
  const rig = new SessionRig();
  rig.ok(`
    boot kvm --era today
    echo 0000:04:00.0 > /sys/bus/pci/drivers/ixgbe/unbind
    echo vfio-pci > /sys/bus/pci/devices/0000:04:00.0/driver_override
    echo 0000:04:00.0 > /sys/bus/pci/drivers_probe
    qemu-system-x86_64 -m 1024 -cpu qemu64,+x2apic -accel kvm -nographic ${NOMSI} -device vfio-pci,host=04:00.0
    ssh vm0 true
  `);
  const { vcpu, line, raise, pass, taken, deviceMasked, until, lab } = running(rig);
  assertMatch(
    rig.ok("grep vfio /proc/interrupts"),
    /IR-IO-APIC {2}16-fasteoi {3}vfio-intx\(0000:04:00\.0\)\n$/,
  );
  assert(![...lab.host.tasks.values()].some(({ name }) => name.startsWith("irq/16")), "no thread");
  const before = taken();
  raise();
  until(() => vcpu.apic.inService);
  assertEquals(deviceMasked(), true);
  pass(200_000);
  assertEquals([taken() - before, line.forwarded, deviceMasked()], [1, 1, false]);
});

Deno.test("M11: a line that goes to the guest itself is dead after one interrupt, for its sharers too", () => {
  const rig = new SessionRig();
  rig.ok(
    `boot talk --mutant M11; ${FREE_THE_CARD} ${QEMU} ${WITH_DISK} -device pci-assign,host=04:00.0; ssh vm0 true`,
  );
  const { lab, vcpu, line, chip, raise, pass, taken } = running(rig);
  const usb = shareTheLine(rig);
  const { apic } = lab.machine.cpus[3]!;
  assertEquals([line.cpu, line.directVector], [3, 0x3a], "the guest's vector of its line 10");
  assertStringIncludes(
    lab.guests.get("vm0")!.machine.describe().join("\n"),
    "vector 58, straight to the guest",
  );
  const before = [taken(), vcpu.totalExits];
  raise();
  pass(200_000);
  assertEquals([taken() - before[0]!, vcpu.totalExits - before[1]!], [1, 0], "the first one: no exit");
  assertEquals([apic.inService, chip.remoteIrr(HOST_LINE)], [false, true]);
  raise();
  usb.drive(true);
  pass(200_000_000);
  assertEquals([taken() - before[0]!, usb.taken, chip.asserted(HOST_LINE)], [1, 0, true]);
  assertEquals(lab.host.interruptCounts(HOST_LINE)[3], 0);
});
