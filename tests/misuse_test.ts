/**
 * Misuse fails as the real thing would: the message and the status of each wrong step of the talk's set-up, and what
 * works although it is wrong, with what it costs.
 *
 * Texts of kernel, shell and QEMU: the real tools'. A line that starts with `note:` is the laboratory's own.
 *
 * @module
 */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { main } from "../dsl/cli.ts";
import { ShellSyntaxError } from "../dsl/syntax/syntax_error.ts";
import { FakeHost, type RigOptions, SessionRig } from "./session_rig.ts";

const OFFLINE = "echo 0 > /sys/devices/system/cpu/cpu3/online";
/** Slide 30's command without its device. */
const QEMU = "qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -serial pty -nographic " +
  "-drive file=kvm/test.img,if=virtio";
const DRIVERS = "/sys/bus/pci/drivers";

/** Runs a script in a session of its own: status, output, and what it complained about. */
function run(script: string, options: RigOptions = {}) {
  const { status, out, err } = new SessionRig(options).run(script);
  return [status, out, err] as const;
}

// ---- slave CPUs ----

/** Two vCPUs of one machine, made by hand. */
const VCPUS = `kvm = open("/dev/kvm", O_RDWR);
vm = ioctl(kvm, KVM_CREATE_VM, 0);
vcpu[0] = ioctl(vm, KVM_CREATE_VCPU, 0);
vcpu[1] = ioctl(vm, KVM_CREATE_VCPU, 1);
`;

Deno.test("a slave CPU that is still online: EINVAL", () => {
  assertEquals(run(`${VCPUS}ioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3);\necho $? $errno`), [
    0,
    "1 22\n",
    "x.rtk: line 5: ioctl: KVM_SET_SLAVE_CPU: Invalid argument (EINVAL)\n",
  ]);
});

Deno.test("the same slave CPU twice: ENOSYS; another vCPU's: EINVAL; there is none of that number: EINVAL", () => {
  const script = `${VCPUS}${OFFLINE}
ioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3);
echo $?
ioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3);
echo $? $errno
ioctl(vcpu[1], KVM_SET_SLAVE_CPU, 3);
echo $? $errno
ioctl(vcpu[1], KVM_SET_SLAVE_CPU, 4);
echo $? $errno
`;
  assertEquals(run(script), [
    0,
    "0\n1 38\n1 22\n1 22\n",
    "x.rtk: line 8: ioctl: KVM_SET_SLAVE_CPU: Function not implemented (ENOSYS)\n" +
    "x.rtk: line 10: ioctl: KVM_SET_SLAVE_CPU: Invalid argument (EINVAL)\n" +
    "x.rtk: line 12: ioctl: KVM_SET_SLAVE_CPU: Invalid argument (EINVAL)\n",
  ]);
});

Deno.test("a slave CPU cannot be brought online: EINVAL, and it stays the vCPU's", () => {
  const script = `${VCPUS}${OFFLINE}
ioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3);
echo 1 > /sys/devices/system/cpu/cpu3/online
echo $?
cat /sys/devices/system/cpu/online
expect cpu 3 slave
`;
  assertEquals(run(script), [0, "1\n0-2\n", "x.rtk: line 7: echo: write error: Invalid argument\n"]);
});

Deno.test("a stock kernel has no slave CPUs: EINVAL", () => {
  assertEquals(
    run(`${VCPUS}${OFFLINE}\nioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3);`, { system: "kvm", strict: true }),
    [
      1,
      "",
      "x.rtk: line 6: ioctl: KVM_SET_SLAVE_CPU: Invalid argument (EINVAL)\n",
    ],
  );
});

