/**
 * A guest's virtio disk, from dd in the guest to the image on the host.
 *
 * Names are those of Linux 3.5 and 6.18 (`drivers/virtio/virtio_pci.c`, `drivers/block/virtio_blk.c`), messages those of
 * QEMU 7.2, summaries those of coreutils 8.13 and 9.1 (`src/dd.c`, `print_stats()`); exits per virtual interrupt are
 * slide 20's.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExitReason } from "../hw/vmx.ts";
import { SessionRig } from "./session_rig.ts";

const DISK = "-drive file=kvm/test.img,if=virtio";
const started = (options: string, system = "kvm") => {
  const rig = new SessionRig({ system });
  rig.ok(`echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic ${options}
ssh vm0 true; run 10ms`);
  const { machine } = rig.lab.guests.get("vm0")!;
  return { rig, machine, vcpu: machine.file.vm.vcpus[0]! };
};

function today(): SessionRig {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("set -o era=today");
  return rig;
}

/** Exits by reason while `script` runs. */
function exitsDuring({ rig, vcpu }: ReturnType<typeof started>, script: string) {
  const before = Float64Array.from(vcpu.exits);
  rig.ok(`${script}; run 5ms`);
  const more = (reason: number) => vcpu.exits[reason]! - before[reason]!;
  return {
    ports: more(ExitReason.IoInstruction),
    nmis: more(ExitReason.ExceptionOrNmi),
    writes: more(ExitReason.MsrWrite),
  };
}

Deno.test("the guest has a disk: lspci, /dev/vda, /proc/partitions, and an interrupt for configuration and requests", () => {
  const { rig } = started(DISK);
  assertEquals(
    rig.ok("ssh vm0 lspci -nnk"),
    "00:04.0 SCSI storage controller [0100]: Red Hat, Inc Virtio block device [1af4:1001]\n" +
      "\tSubsystem: Red Hat, Inc Device [1af4:0002]\n\tKernel driver in use: virtio-pci\n",
  );
  const verbose = rig.ok("ssh vm0 lspci -v -s 00:04.0");
  assertMatch(verbose, /I\/O ports at c000 \[size=64\]\n/);
  assertMatch(verbose, /\[size=4K\]\n\tCapabilities: \[40\] MSI-X: Enable\+ Count=2 Masked-\n/);
  assertEquals(
    rig.ok("ssh vm0 cat /proc/partitions"),
    "major minor  #blocks  name\n\n 253        0      65536 vda\n 253        1      64512 vda1\n",
  );
  assertEquals(
    rig.ok("ssh vm0 'ls -l /dev/vda; [ -b /dev/vda ] && [ ! -c /dev/vda ] && echo block'"),
    "brw-rw---- 1 root root 253, 0 Sep  6 00:00 /dev/vda\nblock\n",
  );
  const names = rig.ok("ssh vm0 grep virtio /proc/interrupts").trimEnd().split("\n").map((line) =>
    line.split(/ +/).at(-1)
  );
  assertEquals(names, ["virtio0-config", "virtio0-requests"]);
});

Deno.test("a 6.18 guest's request interrupt is virtio0-req.0; /proc/diskstats has 17 numbers there and 11 in 2012", () => {
  const rig = today();
  rig.ok(
    "qemu-system-x86_64 -accel kvm -m 1024 -cpu host -nographic -drive file=test.img,if=virtio,format=raw; ssh vm0 true",
  );
  assertMatch(rig.ok("ssh vm0 cat /proc/interrupts"), / PCI-MSIX-0000:00:04\.0 +1-edge +virtio0-req\.0\n/);
  assertEquals(rig.ok("ssh vm0 head -n 1 /proc/diskstats").trim().split(/ +/).length, 3 + 17);
  assertEquals(started(DISK).rig.ok("ssh vm0 head -n 1 /proc/diskstats").trim().split(/ +/).length, 3 + 11);
});

Deno.test("a read past the page cache is one exit for its notification; on stock KVM the interrupt's EOI is another", () => {
  const machine = started(DISK);
  const { ports } = exitsDuring(machine, "ssh vm0 dd if=/dev/vda of=/dev/null bs=4k count=50 iflag=direct");
  assertEquals(ports, 50);
  assertMatch(machine.rig.ok("ssh vm0 grep requests /proc/interrupts"), / 50 /);
});

