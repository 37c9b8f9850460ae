/**
 * QEMU's monitor: what it prints, what it does to the machine, and how a shell reaches it.
 *
 * Expected texts are those captured from QEMU 7.2, and of 1.1 where they differ; what follows from a command is what
 * QEMU, Linux and the talk's patches do.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Apic } from "../hw/lapic.ts";
import { ExitReason } from "../hw/vmx.ts";
import { Ioctl } from "../runtime/kvm/ioctl/ioctls.ts";
import { Layers } from "../runtime/linux/layers.ts";
import type { QemuEra } from "../runtime/qemu/era.ts";
import type { QemuMachine } from "../runtime/qemu/machine.ts";
import { RFC_V2, Rig, type Started, startQemu, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

const LINES: Readonly<Record<QemuEra, string>> = {
  "2012": "qemu-kvm -cpu qemu64,+x2apic -no-kvm-pit -serial pty -nographic",
  today: "qemu-system-x86_64 -accel kvm,kernel-irqchip=split -cpu qemu64,+x2apic -serial pty -nographic",
};
/** The talk's guest: a slave CPU and an assigned device. */
const SLIDE_30 = `qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -serial pty -nographic
  -drive file=kvm/test.img,if=virtio -device pci-assign,host=05:00.0,id=vf`;

/** A started machine, and its monitor. */
class Monitored {
  readonly machine: QemuMachine;
  readonly guest: NonNullable<Started["guest"]>;

  constructor(readonly rig: Rig, command: string, era: QemuEra = "2012") {
    const { status, stderr, machine, guest } = startQemu(rig, command, era);
    assertEquals(status, 0, stderr);
    [this.machine, this.guest] = [machine!, guest!];
    rig.pass(100_000_000);
  }

  type(line: string): readonly string[] {
    return this.rig.finish((task) => this.machine.monitor.serve(line, task));
  }
}

function monitored(era: QemuEra, options = ""): Monitored {
  return new Monitored(new Rig(STOCK, { offline: [] }), `${LINES[era]} ${options}`, era);
}

/** Of a Linux guest that has come up: lines by the I/O APIC, the 8259s masked, LINT0 too. (The shape is a recording's of 7.2.) */
const PIC = "pic0: irr=00 imr=ff isr=00 hprio=0 irq_base=30 rr_sel=0 elcr=00 fnm=0\n" +
  "pic1: irr=00 imr=ff isr=00 hprio=0 irq_base=38 rr_sel=0 elcr=0c fnm=0";
const IO_APIC = [
  "ioapic0: ver=0x11 id=0x00 sel=0x14 (redir[2])",
  ...Array.from({ length: 24 }, (_, pin) => {
    const [entry, vector, trigger, masked] = pin === 2
      ? ["0000000000000030", "48 ", "edge ", "      "]
      : pin === 11
      ? ["000000000000803b", "59 ", "level", "      "]
      : ["0000000000010000", "0  ", "edge ", "masked"];
    return `  pin ${
      String(pin).padEnd(2)
    } 0x${entry} dest=0 vec=${vector} active-hi ${trigger} ${masked} fixed  physical`;
  }),
  "  IRR      (none)",
  "  Remote IRR (none)",
].join("\n");

/** Lines of the monitor and their answers: a text, or one for each release. */
const ANSWERS: readonly (readonly [line: string, answer: string | Readonly<Record<QemuEra, string>>])[] = [
  ["info status", "VM status: running"],
  ["info kvm", "kvm support: enabled"],
  ["info version", { "2012": "1.1.0 (qemu-kvm-1.1.0)", today: "7.2.22Debian 1:7.2+dfsg-7+deb12u18+b3" }],
  ["info irq", { "2012": "IRQ statistics:", today: "IRQ statistics for ioapic:" }],
  ["foo", "unknown command: 'foo'"],
  ["info foo", "unknown command: 'info foo'"],
  ["cpu 0", ""],
  ["cpu 9", "invalid CPU index"],
  ["device_add X", "Error: 'X' is not a valid device model name"],
  ["device_del X", "Error: Device 'X' not found"],
  ["help quit", "quit|q  -- quit the emulator"],
  ["stop", ""],
  ["info status", "VM status: paused"],
  ["cont", ""],
  ["info status", "VM status: running"],
  ["system_reset", ""],
  ["savevm x", "savevm: this command is not modelled"],
  ["info pic", { "2012": PIC, today: `${IO_APIC}\n${PIC}` }],
  ["nmi 0", "nmi: extraneous characters at the end of line"],
  ["", ""],
];

