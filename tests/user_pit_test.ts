/**
 * The 8254 in QEMU and in the kernel, as a guest reaches them by its ports.
 *
 * *Document*: Intel 8254 data sheet, "Mode Definitions"; QEMU `hw/timer/i8254.c`; Linux `virt/kvm/kvm_main.c`
 * (`kvm_userspace_exit`); slide 20 for what a virtual interrupt costs on a dedicated CPU.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Pit8254, pitNs } from "../hw/i8254.ts";
import { SessionRig } from "./session_rig.ts";

const QEMU = "qemu-kvm -m 1024 -cpu qemu64,+x2apic -enable-kvm -nographic";
/** Counter 0, both bytes, mode 2, 11,931 clocks: 100 Hz. Mode 0 with a count of 0 is Linux's way to shut it down. */
const START = "ssh vm0 'outb 0x43 0x34; outb 0x40 0x9b; outb 0x40 0x2e'";
const SHUT_DOWN = "ssh vm0 'outb 0x43 0x30; outb 0x40 0; outb 0x40 0'";

function guest(line: string, system = "kvm"): SessionRig {
  const rig = new SessionRig({ system });
  rig.ok(`${line}; ssh vm0 true`);
  return rig;
}

const ticks = (rig: SessionRig) =>
  Number(/^ *0: +(\d+)/m.exec(rig.ok("ssh vm0 cat /proc/interrupts"))?.[1] ?? 0);
/** Exits of the guest by basic reason. */
const exits = (rig: SessionRig, reason: number) =>
  rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!.exits[reason]!;
const EXCEPTION_NMI = 0, IO_INSTRUCTION = 30, MSR_WRITE = 32;

Deno.test("the next change of an output is the first ns in which it is another, in every mode", () => {
  for (let mode = 0; mode <= 5; mode++) {
    const chip = new Pit8254();
    chip.write(3, 0x30 | (mode << 1), 0);
    chip.write(0, 7, 0);
    chip.write(0, 0, 0);
    for (let ns = 0; ns < pitNs(30); ns += 97) {
      const next = chip.nextChangeNs(0, ns), now = chip.output(0, ns);
      if (next === Infinity) assertEquals(chip.output(0, pitNs(40)), now, `mode ${mode}`);
      else {assertEquals(
          [chip.output(0, next - 1), chip.output(0, next)],
          [now, !now],
          `mode ${mode}, ${ns} ns`,
        );}
    }
  }
});

Deno.test("with -no-kvm-pit each access of the PIT's ports is a user exit, with the kernel's PIT none is", () => {
  for (const [option, userExits] of [["-no-kvm-pit", 3], ["", 0]] as const) {
    const rig = guest(`${QEMU} ${option}`);
    rig.ok(
      "echo kvm_userspace_exit > /sys/kernel/debug/tracing/set_event; echo 0 > /sys/kernel/debug/tracing/tracing_on",
    );
    const before = exits(rig, IO_INSTRUCTION);
    rig.ok(
      `echo 1 > /sys/kernel/debug/tracing/tracing_on; ${START}; echo 0 > /sys/kernel/debug/tracing/tracing_on`,
    );
    assertEquals(exits(rig, IO_INSTRUCTION) - before, 3);
    assertEquals(
      Number(rig.run("grep -c 'reason KVM_EXIT_IO (2)' /sys/kernel/debug/tracing/trace").out),
      userExits,
      option,
    );
  }
});

Deno.test("either PIT ticks as it is programmed, and its last edge is 55 ms after it is shut down", () => {
  for (const option of ["-no-kvm-pit", ""]) {
    const rig = guest(`${QEMU} ${option}`);
    rig.ok(`${START}; run 5ms`);
    const begun = ticks(rig);
    rig.ok("run 200ms");
    const ran = ticks(rig) - begun;
    assert(ran === 20 || ran === 21, `${ran} ticks in 200 ms ${option}`);
    rig.ok(SHUT_DOWN);
    const shut = ticks(rig);
    assertEquals([50, 20, 100].map((ms) => (rig.ok(`run ${ms}ms`), ticks(rig) - shut)), [0, 1, 1], option);
  }
});

Deno.test("QEMU's PIT is programmed by nobody at first: what a guest finds is mode 0, run out", () => {
  const rig = guest(`${QEMU} -no-kvm-pit`);
  // Read-back of counter 0's status: output high, both bytes, mode 0.
  assertEquals(rig.ok("ssh vm0 'outb 0x43 0xe2; inb --hex 0x40'"), "b0\n");
  assertEquals(rig.ok("run 200ms > /dev/null; ssh vm0 inb 0x43"), "0\n", "the control word cannot be read");
  assertEquals(ticks(rig), 0);
});

Deno.test("on a slave CPU a tick of QEMU's PIT is a virtual interrupt: an NMI, and an EOI that exits", () => {
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok(`echo 0 > /sys/devices/system/cpu/cpu3/online
    qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic; ssh vm0 true
    ssh vm0 'while :; do :; done' & ${START}; run 3ms`);
  const counted = () => [EXCEPTION_NMI, MSR_WRITE].map((reason) => exits(rig, reason));
  const before = counted();
  rig.ok("run 100ms");
  assertEquals(counted().map((count, i) => count - before[i]!), [10, 10]);
});

Deno.test("a reset, and QEMU's end, stop it", () => {
  const rig = guest(`${QEMU} -no-kvm-pit`);
  rig.ok(`${START}; monitor vm0 system_reset; run 100ms; ssh vm0 true`);
  assertEquals([ticks(rig), (rig.ok("run 100ms"), ticks(rig))], [0, 0]);
  rig.ok(`${START}; killall qemu-kvm; run 200ms`);
  assertEquals(rig.lab.host.cpus.flatMap(({ hrtimers }) => hrtimers.first?.name === "PIT" ? [1] : []), []);
});

Deno.test("inb and outb: an access of the name's width; nobody's port reads all ones", () => {
  const rig = new SessionRig({ system: "kvm" });
  assertEquals(rig.ok("inb 0x80; inb --hex 0x80"), "255\nff\n");
  assertEquals(rig.run("inb"), { status: 1, out: "", err: "inb: address is not specified\n" });
  assertEquals(rig.run("outb 0x80 256").err, "outb: 256: not a number of 1 bytes\n");
  assertEquals(rig.run("inb 0x10000").status, 1);
  rig.ok(`${QEMU} -no-kvm-pit; ssh vm0 true`);
  assertEquals(rig.ok("ssh vm0 'inw 0x80; inl --hex 0x80; inb --size 2 0x80'"), "65535\nffffffff\n65535\n");
});