Deno.test("slide 20: on a slave CPU a completion is a virtual interrupt: an NMI's exit, and that of its EOI", () => {
  for (const system of ["talk", "rfc-v2"]) {
    const machine = started(DISK, system);
    const idle = exitsDuring(machine, "ssh vm0 true");
    const { ports, nmis, writes } = exitsDuring(
      machine,
      "ssh vm0 dd if=/dev/vda of=/dev/null bs=4k count=50 iflag=direct",
    );
    assertEquals([ports, nmis - idle.nmis, writes - idle.writes], [50, 50, 50], system);
    assertEquals(machine.vcpu.vmcs.externalInterruptExiting, false, "direct mode is on again");
  }
});

Deno.test("with ioeventfd=off the notification goes to QEMU's vCPU thread: a user exit, as serveExit shows it", () => {
  const traced = (options: string) => {
    const { rig } = started(options);
    rig.ok(
      "echo 1 > /sys/kernel/debug/tracing/events/kvm/kvm_pio/enable; echo 1 > /sys/kernel/debug/tracing/events/kvm/kvm_userspace_exit/enable 2> /dev/null || :",
    );
    const before = rig.lab.machine.cpus.reduce((sum, cpu) => sum + cpu.layerNs[3]!, 0);
    rig.ok("ssh vm0 dd if=/dev/vda of=/dev/null bs=4k count=20 iflag=direct");
    const qemuNs = rig.lab.machine.cpus.reduce((sum, cpu) => sum + cpu.layerNs[3]!, 0) - before;
    const lines = rig.ok("grep -c 'pio_write at 0xc010 size 2 count 1' /sys/kernel/debug/tracing/trace");
    return { qemuNs, notifications: Number(lines) };
  };
  const on = traced("-drive file=test.img,if=none,id=d -device virtio-blk-pci,drive=d");
  const off = traced("-drive file=test.img,if=none,id=d -device virtio-blk-pci,drive=d,ioeventfd=off");
  assertEquals([on.notifications, off.notifications], [20, 20]);
  assert(off.qemuNs > on.qemuNs + 20 * 500, `${off.qemuNs} against ${on.qemuNs}`);
});

Deno.test("what the guest writes it reads again, through the page cache and past it, in the partition too", () => {
  const { rig } = started(DISK);
  rig.ok("ssh vm0 'echo hello > /dev/vda1'");
  assertEquals(rig.ok("ssh vm0 'head -c 6 /dev/vda1'"), "hello\n");
  assertEquals(
    rig.ok("ssh vm0 'dd if=/dev/vda bs=512 skip=2048 count=1 iflag=direct status=none | head -c 6'"),
    "hello\n",
  );
  assertEquals(rig.ok("ssh vm0 'dd if=/dev/vda bs=1 skip=1048577 count=4 status=none'"), "ello");
});

Deno.test("dd: the summaries of coreutils 8.13 and 9.1; O_DIRECT wants whole sectors; the end of the disk", () => {
  const { rig } = started(DISK);
  const of = (text: string, on = rig) =>
    on.run(`ssh vm0 'dd ${text}'`).err.replace(/[\d.e-]+ s, .*\n$/, "T s, R/s\n");
  assertEquals(
    of("if=/dev/vda of=/dev/null bs=1M count=4"),
    "4+0 records in\n4+0 records out\n4194304 bytes (4.2 MB) copied, T s, R/s\n",
  );
  assertEquals(
    of("if=/dev/vda of=/dev/null bs=1000 count=1"),
    "1+0 records in\n1+0 records out\n1000 bytes (1.0 kB) copied, T s, R/s\n",
  );
  assertEquals(
    of("if=/dev/vda of=/dev/null bs=1000 count=1 iflag=direct"),
    "dd: reading ‘/dev/vda’: Invalid argument\n0+0 records in\n0+0 records out\n0 bytes (0 B) copied, T s, R/s\n",
  );
  assertMatch(
    of("if=/dev/zero of=/dev/vda bs=1M seek=63"),
    /^dd: writing ‘\/dev\/vda’: No space left on device\n2\+0 records in\n1\+0 records out\n/,
  );
  assertEquals(of("if=/nowhere of=/dev/null"), "dd: opening ‘/nowhere’: No such file or directory\n");
  const now = today();
  now.ok(
    "qemu-system-x86_64 -accel kvm -m 1024 -nographic -drive file=test.img,if=virtio,format=raw; ssh vm0 true",
  );
  assertEquals(
    of("if=/dev/vda of=/dev/null bs=4k count=1000", now),
    "1000+0 records in\n1000+0 records out\n4096000 bytes (4.1 MB, 3.9 MiB) copied, T s, R/s\n",
  );
  assertEquals(
    of("if=/dev/vda of=/dev/null bs=512 count=1", now),
    "1+0 records in\n1+0 records out\n512 bytes copied, T s, R/s\n",
  );
});