for (const era of ["2012", "today"] as const) {
  Deno.test(`${era}: the monitor answers word for word, and says nothing where all is well`, () => {
    const vm = monitored(era);
    for (const [line, answer] of ANSWERS) {
      assertEquals(vm.type(line).join("\n"), typeof answer === "string" ? answer : answer[era], line);
    }
  });
}

Deno.test("info cpus: the current CPU is starred; 7.2 tells only the threads", () => {
  const today = monitored("today", "-smp 2 -name guest=vm0,debug-threads=on");
  const [, first, second] = today.machine.pids;
  assertEquals(today.type("info cpus"), [`* CPU #0: thread_id=${first}`, `  CPU #1: thread_id=${second}`]);
  today.type("cpu 1");
  assertEquals(today.type("info cpus"), [`  CPU #0: thread_id=${first}`, `* CPU #1: thread_id=${second}`]);
  assertEquals(today.rig.host.tasks.get(second!)!.name, "CPU 1/KVM");
  const then = monitored("2012");
  assertMatch(then.type("info cpus")[0]!, /^\* CPU #0: pc=n\/a( \(halted\))? thread_id=\d+$/);
});

Deno.test("info network: the card and what is behind it", () => {
  const vm = monitored("today", "-netdev user,id=n0 -device virtio-net-pci,netdev=n0,id=nic0");
  assertEquals(vm.type("info network"), [
    "nic0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56",
    " \\ n0: index=0,type=user,net=10.0.2.0,restrict=off",
  ]);
  assertEquals(monitored("2012").type("info network"), [
    "VLAN 0 devices:",
    "  user.0: type=user,net=10.0.2.0,restrict=off",
    "  e1000.0: type=nic,model=e1000,macaddr=52:54:00:12:34:56",
    "Devices not on any VLAN:",
  ]);
});

Deno.test("info chardev: with the serial port on a pseudo-terminal the monitor is on standard input and output", () => {
  assertEquals(monitored("today").type("info chardev"), [
    "compat_monitor0: filename=stdio",
    "serial0: filename=pty:/dev/pts/0",
  ]);
});

Deno.test("info pci: the disk, and an assigned device which is on the guest's bus 0, with its own identifiers and the guest's addresses", () => {
  const { machine, type } = bound(new Monitored(new Rig(RFC_V2), SLIDE_30));
  const [device] = machine.assigned;
  const { bdf, bars } = device!.function!.spec;
  const lines = type("info pci");
  assertEquals(lines.slice(0, 6), [
    "  Bus  0, device   4, function 0:",
    "    SCSI controller: PCI device 1af4:1001",
    "      PCI subsystem 1af4:0002",
    "      IRQ 11.",
    "      BAR0: I/O at 0xc000 [0xc03f].",
    "      BAR1: 32 bit memory at 0xfebf0000 [0xfebf0fff].",
  ]);
  assertEquals(lines.slice(7, 10), [
    `  Bus  0, device ${String(bdf.device).padStart(3)}, function 0:`,
    "    Ethernet controller: PCI device 8086:10ed",
    "      PCI subsystem 8086:0003",
  ]);
  const at = (address: number) => `0x${address.toString(16).padStart(8, "0")}`;
  assertEquals(
    lines[10],
    `      BAR0: 64 bit prefetchable memory at ${at(bars[0]!.base)} [${
      at(bars[0]!.base + bars[0]!.size - 1)
    }].`,
  );
  assertEquals(lines.at(-1), '      id "vf"');
});

function bound(vm: Monitored) {
  return { ...vm, machine: vm.machine, rig: vm.rig, guest: vm.guest, type: (line: string) => vm.type(line) };
}

Deno.test("info irq: lines that QEMU raised, without those of the kernel's PIT", () => {
  const vm = monitored("today");
  vm.rig.type((cpu) => vm.machine.networkLine.raise(cpu));
  vm.rig.pass(1_000_000);
  assertEquals(vm.type("info irq"), ["IRQ statistics for ioapic:", "11: 1"]);
  const withPit = new Monitored(new Rig(STOCK, { offline: [] }), "qemu-kvm -cpu qemu64,+x2apic");
  assert(withPit.machine.file.vm.pit!.ticks > 0);
  assertEquals(withPit.type("info irq"), ["IRQ statistics:"]);
});

Deno.test("info registers: RFLAGS.IF and HLT are the vCPU's, and no number is made up", () => {
  const vm = monitored("today");
  vm.type("stop");
  const { registers } = vm.machine.file.vm.vcpus[0]!;
  const lines = vm.type("info registers");
  assertEquals(lines[0], "CPU#0");
  assertStringIncludes(lines.at(-1)!, `RFL=${registers.interruptFlag ? "00000202" : "00000002"} `);
  assertMatch(lines[1]!, /^RAX=n\/a RBX=n\/a/);
});

Deno.test("what looks at registers brings a vCPU out of guest mode: an exit by NMI on a slave CPU; info status does not", () => {
  const vm = new Monitored(new Rig(RFC_V2), SLIDE_30);
  const [vcpu] = vm.machine.file.vm.vcpus;
  const exits = () => [vcpu!.totalExits, vcpu!.exits[ExitReason.ExceptionOrNmi]!];
  const before = exits();
  vm.type("info status");
  vm.rig.pass(1_000_000);
  assertEquals(exits(), before);
  vm.type("info lapic");
  vm.rig.pass(1_000_000);
  assertEquals(exits(), before.map((count) => count + 1));
  assertEquals(vm.machine.status()[0]!.directEoi.on, true, "and direct mode goes on");
});

for (const [title, capabilities] of [["a slave CPU", RFC_V2], ["stock KVM", STOCK]] as const) {
  Deno.test(`stop: vCPUs on ${title} execute nothing until cont`, () => {
    const vm = new Monitored(new Rig(capabilities, { offline: capabilities.slaveCpu ? [3] : [] }), SLIDE_30);
    const { rig, machine } = vm;
    const [vcpu] = machine.file.vm.vcpus;
    vm.type("stop");
    assertEquals([machine.threads[0]!.idle, rig.machine.cpus[3]!.vmcs], [true, null]);
    const guestNs = () =>
      rig.machine.cpus.reduce(
        (sum, cpu) => sum + cpu.layerNs[Layers.GuestKernel]! + cpu.layerNs[Layers.GuestTask]!,
        0,
      );
    const before = [guestNs(), vcpu!.totalExits];
    rig.pass(1_000_000_000);
    assertEquals([guestNs(), vcpu!.totalExits], before);
    vm.type("cont");
    rig.pass(10_000_000);
    assert(guestNs() > before[0]!);
    assertEquals(machine.status()[0]!.directInterrupts.on, capabilities.slaveCpu);
  });

  Deno.test(`stop: a device's interrupt waits in the virtual APIC, and comes with cont, on ${title}`, () => {
    const vm = new Monitored(new Rig(capabilities, { offline: capabilities.slaveCpu ? [3] : [] }), SLIDE_30);
    const { vcpus: [vcpu], assigned: [device] } = vm.machine.file.vm;
    vm.type("stop");
    const taken = vcpu!.injections;
    device!.raise(0);
    vm.rig.pass(10_000_000);
    assertEquals([vcpu!.apic.pendingVector() >= 0, vcpu!.injections], [true, taken]);
    vm.type("cont");
    vm.rig.pass(10_000_000);
    assertEquals([vcpu!.apic.pendingVector(), vcpu!.injections], [-1, taken + 1]);
  });
}

Deno.test("-S: the machine waits before its first instruction, and cont lets it go and gives it its slave CPU", () => {
  const vm = new Monitored(new Rig(RFC_V2), `${SLIDE_30} -S`);
  assertEquals(vm.type("info status"), ["VM status: paused (prelaunch)"]);
  assertEquals([vm.guest.cpus[0]!.state, vm.machine.status()[0]!.slaveCpu], ["offline", null]);
  vm.type("cont");
  vm.rig.pass(100_000_000);
  assertEquals([vm.guest.cpus[0]!.state, vm.machine.status()[0]!.slaveCpu], ["online", 3]);
});

Deno.test("-S: a typed KVM_RUN goes on when the monitor has looked at the vCPU", () => {
  const { rig, machine, type } = bound(new Monitored(new Rig(RFC_V2), `${SLIDE_30} -S`));
  const [vcpu] = machine.publish();
  let result: number | undefined;
  rig.run("shell", 1, function* (task) {
    result = yield* rig.ioctl(vcpu!, Ioctl.KVM_RUN, 0, task);
    return 0;
  });
  rig.pass(200_000_000);
  const { exits } = machine.status()[0]!;
  assertEquals(type("info lapic").length > 0, true);
  rig.pass(10_000_000);
  assertEquals(
    [result, machine.status()[0]!.exits > exits],
    [undefined, true],
    "it has come out, and is in again",
  );
});

Deno.test("system_reset: the guest boots again on the same slave CPU; its device is off until its new driver comes", () => {
  const rig = new Rig(RFC_V2);
  const vm = new Monitored(rig, SLIDE_30);
  const { machine } = vm;
  const [assigned] = machine.file.vm.assigned;
  const interrupts = () =>
    assigned!.interrupts().map(({ cpu, guestVector, hostVector }) => [
      cpu,
      guestVector === hostVector,
    ]);
  assertEquals(interrupts(), [[3, true], [3, true]]);
  const registers = machine.file.vm.vcpus[0]!.registers;
  vm.type("stop");
  vm.type("system_reset");
  assertEquals(interrupts(), [], "reset switches MSI-X off, and KVM gives the host's interrupts back");
  assertEquals(rig.irqs.list().filter(({ name }) => name.startsWith("kvm:")), []);
  assertEquals(machine.status()[0]!.slaveCpu, 3, "KVM knows nothing of the reset");
  assertEquals(vm.type("info status"), ["VM status: paused"], "a machine that was stopped stays so");
  vm.type("cont");
  rig.pass(200_000_000);
  assert(machine.file.vm.vcpus[0]!.registers !== registers, "another kernel runs");
  assertEquals(interrupts(), [[3, true], [3, true]], "its driver has set them up again, on the slave");
  assertEquals(machine.status()[0]!.directEoi.on, true);
  assertEquals(rig.pci.find("05:00.0")!.assigned, true);
});

Deno.test("system_reset: what the slave's own APIC had in service stays there: the new kernel has to end it", () => {
  const rig = new Rig(RFC_V2);
  const vm = new Monitored(rig, SLIDE_30);
  const [device] = vm.machine.file.vm.assigned;
  const { apic } = rig.machine.cpus[3]!;
  device!.raise(0);
  rig.until(() => apic.inService); // in the middle of the guest's handler
  vm.rig.type((cpu) => vm.machine.threads[0]!.interrupt(cpu));
  vm.machine.runState = "paused";
  rig.until(() => vm.machine.threads[0]!.idle);
  const inService = apic.isr.members();
  vm.type("system_reset");
  vm.type("cont");
  rig.pass(50_000_000);
  assert(inService.every((vector) => apic.isr.has(vector)), "no EOI has come, for nobody knows of it");
});

for (
  const [line, status] of [["quit", 0], ["system_powerdown", 0]] as const
) {
  Deno.test(`${line}: the process ends with status ${status}, and the host has everything back`, () => {
    const lab = new SessionRig();
    lab.ok(`${SETUP}
${PATCHED}
ssh vm0 true
monitor vm0 ${line}
sleep 1`);
    assertEquals(lab.lab.guests.size, 0);
    assertEquals(hostOf(lab), RESTORED);
  });
}

/** The talk's preparations, and its guest. */
const SETUP = `echo 8086 10ed > /sys/bus/pci/drivers/pci-stub/new_id
echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind
echo 0000:05:00.0 > /sys/bus/pci/drivers/pci-stub/bind
echo 0 > /sys/devices/system/cpu/cpu3/online`;
const PATCHED = SLIDE_30.replace("\n", " ");

/** What a QEMU that is gone leaves behind on the host. */
function hostOf({ lab }: SessionRig) {
  const { software: { pci, irqs }, machine, host, kvm } = lab;
  return {
    cpu3: host.cpus[3]!.state,
    inService: machine.cpus[3]!.apic.isr.members(),
    timerNs: machine.cpus[3]!.apic.timer.expiresNs,
    device: pci.find("05:00.0")!.driver,
    assigned: pci.find("05:00.0")!.assigned,
    interrupts: irqs.list().filter(({ name }) => name.startsWith("kvm:")).length,
    threads: [...host.tasks.values()].filter(({ name }) => /^qemu|^irq\/\d+-kvm/.test(name)).length,
    machines: kvm.vms.length,
    slaves: kvm.slaves.size,
  };
}

const RESTORED: ReturnType<typeof hostOf> = {
  cpu3: "offline",
  inService: [],
  timerNs: Infinity,
  device: "pci-stub",
  assigned: false,
  interrupts: 0,
  threads: 0,
  machines: 0,
  slaves: 0,
};

for (const [signal, number] of [["TERM", 15], ["INT", 2], ["HUP", 1]] as const) {
  Deno.test(`SIG${signal} while a slave CPU runs the guest: QEMU says who sent it, and the host has everything back`, () => {
    const lab = new SessionRig();
    const { err } = lab.run(`${SETUP}
${PATCHED} 2>/dev/null
ssh vm0 true
kill -${signal} ${"$(ps -C qemu-kvm.patched -o pid= | head -1)"}
sleep 1`);
    const { pid } = lab.session.shell;
    assertEquals(err, "", "its standard error leads elsewhere");
    assertEquals(hostOf(lab), RESTORED);
    const terminal = lab.run(`${PATCHED}
ssh vm0 true
kill -${signal} ${"$(ps -C qemu-kvm.patched -o pid= | head -1)"}
sleep 1`);
    assertStringIncludes(terminal.err, `qemu: terminating on signal ${number} from pid ${pid}\n`);
  });
}

Deno.test("SIGKILL: no word, and the same end", () => {
  const lab = new SessionRig();
  const { err } = lab.run(`${SETUP}
${PATCHED} -name rt
ssh rt true
kill -9 $(ps -C qemu-kvm.patched -o pid= | tail -1)
sleep 1`);
  assertEquals([err.includes("terminating"), hostOf(lab)], [false, RESTORED]);
});

Deno.test("7.2 names itself and the sender where a signal ends it", () => {
  const vm = monitored("today");
  let text = "";
  vm.machine.terminal.stderr = (line) => void (text += line);
  const task = vm.rig.host.tasks.get(vm.machine.pid)!;
  vm.rig.type((cpu) => void task.onSignal!(15, cpu, false, { pid: 30756, name: "timeout" }));
  vm.rig.pass(100_000_000);
  assertEquals(text, "qemu-system-x86_64: terminating on signal 15 from pid 30756 (timeout)\n");
});

// ---- how a shell reaches it ----

Deno.test("-monitor stdio with a here-document: a session in the foreground; the machine goes on when the input ends", () => {
  const lab = new SessionRig({ system: "kvm" });
  const out = lab.ok(`qemu-kvm -name vm0 -monitor stdio <<EOF
info status
stop
info status
EOF
monitor vm0 info status`);
  assertEquals(
    out,
    `QEMU 1.1.0 monitor - type 'help' for more information
(qemu) info status
VM status: running
(qemu) stop
(qemu) info status
VM status: paused
(qemu) 
VM status: paused
`,
  );
});

Deno.test("quit ends the session and the command with status 0", () => {
  const lab = new SessionRig({ system: "kvm" });
  const out = lab.ok(`qemu-kvm -S -monitor stdio <<EOF
info status
quit
info status
EOF
echo $?`);
  assertEquals(out.split("\n").slice(1), [
    "(qemu) info status",
    "VM status: paused (prelaunch)",
    "(qemu) quit",
    "0",
    "",
  ]);
  assertEquals(lab.lab.guests.size, 0);
});

Deno.test("a pipe is typed as it comes: a command waits for the one before it", () => {
  const lab = new SessionRig({ system: "kvm" });
  lab.ok("qemu-kvm -name vm0; ssh vm0 true");
  const before = lab.lab.engine.nowNs;
  const out = lab.ok(`(echo stop; sleep 1; echo info status) | monitor vm0`);
  assertStringIncludes(out, "(qemu) stop\n(qemu) info status\nVM status: paused\n");
  assert(lab.lab.engine.nowNs - before >= 1e9);
});

Deno.test("from a file too", () => {
  const lab = new SessionRig({ system: "kvm" });
  const out = lab.ok(`echo info kvm > /tmp/commands
qemu-kvm -monitor stdio < /tmp/commands`);
  assertStringIncludes(out, "(qemu) info kvm\nkvm support: enabled\n");
});

Deno.test("a signal to the command in the foreground is one to QEMU", () => {
  const lab = new SessionRig({ system: "kvm" });
  const { out, err } = lab.run(`sleep 100 | qemu-kvm -monitor stdio &
sleep 1
kill $(ps -C qemu-kvm -o pid= | head -1)
sleep 1
ps -C qemu-kvm`);
  assertStringIncludes(err, "qemu: terminating on signal 15 from pid ");
  assertEquals(out.split("\n").filter((line) => line.includes("qemu-kvm")), []);
});

Deno.test("at the terminal, and with /dev/null, the slides' command returns as it did", () => {
  for (const input of ["", "</dev/null"]) {
    const lab = new SessionRig({ system: "kvm" });
    const { status, out, err } = lab.run(`qemu-kvm -nographic -serial pty ${input}`);
    assertEquals([status, out, err], [0, "", "char device redirected to /dev/pts/0\n"]);
  }
});

Deno.test("monitor: a guest that is not there, no command, and help", () => {
  const lab = new SessionRig({ system: "kvm" });
  assertEquals(lab.run("monitor vm7 info status").err, "monitor: no guest 'vm7': none runs\n");
  lab.ok("qemu-kvm -name vm0");
  assertEquals(lab.run("monitor vm7 info status").err, "monitor: no guest 'vm7': there is vm0\n");
  assertEquals(lab.run("monitor vm0").status, 1);
  assertStringIncludes(lab.ok("monitor vm0 help"), "system_reset  -- reset the system\n");
  assertStringIncludes(lab.ok("help monitor"), "Usage: monitor VM");
});

for (const system of ["rfc-v2", "kvm"]) {
  Deno.test(`${system}: info lapic is what show lapic shows at that instant`, () => {
    const lab = new SessionRig({ system });
    lab.ok(system === "rfc-v2" ? `${SETUP}\n${PATCHED}` : "qemu-kvm -name vm0 -cpu qemu64,+x2apic");
    lab.ok("ssh vm0 true; monitor vm0 stop");
    const shown = (text: string) => text.replace(/current_count = \d+/, "current_count"); // it counts on
    assertEquals(shown(lab.ok("monitor vm0 info lapic")), shown(lab.ok("show lapic vm0")));
  });
}

Deno.test("-pidfile holds the process id, by which a script ends QEMU; 7.2 takes it away at the end", () => {
  const lab = new SessionRig({ system: "kvm" });
  lab.ok("qemu-kvm -name vm0 -pidfile /tmp/pid; ssh vm0 true");
  assertEquals(lab.ok("cat /tmp/pid"), `${lab.lab.guests.get("vm0")!.machine.pid}\n`);
  lab.ok("kill $(cat /tmp/pid); sleep 1; test -e /tmp/pid");
  assertEquals(lab.lab.guests.size, 0);
  lab.ok(
    "boot kvm --era today; qemu-kvm -name vm0 -pidfile /tmp/pid; ssh vm0 true; kill $(cat /tmp/pid); sleep 1",
  );
  assertEquals(lab.run("test -e /tmp/pid").status, 1);
  const { status, err } = lab.run("qemu-kvm -pidfile /nosuch/pid");
  assertEquals([status, err], [
    1,
    "qemu-kvm: cannot create PID file: Cannot open pid file: No such file or directory\n",
  ]);
  lab.ok("sleep 1");
  assertEquals(lab.lab.kvm.vms.length, 0);
});

Deno.test("a second guest of the same name is refused, for ssh could not tell them apart", () => {
  const lab = new SessionRig({ system: "kvm" });
  lab.ok("qemu-kvm -name vm0; ssh vm0 true");
  const { status, err } = lab.run("qemu-kvm -name vm0");
  assertEquals([status, err], [
    1,
    "note: a guest called vm0 runs: ssh could not tell them apart; give this one another -name\n",
  ]);
  lab.ok("ssh vm0 true");
});

// ---- what it means for what runs ----

Deno.test("2012: the guest's clock goes on while it is stopped, so that its timers are late by as much", () => {
  const lab = new SessionRig({ system: "kvm" });
  lab.ok(`qemu-kvm -name vm0 -cpu qemu64,+x2apic
ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 2000 -h 100 &
sleep 1
monitor vm0 stop
sleep 0.5
monitor vm0 cont
wait`);
  const { maxNs } = lab.result.cyclictest.threads[0]!.histogram;
  assert(maxNs > 490_000_000 && maxNs < 510_000_000, `${maxNs} ns`);
});

Deno.test("today: the guest's clock stands still while it is stopped, and its timers wait with it", () => {
  const lab = new SessionRig({ system: "kvm" });
  lab.ok("boot kvm --era today; qemu-system-x86_64 -accel kvm -name vm0; ssh vm0 true");
  const { engine, guests } = lab.lab;
  const { kernel } = guests.get("vm0")!;
  const passed = (script: string) => {
    const before = [engine.nowNs, kernel.nowNs] as const;
    lab.ok(script);
    return [engine.nowNs - before[0], kernel.nowNs - before[1]].map((ns) => Math.round(ns / 1e7) / 100);
  };
  assertEquals(passed("ssh vm0 sleep 2"), [2, 2]);
  assertEquals(passed("ssh vm0 sleep 2 & sleep 1; monitor vm0 stop; sleep 0.5; monitor vm0 cont; wait"), [
    2.5,
    2,
  ]);
});

Deno.test("ssh to a guest that is stopped gives up after TCP's 63 s, and one that goes on in time is reached", () => {
  const lab = new SessionRig({ system: "kvm" });
  lab.ok("qemu-kvm -name vm0; ssh vm0 true; monitor vm0 stop");
  const before = lab.lab.engine.nowNs;
  const { status, err } = lab.run("ssh vm0 true");
  assertEquals([status, err], [255, "ssh: connect to host vm0 port 22: Connection timed out\n"]);
  assertEquals(Math.floor((lab.lab.engine.nowNs - before) / 1e9), 63);
  assertEquals(lab.ok("(sleep 3; monitor vm0 cont) & ssh vm0 echo here; wait"), "here\n");
});

for (
  const [what, line] of [["is reset", "monitor vm0 system_reset"], ["ends", "monitor vm0 quit"]] as const
) {
  Deno.test(`commands in a guest that ${what} are lost, and ssh says so`, () => {
    const lab = new SessionRig({ system: "kvm" });
    const { out, err } = lab.run(`qemu-kvm -name vm0; ssh vm0 true
ssh vm0 'sleep 100; echo never' &
sleep 1
${line}
wait $!
echo $?`);
    assertStringIncludes(err, "Connection to vm0 closed by remote host.\n");
    assertEquals(out, "255\n");
  });
}

Deno.test("after a reset the guest is reached again, and knows nothing of what was before", () => {
  const lab = new SessionRig();
  lab.ok(`${SETUP}\n${PATCHED}\nssh vm0 'echo 1 > /tmp/x'\nmonitor vm0 system_reset`);
  assertEquals(lab.run("ssh vm0 cat /tmp/x").err, "cat: /tmp/x: No such file or directory\n");
  assertEquals(lab.lab.guests.get("vm0")!.machine.status()[0]!.directTimer.on, true);
  lab.ok("ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 100 -h 30000");
  assertEquals(lab.result.exits.reduce((sum, count) => sum + count, 0) < 100, true, "no exit for a period");
});

Deno.test("-no-reboot ends QEMU at a reset; -no-shutdown keeps it where the guest has switched itself off", () => {
  const lab = new SessionRig({ system: "kvm" });
  lab.ok("qemu-kvm -name vm0 -no-reboot; ssh vm0 true; monitor vm0 system_reset; sleep 1");
  assertEquals(lab.lab.guests.size, 0);
  lab.ok("qemu-kvm -name vm0 -no-shutdown; ssh vm0 true; monitor vm0 system_powerdown; sleep 1");
  assertEquals(lab.ok("monitor vm0 info status"), "VM status: paused (shutdown)\n");
  lab.ok("qemu-kvm -name vm1 -no-acpi; ssh vm1 true; monitor vm1 system_powerdown; sleep 1");
  assertEquals(lab.ok("monitor vm1 info status"), "VM status: running\n");
});

// ---- in any order ----

const COMMANDS = [
  "stop",
  "cont",
  "system_reset",
  "info lapic",
  "info registers",
  "system_powerdown",
  "quit",
  "cpu 1",
];
const STARTS = [PATCHED, `${PATCHED} -smp 2`, `${PATCHED} -S`, "qemu-kvm -name vm0"];
const PIDS = "$(ps -e -o pid=,comm= | grep qemu | head -1 | cut -c1-5)";

for (const [system, seed] of [["rfc-v2", 1], ["talk", 2], ["kvm", 3]] as const) {
  Deno.test(`${system}: whatever is typed and whenever QEMU is killed, the host has everything back, seed ${seed}`, () => {
    const lab = new SessionRig({ system });
    lab.ok(SETUP);
    const { cpu3 } = hostOf(lab); // stock KVM's vCPU thread has it, and it stays online
    const choose = pickFrom(seed);
    for (let turn = 0; turn < 60; turn++) {
      const line = choose([
        `monitor vm0 ${choose(COMMANDS)}`,
        `monitor vm0 ${choose(COMMANDS)}`,
        choose(STARTS),
        `sleep 0.0${choose(["1", "3", "7"])}`,
        "irq vf0; run 100us",
        `kill -${choose(["TERM", "INT", "9"])} ${PIDS} 2>/dev/null`,
      ]);
      lab.run(line); // most of them fail, as there is no guest or it runs already
    }
    lab.run(
      `for pid in $(ps -e -o pid=,comm= | grep qemu | cut -c1-5); do kill -9 $pid; done 2>/dev/null; sleep 2`,
    );
    const after = hostOf(lab);
    const timerNs = cpu3 === "online" ? after.timerNs : RESTORED.timerNs;
    assertEquals(after, { ...RESTORED, cpu3, timerNs });
  });
}

/** Picks by a linear congruential generator. */
function pickFrom(seed: number): <T>(list: readonly T[]) => T {
  let state = seed;
  return (list) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return list[Math.floor(state / 65_536) % list.length]!;
  };
}

Deno.test("nmi: LINT1 of each vCPU decides; Linux has opened it on the first one", () => {
  const vm = monitored("today", "-smp 2");
  vm.rig.until(() => vm.guest.startUp.isUp);
  const nmis: number[] = [];
  vm.guest.nmiHandlers.push((cpu) => nmis.push(cpu.id) > 0);
  assertEquals(vm.type("nmi"), []);
  vm.rig.pass(50_000_000);
  assertEquals(nmis, [0]);
  const { vcpus } = vm.machine.file.vm;
  vcpus[1]!.lapic.write(Apic.LVT1, 0x400, vm.rig.host.cpus[0]!);
  assertEquals(vm.type("nmi"), []);
  vm.rig.pass(50_000_000);
  assertEquals(nmis.toSorted(), [0, 0, 1]);
});
