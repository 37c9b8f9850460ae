/**
 * The VGA, the ring in which KVM keeps writes to its memory, and a guest's text console on it.
 *
 * Ports, registers and memory maps are restated from the IBM PS/2 Hardware Interface Technical Reference, "Video
 * Subsystem"; KVM's ring from `virt/kvm/coalesced_mmio.c` and `include/uapi/linux/kvm.h`; which accesses Linux makes for a
 * piece of text from `vgacon_cursor()`, `vgacon_set_cursor_size()` and `do_con_write()` of 3.5.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Vga } from "../hw/vga.ts";
import { ExitReason } from "../hw/vmx.ts";
import { SessionRig } from "./session_rig.ts";

Deno.test("index and data of the CRT controller are at 0x3d4 and 0x3d5, a word writes both; at 0x3b4 in monochrome", () => {
  const vga = new Vga();
  vga.writePort(0x3d4, 2, 0x120e); // register 0x0e, value 0x12
  vga.writePort(0x3d4, 1, 0x0f);
  vga.writePort(0x3d5, 1, 0x34);
  assertEquals([vga.cursor, vga.readPort(0x3d5, 1)], [0x1234, 0x34]);
  assertEquals([vga.hasPort(0x3d4), vga.hasPort(0x3b4)], [true, false]);
  vga.writePort(0x3c2, 1, vga.readPort(0x3cc, 1) & ~1); // miscellaneous output, bit 0
  assertEquals([vga.hasPort(0x3d4), vga.hasPort(0x3b4), vga.readPort(0x3b5, 1)], [false, true, 0x34]);
});

Deno.test("the attribute controller takes index and data by turns; reading input status 1 makes the next write an index", () => {
  const vga = new Vga();
  vga.readPort(0x3da, 1);
  for (const value of [0x10, 0x0c, 0x11, 0x05]) vga.writePort(0x3c0, 1, value);
  assertEquals([vga.readPort(0x3c0, 1), vga.readPort(0x3c1, 1)], [0x11, 0x05]);
  vga.writePort(0x3c0, 1, 0x10);
  vga.readPort(0x3da, 1);
  vga.writePort(0x3c0, 1, 0x10);
  assertEquals(vga.readPort(0x3c1, 1), 0x0c);
});

Deno.test("in mode 3 text is at 0xb8000, a character and its attribute; graphics register 6 maps other parts of the window", () => {
  const vga = new Vga();
  for (const [i, code] of [..."AB"].entries()) {
    vga.writeMemory(0xb_8000 + 2 * i, 2, 0x0700 | code.charCodeAt(0));
  }
  assertEquals([vga.readMemory(0xb_8000, 2), vga.readMemory(0xb_8002, 1), vga.screen()[0]], [
    0x0741,
    0x42,
    "AB",
  ]);
  assertEquals([vga.readMemory(0xa_0000, 2), vga.readMemory(0xb_0000, 1)], [0xffff, 0xff], "not mapped");
  vga.writePort(0x3ce, 2, 0x0a06); // bits 3:2 = 2: 0xb0000 to 0xb7fff
  assertEquals([vga.readMemory(0xb_0000, 2), vga.readMemory(0xb_8000, 2)], [0x0741, 0xffff]);
});

Deno.test("the start address chooses what is on the screen, 80 characters a row", () => {
  const vga = new Vga();
  vga.writeMemory(0xb_8000 + 160, 2, 0x0743);
  assertEquals([vga.screen()[0], vga.screen()[1]], ["", "C"]);
  vga.writePort(0x3d4, 2, 0x500d); // 80 characters further
  assertEquals(vga.screen()[0], "C");
});

const KVM = "qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic";

function started(system: string, options = "") {
  const rig = new SessionRig({ system });
  rig.ok(`echo 0 > /sys/devices/system/cpu/cpu3/online\n${KVM} ${options}\nssh vm0 true; run 5ms`);
  const { machine } = rig.lab.guests.get("vm0")!;
  return { rig, machine, vcpu: machine.file.vm.vcpus[0]! };
}

/** Exits for ports and for memory, and how many of the latter only user space could serve, while `script` runs. */
function exitsDuring({ rig, vcpu }: ReturnType<typeof started>, script: string) {
  const counts =
    () => [vcpu.exits[ExitReason.IoInstruction]!, vcpu.exits[ExitReason.EptMisconfig]!, vcpu.mmioExits];
  const before = counts();
  rig.ok(`${script}; run 5ms`);
  const [ports, memory, user] = counts().map((count, i) => count - before[i]!);
  return { ports, memory, user };
}