Deno.test("a call on a vCPU that runs would wait for ever: EINTR, and it is said", () => {
  const rig = new SessionRig();
  rig.ok(`${OFFLINE}\n${QEMU}\nssh vm0 true`);
  for (const request of ["KVM_SET_SLAVE_CPU", "KVM_GET_SLAVE_CPU"]) {
    // Slide 11's line, typed after slide 30's set-up: QEMU has made the call already, and the guest runs.
    const { status, out, err } = rig.run(`ioctl(vcpu[0], ${request}, 3);\necho $? $errno`);
    assertEquals([status, out, err], [
      0,
      "1 4\n",
      "note: QEMU's thread is in an ioctl on this vCPU, as a rule KVM_RUN: the call would wait until that returns\n" +
      `x.rtk: line 1: ioctl: ${request}: Interrupted system call (EINTR)\n`,
    ]);
  }
});

Deno.test("the end of a typed KVM_RUN is reported with the exit that ended it", () => {
  const byHand = new SessionRig();
  assertEquals(
    byHand.run(`${VCPUS}ioctl(vcpu[0], KVM_RUN, 0);\nwait`).err, // no memory: nothing to execute
    "KVM_RUN returned: KVM_EXIT_INTERNAL_ERROR\n",
  );
  const rig = new SessionRig();
  rig.ok(`${QEMU} -S`);
  const fd = Number(rig.ok("echo ${vcpu[0]}"));
  rig.lab.guests.get("vm0")!.machine.threads[0]!.file.exitReason = "KVM_EXIT_IO";
  assertEquals(rig.lab.calls.report("ioctl", [fd]), "KVM_RUN returned: KVM_EXIT_IO");
});

// ---- QEMU ----

Deno.test("pci-assign of a device that is bound to its driver: QEMU says who has it and how to free it, status 1", () => {
  const rig = new SessionRig();
  const { status, err } = rig.run(`${OFFLINE}\n${QEMU} -device pci-assign,host=05:00.0`);
  assertEquals(status, 1);
  const lines = err.split("\n");
  assertEquals(lines[1], 'Failed to assign device "(null)" : Device or resource busy');
  assertEquals(lines[2], "*** The driver 'ixgbevf' is occupying your device 0000:05:00.0.");
  assertEquals(
    lines.at(-2),
    "qemu-kvm.patched: -device pci-assign,host=05:00.0: Device 'kvm-pci-assign' could not be initialized",
  );
  // Nothing is left behind: no guest, no slave; and the commands that it names do free the device.
  assertEquals([rig.lab.guests.size, rig.lab.kvm.vms.length, rig.lab.host.cpus[3]!.state], [0, 0, "offline"]);
  const advice = lines.filter((line) => line.startsWith("*** $ ")).map((line) => line.slice("*** $ ".length));
  assertEquals(advice.length, 4);
  rig.ok(advice.slice(0, 3).join("\n"));
  rig.ok(`${QEMU} -device pci-assign,host=05:00.0\nssh vm0 true`);
});

Deno.test("an option that QEMU does not have: its message, status 1", () => {
  assertEquals(run(`${QEMU} -no-kvm-pti`), [1, "", "qemu-kvm.patched: -no-kvm-pti: invalid option\n"]);
});

Deno.test("no +x2apic with a slave CPU: it works, EOI and timer are trapped, and it is said", () => {
  const rig = new SessionRig();
  const qemu = rig.run(`${OFFLINE}\n${QEMU.replace(",+x2apic", "")}`);
  assertEquals([qemu.status, qemu.err], [
    0,
    "char device redirected to /dev/pts/0\nnote: no +x2apic in -cpu: EOI and timer are trapped\n",
  ]);
  rig.ok("ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 500 -h 100");
  // Those four accesses that exit as MSR_WRITE on kvm, now through memory; and the emulated timer is an online CPU's,
  // so that its interrupt comes by NMI. HLT does not exit all the same, and bit 0 is clear.
  const { APIC_ACCESS, EXCEPTION_NMI, ...others } = rig.exits;
  assertAlmostEquals(APIC_ACCESS! / 500, 4, 0.02);
  assertAlmostEquals(EXCEPTION_NMI! / 500, 1, 0.02);
  assertEquals(others, {});
  assertEquals(rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!.vmcs.pinBased & 1, 0);
});

