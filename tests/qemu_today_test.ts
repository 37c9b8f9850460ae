/**
 * QEMU in a laboratory of today: which programs there are, and what their options come to on the host and in the guest.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ExitReason } from "../hw/vmx.ts";
import { SessionRig } from "./session_rig.ts";

const QEMU = "qemu-system-x86_64 -accel kvm -name guest=vm0,debug-threads=on";

function today(): SessionRig {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("boot kvm --era today");
  return rig;
}

Deno.test("the fork's and the patched program are of 2012; today has QEMU's own name, and RHEL's", () => {
  const known = (rig: SessionRig) =>
    ["qemu-kvm", "qemu-kvm.patched", "qemu-system-x86_64"].filter((name) =>
      rig.run(`type ${name}`).status === 0
    );
  assertEquals(known(new SessionRig({ system: "kvm" })), [
    "qemu-kvm",
    "qemu-kvm.patched",
    "qemu-system-x86_64",
  ]);
  assertEquals(known(today()), ["qemu-kvm", "qemu-system-x86_64"]);
});

Deno.test("a pseudo-terminal is told of on standard output, with its label", () => {
  assertEquals(today().run(`${QEMU} -nographic -serial pty`), {
    status: 0,
    out: "char device redirected to /dev/pts/0 (label serial0)\n",
    err: "",
  });
});

Deno.test("-mem-path makes the file that is not there, and takes a directory as it is", () => {
  const rig = today();
  rig.ok(`${QEMU} -mem-path /tmp/ram; test -f /tmp/ram; monitor vm0 quit; sleep 1`);
  rig.ok(`mkdir /tmp/huge; ${QEMU} -mem-path /tmp/huge`);
  assertEquals(
    rig.run(`${QEMU} -mem-path /nosuch/ram`).err,
    [
      "qemu-system-x86_64: can't open backing store /nosuch/ram for guest RAM: No such file or directory\n",
    ].join(""),
  );
});

Deno.test("more memory than the host has cannot be set up", () => {
  const { status, err } = today().run(`${QEMU} -m 17G`);
  assertEquals([status, err], [
    1,
    "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory\n",
  ]);
});

Deno.test("KVM gives every model x2APIC, unless it is taken away; -cpu host shows the host's processor", () => {
  const model = (options: string) => {
    const rig = today();
    rig.ok(`${QEMU} ${options}`);
    const flags = rig.ok("ssh vm0 grep -m1 flags /proc/cpuinfo").trim().split(/\s+/);
    return [
      rig.ok("ssh vm0 \"grep -m1 'model name' /proc/cpuinfo\"").split(": ")[1]!.trim(),
      flags.includes("x2apic"),
      flags.includes("hypervisor"),
      rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!.apic.x2apic,
    ];
  };
  assertEquals(model(""), ["QEMU Virtual CPU version 2.5+", true, true, true]);
  assertEquals(model("-cpu qemu64,-x2apic"), ["QEMU Virtual CPU version 2.5+", false, true, false]);
  assertEquals(model("-cpu host"), ["Intel(R) Core(TM) i7-3770 CPU @ 3.40GHz", true, true, true]);
});

Deno.test("tsc-frequency: a processor that cannot scale takes what NTP would correct, and nothing else; 1.1 does not ask", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("set -o era=today");
  const start = (hz: string) =>
    rig.run(`qemu-system-x86_64 -enable-kvm -nographic -S -cpu qemu64,tsc-frequency=${hz}`);
  assertEquals(start("2000000000"), {
    status: 1,
    out: "",
    err:
      "qemu-system-x86_64: warning: TSC frequency mismatch between VM (2000000 kHz) and host (3400000 kHz), and TSC " +
      "scaling unavailable\nqemu-system-x86_64: kvm_init_vcpu: kvm_arch_init_vcpu failed (0): Operation not supported\n",
  });
  assertEquals(rig.run("pidof qemu-system-x86_64").status, 1);
  assertEquals(start("3400500000").err, "");
  assertEquals(rig.ok("khz = ioctl(vcpu[0], KVM_GET_TSC_KHZ, 0); echo $khz"), "3400500\n");
  assertEquals(
    start("fast").err,
    "qemu-system-x86_64: Invalid parameter type for 'tsc-frequency', expected: int64\n",
  );
  const old = new SessionRig({ system: "kvm" });
  old.ok("qemu-kvm -enable-kvm -no-kvm-pit -nographic -S -cpu qemu64,tsc_freq=2000000000");
  assertEquals(old.ok("khz = ioctl(vcpu[0], KVM_GET_TSC_KHZ, 0); echo $khz"), "3400000\n");
});

Deno.test("debug-threads=on names the vCPUs' threads; -overcommit mem-lock=on locks the guest's memory", () => {
  const rig = today();
  rig.ok(`${QEMU} -smp 2 -overcommit mem-lock=on`);
  const { machine } = rig.lab.guests.get("vm0")!;
  assertEquals(machine.threads.map(({ task }) => task!.name), ["CPU 0/KVM", "CPU 1/KVM"]);
  assert(machine.options.memoryLocked);
  assertStringIncludes(rig.ok("ps -eLo tid,comm"), "CPU 1/KVM");
});

Deno.test("in the split form there is no PIT in the kernel, and its ticks disturb nobody", () => {
  const rig = today();
  rig.ok(`${QEMU} -machine pc,kernel-irqchip=split; ssh vm0 true`);
  assertEquals(rig.lab.guests.get("vm0")!.machine.file.vm.pit, null);
  rig.ok("monitor vm0 quit; sleep 1");
  rig.ok(`${QEMU}; ssh vm0 true`);
  assert(rig.lab.guests.get("vm0")!.machine.file.vm.pit !== null);
});

Deno.test("-overcommit cpu-pm=on: HLT does not exit, and timers and commands still reach the guest", () => {
  const halts = (options: string) => {
    const rig = today();
    rig.ok(`${QEMU} ${options}; ssh vm0 true`);
    const [vcpu] = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus;
    const before = vcpu!.exits[ExitReason.Hlt]!;
    assertEquals(rig.ok("ssh vm0 'sleep 1; echo awake'"), "awake\n");
    return vcpu!.exits[ExitReason.Hlt]! - before;
  };
  assert(halts("") > 0);
  assertEquals(halts("-overcommit cpu-pm=on"), 0);
});
