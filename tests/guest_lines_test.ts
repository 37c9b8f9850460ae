/**
 * Interrupt lines of a running guest: what its kernel has written to the controllers decides where they lead.
 *
 * Expected: Intel 82093AA data sheet, "I/O Redirection Table Registers" (edge, level, remote IRR, mask); Linux 3.5
 * `io_apic.c`, `i8259.c` and `apic.c` for what is written at boot: ISA line n at vector 0x30 + n, the timer on pin 2, LINT0
 * masked, LINT1 an NMI on the first processor only; SeaBIOS for ELCR.
 */
import { assertEquals } from "@std/assert";
import { type Activity, STORE } from "../hw/sim/activity.ts";
import { Apic } from "../hw/lapic.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { kvmTraceEvents } from "../runtime/kvm/trace_events.ts";
import type { Kernel } from "../runtime/linux/kernel.ts";
import { Rig, startQemu, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

const NETWORK = 11, NETWORK_VECTOR = 0x3b;
const LEVEL = 0x8000, MASKED = 0x1_0000, REMOTE_IRR = 0x4000;

/** A guest on stock KVM that has booted. */
function started(options = "-no-kvm-pit") {
  const rig = new Rig(STOCK, { offline: [] });
  const { machine, guest } = startQemu(rig, `qemu-kvm -cpu qemu64,+x2apic -nographic ${options}`);
  rig.pass(100_000_000);
  const vm = rig.kvm.vms[0]!;
  const { ioapic } = vm.chips!;
  const line = machine!.networkLine;
  return {
    rig,
    machine: machine!,
    guest: guest!,
    vm,
    ioapic,
    entry: (pin: number) => ioapic.core.entry(pin).low,
    raise: () => rig.type((cpu) => line.raise(cpu)),
    lower: () => line.lower(rig.host.cpus[0]!),
    taken: () => guest!.interruptCounts(NETWORK)[0]!,
  };
}

/** Stores to the I/O APIC's registers by the guest's own instructions, as many as exits come of it. */
function* writeEntry(kernel: Kernel, pin: number, low: number): Activity<number> {
  const { registers } = kernel.cpus[0]!;
  for (const [address, value] of [[0xfec0_0000, 0x10 + 2 * pin], [0xfec0_0010, low]] as const) {
    registers.address = address;
    registers.value = value;
    yield STORE;
  }
  return 0;
}

Deno.test("a guest's kernel programs the lines that it uses, and masks all others and the 8259s", () => {
  const rig = new SessionRig({ system: "kvm", kernel: "linux-3.4.0", seed: 1 });
  rig.ok("qemu-kvm -smp 2 -cpu qemu64,+x2apic -nographic; ssh vm0 true");
  const { vcpus, chips } = rig.session.lab.guests.get("vm0")!.machine.file.vm;
  const used = Array.from({ length: 24 }, (_, pin) => [pin, chips!.ioapic.core.entry(pin).low] as const)
    .filter(([, low]) => (low & MASKED) === 0);
  assertEquals(used, [[2, 0x30], [9, LEVEL | 0x39], [11, LEVEL | 0x3b]]);
  const [first, second] = [chips!.pic.core.state(0), chips!.pic.core.state(1)];
  assertEquals([first.vectorBase, first.imr, second.vectorBase, second.imr], [0x30, 0xff, 0x38, 0xff]);
  assertEquals([first.autoEoi, second.autoEoi, first.elcr, second.elcr], [1, 0, 0, 0x0c]);
  const lints = vcpus.map(({ apic }) => [apic.register(Apic.LVT0), apic.register(Apic.LVT1)]);
  assertEquals(lints, [[0x1_0700, 0x400], [0x1_0700, 0x1_0400]]);
  assertEquals(
    rig.ok("ssh vm0 cat /proc/interrupts | awk '/IO-APIC/ { print $1, $(NF - 1), $NF }'"),
    "0: IO-APIC-edge timer\n9: IO-APIC-fasteoi acpi\n11: IO-APIC-fasteoi eth0\n",
  );
});

Deno.test("a level-triggered line: remote IRR from the interrupt to its EOI", () => {
  const { rig, raise, taken, entry } = started();
  raise();
  rig.until(() => (entry(NETWORK) & REMOTE_IRR) !== 0);
  assertEquals(taken(), 0);
  rig.pass(1_000_000);
  assertEquals([taken(), entry(NETWORK)], [1, LEVEL | NETWORK_VECTOR]);
});

Deno.test("a line that rises between its handler's look and the EOI interrupts again, after the EOI", () => {
  const { rig, vm, raise, taken, entry, machine } = started();
  const { apic } = vm.vcpus[0]!;
  raise();
  rig.until(() => taken() === 1 && (vm.chips!.ioapic.core.lines & (1 << NETWORK)) === 0);
  assertEquals([apic.isr.has(NETWORK_VECTOR), entry(NETWORK) & REMOTE_IRR], [true, REMOTE_IRR]);
  machine.networkLine.raise(rig.host.cpus[3]!);
  assertEquals(apic.irr.has(NETWORK_VECTOR), false, "the entry waits for the EOI");
  rig.pass(1_000_000);
  assertEquals([taken(), entry(NETWORK) & REMOTE_IRR, apic.inService], [2, 0, false]);
});

Deno.test("a masked line waits: it interrupts when the guest unmasks it, by the vector that stands there then", () => {
  const { rig, guest, vm, raise, taken } = started();
  const { vcpus: [vcpu] } = vm;
  const exits = () => vcpu!.exits[49]!; // EPT_MISCONFIG: a store to memory that is no RAM
  const write = (low: number) => {
    const task = guest.createTask("write", 1, () => writeEntry(guest, NETWORK, low));
    task.policy = "SCHED_FIFO";
    task.rtPriority = 1;
    guest.consoleInput.push((cpu) => guest.wake(task, cpu));
  };
  write(MASKED | LEVEL | NETWORK_VECTOR);
  raise();
  rig.pass(30_000_000);
  assertEquals([taken(), exits()], [1, 2]);
  raise();
  rig.pass(30_000_000);
  assertEquals(taken(), 1, "masked");
  guest.cpus[0]!.vectorIrq.set(0x51, guest.cpus[0]!.vectorIrq.get(NETWORK_VECTOR)!);
  rig.type((cpu) => vm.chips!.ioapic.write(0, 0x10 + 2 * NETWORK, cpu));
  rig.type((cpu) => vm.chips!.ioapic.write(0x10, LEVEL | 0x51, cpu));
  rig.pass(30_000_000);
  assertEquals([taken(), guest.spuriousVectors], [2, 0]);
});

Deno.test("a line of the I/O APIC that leads to no handler is the guest's own spurious interrupt", () => {
  const { rig, guest, vm } = started();
  rig.type((cpu) => {
    vm.chips!.ioapic.write(0, 0x10 + 2 * 20, cpu);
    vm.chips!.ioapic.write(0x10, 0x61, cpu);
    for (const high of [true, false]) vm.chips!.routing.setLine(20, high, 0, false, cpu);
  });
  rig.pass(1_000_000);
  assertEquals(guest.dmesg.at(-1)!.text, "do_IRQ: 0.97 No irq handler for vector (irq -1)");
});

Deno.test("the PIT's pulses come by pin 2, an edge each", () => {
  const { rig, guest, vm } = started("");
  rig.pass(1_000_000_000);
  const before = vm.pit!.ticks;
  assertEquals([guest.interruptCounts(0)[0], before > 18], [before, true]);
  rig.type((cpu) => {
    vm.chips!.ioapic.write(0, 0x10 + 2 * 2, cpu);
    vm.chips!.ioapic.write(0x10, MASKED, cpu);
  });
  rig.pass(1_000_000_000);
  assertEquals(guest.interruptCounts(0)[0], before, "masked: no interrupt");
});

Deno.test("the power button: a level that falls when the guest has cleared the status bit", () => {
  const rig = new SessionRig({ system: "kvm", kernel: "linux-3.4.0", seed: 1 });
  rig.ok("qemu-kvm -no-shutdown -cpu qemu64,+x2apic -nographic; ssh vm0 true");
  const { machine } = rig.session.lab.guests.get("vm0")!;
  rig.ok("monitor vm0 system_powerdown; sleep 1");
  const { chips } = machine.file.vm;
  assertEquals([machine.runState, chips!.routing.raised.get(9)], ["shutdown", 1]);
  assertEquals([chips!.ioapic.core.lines & (1 << 9), machine.portRead(0xb000, 2, machine.loop.task!)], [
    0,
    0,
  ]);
});

Deno.test("without interrupt remapping an affinity waits for the next interrupt, and moves with its end", () => {
  const rig = new SessionRig({ system: "kvm", kernel: "linux-3.4.0", seed: 1 });
  rig.ok("qemu-kvm -smp 2 -cpu qemu64,+x2apic -nographic; ssh vm0 true");
  const { kernel, machine } = rig.session.lab.guests.get("vm0")!;
  const destination = () => machine.file.vm.chips!.ioapic.core.entry(NETWORK).high >>> 24;
  const taken = () => Array.from(kernel.interruptCounts(NETWORK));
  rig.ok("ssh vm0 'echo 2 > /proc/irq/11/smp_affinity'");
  const [first, second] = taken() as [number, number];
  assertEquals(second, 0);
  assertEquals([destination(), rig.ok("ssh vm0 cat /proc/irq/11/smp_affinity")], [0, "2\n"]);
  assertEquals([taken()[0], destination()], [first + 1, 1], "the next one still came to the first CPU");
  rig.ok("ssh vm0 true");
  assertEquals([taken()[0], taken()[1]! > 0], [first + 1, true]);
});

Deno.test("a line's way in the trace, in the kernel's words: kvm_set_irq, the chips, the local APIC, the EOI", () => {
  const { rig, raise } = started();
  const log = rig.engine.trace = new TraceLog();
  raise();
  rig.pass(1_000_000);
  rig.engine.trace = null;
  const events = new Map(kvmTraceEvents(rig.kvm, false).map((event) => [event.name, event]));
  const lines = log.records.filter(({ name }) => /^kvm_(set|pic|ioapic|apic_accept|eoi|inj)/.test(name))
    .map((record) => `${record.name}: ${events.get(record.name)!.text(record, rig.host.cpus[0]!)}`);
  assertEquals(lines, [
    "kvm_set_irq: gsi 11 level 1 source 0",
    "kvm_pic_set_irq: chip 1 pin 3 (level|masked)",
    "kvm_apic_accept_irq: apicid 0 vec 59 (Fixed|level)",
    "kvm_ioapic_set_irq: pin 11 dst 0 vec=59 (Fixed|physical|level)",
    "kvm_inj_virq: irq 59",
    "kvm_set_irq: gsi 11 level 0 source 0",
    "kvm_pic_set_irq: chip 1 pin 3 (level|masked)",
    "kvm_ioapic_set_irq: pin 11 dst 0 vec=59 (Fixed|physical|level)",
    "kvm_eoi: apicid 0 vector 59",
  ]);
});