Deno.test("no -no-kvm-pit with a slave CPU: each tick is a virtual interrupt that turns direct mode off; it is said", () => {
  const rig = new SessionRig();
  const qemu = rig.run(`${OFFLINE}\n${QEMU.replace("-no-kvm-pit ", "")}\nssh vm0 true`);
  assertEquals([qemu.status, qemu.err], [
    0,
    "char device redirected to /dev/pts/0\n" +
    "note: the PIT is in the kernel (no -no-kvm-pit): its ticks arrive as virtual interrupts and turn direct mode off " +
    "each time\n",
  ]);
  const { vm } = rig.lab.guests.get("vm0")!.machine.file;
  const [vcpu] = vm.vcpus;
  const look =
    () => [vm.pit!.ticks, vcpu!.injections, vcpu!.exits[0]!, vcpu!.exits[32]!, vcpu!.directSwitches];
  const before = look();
  rig.ok("run 10s");
  const [ticks, injections, nmis, writes, switches] = look().map((count, i) => count - before[i]!);
  assertAlmostEquals(ticks!, 182, 1, "1193182 Hz / 65536, 18.2 a second");
  // A tick: the NMI that brings it, the exit of its EOI; direct mode off before and on after it.
  assertEquals([injections, nmis, writes, switches], [ticks, ticks, ticks, 2 * ticks!]);
});

Deno.test("with -no-kvm-pit and +x2apic there is nothing to say, and no exit; nor without a slave CPU", () => {
  const rig = new SessionRig();
  const { err } = rig.run(`${OFFLINE}\n${QEMU}\nssh vm0 true`);
  assertEquals(err, "char device redirected to /dev/pts/0\n");
  const exits = () => rig.lab.exits().reduce((sum, count) => sum + count, 0);
  const before = exits();
  rig.ok("run 10s");
  assertEquals(exits(), before);
  const careless = QEMU.replace(",+x2apic", "").replace("-no-kvm-pit ", "");
  assertEquals(run(careless), [0, "", "char device redirected to /dev/pts/0\n"]);
});

// ---- the shell ----

Deno.test("an unknown command: 127 and what was meant, on the host and in the guest", () => {
  // The slide's own typo.
  assertEquals(run("cyclicttest -a 0 -m -q -p 99 -n -l 300000 -h 30000"), [
    127,
    "",
    "x.rtk: line 1: cyclicttest: command not found\nnote: did you mean cyclictest?\n",
  ]);
  assertEquals(run("ssh vm0 cyclicttest -n", { system: "bare-metal" }), [
    127,
    "",
    "bash: cyclicttest: command not found\nnote: did you mean cyclictest?\n",
  ]);
});

Deno.test("writing to files of sysfs that are not there, or read-only, or to a directory", () => {
  const cases: [path: string, says: string, meant?: string][] = [
    ["/sys/devices/system/cpu/online", "Permission denied"], // 0444, even for root
    ["/sys/devices/system/cpu/cpu0/online", "Permission denied"], // the boot CPU has none, and nobody can create it
    ["/sys/devices/system/cpu/cpu4/online", "No such file or directory"],
    [
      "/sys/bus/pci/drivers/pci-stbu/new_id",
      "No such file or directory",
      "/sys/bus/pci/drivers/pci-stub/new_id",
    ],
    ["/sys/bus/pci/drivers/pci-stub/newid", "Permission denied", "/sys/bus/pci/drivers/pci-stub/new_id"],
    ["/sys/bus/pci/drivers/pci-stub", "Is a directory"],
    ["/sys/nosuch", "Permission denied"],
    ["/sys/nosuch/file", "No such file or directory"],
    ["/sys/devices/nosuch", "Permission denied"],
    ["/sys/devices/system/nosuch", "Permission denied"],
    ["/sys/bus/nosuch", "Permission denied"],
  ];
  const rig = new SessionRig();
  for (const [path, says, meant] of cases) {
    const { status, out, err } = rig.run(`echo 1 > ${path}`);
    const note = meant === undefined ? "" : `note: did you mean ${meant}?\n`;
    assertEquals([status, out, err], [1, "", `x.rtk: line 1: ${path}: ${says}\n${note}`]);
  }
  assertEquals(rig.run("mkdir /sys/foo"), {
    status: 1,
    out: "",
    err: "mkdir: cannot create directory ‘/sys/foo’: Operation not permitted\n",
  });
});