Deno.test("echo > /dev/tty0: a store for each character; the cursor, hidden and shown for the text and for its newline, 40 ports", () => {
  const guest = started("kvm");
  // vgacon_cursor(): two words for its place; eight accesses for its lines. Four times.
  assertEquals(exitsDuring(guest, "ssh vm0 'echo hello > /dev/tty0'"), { ports: 40, memory: 5, user: 0 });
  assertEquals(guest.machine.display!.vga.screen().slice(0, 2), ["hello", ""]);
  assertEquals(guest.machine.display!.vga.cursor, 80);
});

Deno.test("a line too many moves the start address and blanks a row: 80 stores more, and two words", () => {
  const guest = started("kvm");
  exitsDuring(guest, "ssh vm0 'seq 24 > /dev/tty0'");
  assertEquals(exitsDuring(guest, "ssh vm0 'echo x > /dev/tty0'"), { ports: 42, memory: 81, user: 0 });
  const screen = guest.machine.display!.vga.screen();
  assertEquals([screen[0], screen[22], screen[23], screen[24]], ["2", "24", "x", ""]);
});

Deno.test("at the end of the window the screen is copied: each character is read, which only QEMU can answer", () => {
  const guest = started("kvm");
  // 32 KiB are 204 rows: after 204 lines the 25 of the screen have come to the end, and the next one rolls over.
  exitsDuring(guest, "ssh vm0 'seq 203 > /dev/tty0'");
  const { user } = exitsDuring(guest, "ssh vm0 'echo x > /dev/tty0'");
  assertEquals(user, 24 * 80);
  const screen = guest.machine.display!.vga.screen();
  assertEquals([screen[22], screen[23]], ["203", "x"]);
});

Deno.test("writes wait in a ring of 170 entries, one of them free: the next one is an exit to QEMU, which empties it", () => {
  const guest = started("kvm");
  const store = (count: number) =>
    `ssh vm0 'dd if=/dev/zero bs=1 count=${count} status=none | tr "\\0" x > /dev/tty0'`;
  exitsDuring(guest, store(80)); // what is on the screen does not matter, only that the cursor has flushed the ring
  const { memory, user } = exitsDuring(guest, store(400));
  assertEquals([memory, user], [400, 2]);
});

Deno.test("reading /dev/vcs is a user exit for each character, and shows what has been written just before", () => {
  const guest = started("talk");
  exitsDuring(guest, "ssh vm0 'echo on the screen > /dev/tty1'");
  assertEquals(guest.rig.ok("ssh vm0 'head -c 13 /dev/vcs'"), "on the screen");
  assertEquals(
    exitsDuring(guest, "ssh vm0 'dd if=/dev/vcs of=/dev/null bs=80 count=1 status=none'").user,
    80,
  );
});

Deno.test("kvm_mmio: a store when it exits, a load when it exits and when it is answered", () => {
  const { rig } = started("kvm");
  rig.ok(
    "echo 1 > /sys/kernel/debug/tracing/events/kvm/kvm_mmio/enable; ssh vm0 'echo A > /dev/tty0'; ssh vm0 'head -c 1 /dev/vcs' > /dev/null",
  );
  const lines = rig.ok("grep kvm_mmio: /sys/kernel/debug/tracing/trace").trimEnd().split("\n");
  assertEquals(lines.map((line) => line.replace(/^.*kvm_mmio: /, "")).slice(0, 3), [
    "mmio write len 2 gpa 0xb8000 val 0x741",
    "mmio unsatisfied-read len 2 gpa 0xb8000 val 0x0",
    "mmio read len 2 gpa 0xb8000 val 0x741",
  ]);
});

Deno.test("with -vga none there is no console; an adapter without registers here has none either", () => {
  for (const adapter of ["none", "qxl"]) {
    const { rig } = started("kvm", `-vga ${adapter}`);
    assertMatch(rig.run("ssh vm0 'ls /dev/tty0'").err, /No such file or directory/);
  }
  assert(started("kvm", "-vga std").rig.ok("ssh vm0 'ls /dev/tty0 /dev/vcs'").includes("/dev/vcs"));
});

Deno.test("the counters of debugfs: io_exits all of them, mmio_exits those that went to user space", () => {
  const { rig } = started("kvm");
  const read = () =>
    rig.ok("cat /sys/kernel/debug/kvm/io_exits /sys/kernel/debug/kvm/mmio_exits").trim().split("\n").map(
      Number,
    );
  const before = read();
  rig.ok(
    "ssh vm0 'echo hello > /dev/tty0'; run 5ms; ssh vm0 dd if=/dev/vcs of=/dev/null bs=10 count=1 status=none",
  );
  assertEquals(read().map((count, i) => count - before[i]!), [40, 10]);
});