Deno.test("a drive that is read-only cannot be opened for writing; cache=none waits for the host's disk", () => {
  const { rig } = started("-drive file=test.img,if=virtio,readonly=on");
  assertMatch(rig.run("ssh vm0 'echo > /dev/vda'").err, /Read-only file system/);
  const seconds = (options: string) =>
    Number(
      /([\d.]+) s,/.exec(
        started(options).rig.run("ssh vm0 dd if=/dev/vda of=/dev/null bs=4k count=100 iflag=direct").err,
      )![1],
    );
  const cached = seconds(DISK), direct = seconds(`${DISK},cache=none`);
  assert(direct > cached + 100 * 70e-6, `${direct} against ${cached}`);
});

Deno.test("a virtio disk needs a drive that has no device yet: 7.2's messages", () => {
  const refused = (device: string) => {
    const rig = today();
    return rig.run(
      `qemu-system-x86_64 -accel kvm -m 1024 -nographic -drive file=test.img,if=none,id=d,format=raw ${device}`,
    ).err;
  };
  assertEquals(
    refused("-device virtio-blk-pci"),
    "qemu-system-x86_64: -device virtio-blk-pci: drive property not set\n",
  );
  assertEquals(
    refused("-device virtio-blk-pci,drive=e"),
    "qemu-system-x86_64: -device virtio-blk-pci,drive=e: Property 'virtio-blk-device.drive' can't find value 'e'\n",
  );
});

Deno.test("after a reset the disk is as after power-up; QEMU killed in the middle of a read leaves no thread behind", () => {
  const { rig } = started(DISK, "talk");
  rig.ok(
    "ssh vm0 dd if=/dev/vda of=/dev/null bs=4k count=10 iflag=direct; monitor vm0 system_reset; ssh vm0 true",
  );
  assertMatch(
    rig.run("ssh vm0 dd if=/dev/vda of=/dev/null bs=4k count=10 iflag=direct").err,
    /^10\+0 records in/,
  );
  assertMatch(rig.ok("ssh vm0 grep requests /proc/interrupts"), / 10 /);
  rig.start("ssh vm0 dd if=/dev/vda of=/dev/null bs=4k count=1000 iflag=direct");
  rig.ok(
    "run 500us; pkill -9 qemu 2> /dev/null || kill -9 $(ps -eo pid,comm | grep qemu | head -n 1 | awk '{ print $1 }'); run 2s",
  );
  assertEquals(rig.run("ps -eLo comm | grep qemu").out, "");
});

Deno.test("with pci=nomsi the disk interrupts by its line, which eth0 has too: reading ISR is an exit, and lets the line fall", () => {
  for (const system of ["kvm", "talk"]) {
    const machine = started(`${DISK} -kernel kvm/bzImage -append "root=/dev/vda1 pci=nomsi"`, system);
    const { rig } = machine;
    assertMatch(rig.ok("ssh vm0 cat /proc/interrupts"), / 11: +\d+ +IO-APIC-fasteoi +eth0, virtio0\n/);
    assertMatch(rig.ok("ssh vm0 lspci -v -s 00:04.0"), /IRQ 11\n/);
    const { ports } = exitsDuring(machine, "ssh vm0 dd if=/dev/vda of=/dev/null bs=4k count=50 iflag=direct");
    // For each request its notification and the read of ISR; eth0's own interrupts ask the disk as well.
    assert(ports >= 100 && ports < 110, `${ports} on ${system}`);
    assertEquals(machine.machine.file.vm.chips!.ioapic.core.lines & (1 << 11), 0, "the line is low");
  }
});