Deno.test("a value that the kernel refuses: a write error, status 1", () => {
  for (const value of ["2", "x", ""]) {
    assertEquals(run(`echo ${value} > /sys/devices/system/cpu/cpu3/online`), [
      1,
      "",
      "x.rtk: line 1: echo: write error: Invalid argument\n",
    ]);
  }
});

Deno.test("after a syntax error nothing has run, and the place is named: file, line, column, excerpt", async () => {
  const bad = "echo 0 > /sys/devices/system/cpu/cpu3/online\nif true; then\n  echo on\nfi fi\n";
  const rig = new SessionRig();
  const { event } = rig.lab.engine;
  assertThrows(() => rig.run(bad), ShellSyntaxError);
  assertEquals([rig.lab.engine.event, rig.lab.host.cpus[3]!.state], [event, "online"]);

  const host = new FakeHost({ "good.rtk": "echo ran\n", "bad.rtk": bad });
  assertEquals(await main(["run", "good.rtk", "bad.rtk"], host), 2);
  assertEquals(host.stdout, "");
  assertEquals(
    host.stderr,
    "bad.rtk:4:4: syntax error near unexpected token `fi'\n" +
      "  4 | fi fi\n" +
      "    |    ^ column 4: expected the end of the command\n" +
      'note: no "if" is open here\n',
  );
});

Deno.test("a profile with a wrong key, unit or kind: nothing runs; key path, line and what was meant, all at once", async () => {
  const profile = `profile: mine
hw:
  processor:
    vm_exitt: { value: 1, unit: ns, kind: assumed, source: test }
    vm_entry: { value: 1, unit: parsec, kind: assumed, source: test }
    cpuid: { value: 1, unit: ns, kind: assumd, source: test }
    c1_exit: { value: 1, unit: MHz, kind: assumed, source: test }
`;
  const host = new FakeHost({ "x.rtk": "echo ran\n", "p.yaml": profile });
  assertEquals(await main(["run", "--profile", "p.yaml", "x.rtk"], host), 1);
  assertEquals([host.stdout, host.stderr.split("\n")], ["", [
    "p.yaml:4:5: hw.processor.vm_exitt: unknown key, did you mean vm_exit?",
    'p.yaml:5:33: hw.processor.vm_entry.unit: unit "parsec" does not measure a duration, expected ns, us, ms or s',
    "p.yaml:6:40: hw.processor.cpuid.kind: expected one of published, literature, calibrated, assumed, found " +
    '"assumd"; did you mean assumed?',
    'p.yaml:7:32: hw.processor.c1_exit.unit: unit "MHz" does not measure a duration, expected ns, us, ms or s',
    "",
  ]]);
});

// ---- strict mode, and the order of slide 30 ----

Deno.test("strict: what slide 30 prints fails as on Linux: a colon in new_id EINVAL, a short address ENODEV", () => {
  const script = `echo 8086:10ed > ${DRIVERS}/pci-stub/new_id
echo 05:00.0 > ${DRIVERS}/ixgbevf/unbind
echo 05:00.0 > ${DRIVERS}/pci-stub/bind
`;
  assertEquals(run(script, { strict: true }), [
    1,
    "",
    "x.rtk: line 1: echo: write error: Invalid argument\n" +
    "x.rtk: line 2: echo: write error: No such device\n" +
    "x.rtk: line 3: echo: write error: No such device\n",
  ]);
  const exact = script.replace("8086:10ed", "8086 10ed").replaceAll("echo 05:", "echo 0000:05:");
  assertEquals(run(exact, { strict: true }), [0, "", ""]);
});

Deno.test("without strict the same lines work, and each says what Linux wants", () => {
  const script = `echo 8086:10ed > ${DRIVERS}/pci-stub/new_id\necho 05:00.0 > ${DRIVERS}/ixgbevf/unbind\n`;
  assertEquals(run(script), [
    0,
    "",
    "D1: Linux wants a blank, not a colon: echo 8086 10ed\nD2: Linux wants the full name: echo 0000:05:00.0\n",
  ]);
});

Deno.test("in the order unbind, new_id, bind the bind fails, though the device is bound: new_id has claimed it", () => {
  for (const strict of [true, false]) {
    const rig = new SessionRig({ strict });
    const address = "0000:05:00.0";
    rig.ok(`echo ${address} > ${DRIVERS}/ixgbevf/unbind\necho 8086 10ed > ${DRIVERS}/pci-stub/new_id`);
    const bind = rig.run(`echo ${address} > ${DRIVERS}/pci-stub/bind`);
    assertEquals([bind.status, bind.err], [1, "x.rtk: line 1: echo: write error: No such device\n"]);
    assertMatch(
      rig.ok(`readlink /sys/bus/pci/devices/${address}/driver`),
      /\/bus\/pci\/drivers\/pci-stub\n$/,
    );
  }
});

Deno.test("kvm: taking cpu3 offline breaks the affinity of the vCPU's thread, and the guest goes on elsewhere", () => {
  const rig = new SessionRig({ system: "kvm", strict: true });
  rig.ok(`${QEMU}\nssh vm0 true`);
  const [vcpu] = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus;
  const thread = vcpu!.thread!;
  assertEquals([thread.allowed, thread.cpu], [1 << 3, 3]);
  rig.ok(OFFLINE);
  assertEquals(rig.ok("cat /sys/devices/system/cpu/online"), "0-2\n");
  rig.ok("ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 500 -h 100");
  assertEquals(rig.histogram.count, 500);
  assertEquals(thread.allowed, 0b1111);
  assert(thread.cpu < 3);
  const log = rig.lab.host.dmesg.map(({ text }) => text);
  assert(log.includes(`process ${thread.pid} (qemu-kvm.patched) no longer affine to cpu3`), log.join("\n"));
});

Deno.test("kvm, slide mode: cpu3 stays online, because there would be nothing to compare; and it is said", () => {
  assertEquals(run(`${OFFLINE}\ncat /sys/devices/system/cpu/online`, { system: "kvm" }), [
    0,
    "0-3\n",
    "system kvm: cpu3 stays online, the vCPU's thread is pinned to it\n",
  ]);
});

// ---- cyclictest and boot ----

Deno.test("cyclictest: a value out of range is an error with the usage; an option that it does not have is none", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const cases: [options: string, says: string, status: number][] = [
    ["-n -l 10 -p 100", "note: -p 100: priorities go from 0 to 99", 1],
    ["-n -l 10 -h 0", "note: -h 0: a histogram has at least 1 us", 1],
    ["--foo", "cyclictest: unrecognized option '--foo'", 0],
    ["-n -l 10 -k", "cyclictest: invalid option -- 'k'", 0],
    ["-n -l", "cyclictest: option requires an argument -- 'l'", 0],
  ];
  for (const [options, says, status] of cases) {
    const ended = rig.run(`cyclictest ${options}`);
    assertEquals([options, ended.status, ended.err], [options, status, `${says}\n`]);
    assertMatch(ended.out, /^cyclictest V 0\.83\nUsage:\ncyclictest <options>\n\n-a \[NUM\] --affinity /);
  }
  assertEquals(rig.session.results, []);
});

Deno.test("boot of an unknown system: which one was meant; the machine stays", () => {
  const rig = new SessionRig();
  const { lab } = rig;
  assertEquals(rig.run("boot kvn"), {
    status: 2,
    out: "",
    err: 'x.rtk: line 1: boot: unknown system "kvn": did you mean kvm?\n',
  });
  assertStringIncludes(
    rig.run("boot jailhouse").err,
    "expected one of bare-metal, kvm, kvm-tuned, isolation, rfc-v1, delivery+eoi, delivery+timer, rfc-v2, talk",
  );
  assert(rig.lab === lab);
});
