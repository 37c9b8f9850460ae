/**
 * The four MSR bitmaps: in and out of direct mode, for guests in long mode and for others.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/vmx.c` (`hardware_setup()`: `vmx_disable_intercept_for_msr()`, `setup_msrs()`); patches 19
 * and 20 of the series; Intel SDM vol. 3C, "MSR-Bitmap Address".
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { MsrBitmap } from "../hw/vmx.ts";
import { SessionRig } from "./session_rig.ts";

const SYSENTER = [0x174, 0x175, 0x176], X2APIC = [0x80b, 0x838, 0x839];
const FS_BASE = 0xc000_0100, GS_BASE = 0xc000_0101, KERNEL_GS_BASE = 0xc000_0102;
const MSR_READ = 31, MSR_WRITE = 32;

function opened(rig: SessionRig): number[] {
  return rig.lab.kvm.vms[0]!.vcpus[0]!.vmcs.msrBitmap.opened().map(({ msr }) => msr);
}

Deno.test("a bitmap has bits for two ranges of 8,192 MSRs; what has none exits", () => {
  const bitmap = new MsrBitmap("test").open(0x1fff, "r").open(0xc000_0000, "w").open(0xc000_1fff, "rw");
  assertEquals(bitmap.opened(), [
    { msr: 0x1fff, access: "r" },
    { msr: 0xc000_0000, access: "w" },
    { msr: 0xc000_1fff, access: "rw" },
  ]);
  for (const msr of [0x2000, 0x4b56_4d00, 0xbfff_ffff, 0xc000_2000]) {
    assertEquals(bitmap.intercepts(msr, false), true, msr.toString(16));
    assertThrows(() => bitmap.open(msr, "r"), RangeError);
  }
});

Deno.test("which bitmap: KERNEL_GS_BASE is open in long mode only, EOI and timer in direct mode only", () => {
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok(`kvm = open("/dev/kvm", O_RDWR); vm = ioctl(kvm, KVM_CREATE_VM, 0)
    ioctl(vm, KVM_CREATE_IRQCHIP, 0); vcpu0 = ioctl(vm, KVM_CREATE_VCPU, 0)`);
  const longMode = (on: boolean) =>
    rig.ok(
      `ioctl(vcpu0, KVM_SET_MSRS, { .nmsrs = 1, .entries = { { 0xc0000080, 0, ${on ? "0xd01" : "0"} } } })`,
    );
  const normal = [...SYSENTER, FS_BASE, GS_BASE], slave = [...SYSENTER, ...X2APIC, FS_BASE, GS_BASE];
  assertEquals(opened(rig), normal);
  longMode(true);
  assertEquals(opened(rig), [...normal, KERNEL_GS_BASE]);
  rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online; ioctl(vcpu0, KVM_SET_SLAVE_CPU, 3)");
  assertEquals(opened(rig), [...slave, KERNEL_GS_BASE]);
  longMode(false);
  assertEquals(opened(rig), slave);
  rig.ok("ioctl(vcpu0, KVM_SET_SLAVE_CPU, -1)");
  assertEquals(opened(rig), normal);
});

Deno.test("a guest reads and writes what is open without an exit, its own; a value that is not canonical faults", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("qemu-kvm -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic; ssh vm0 true");
  assertEquals(opened(rig).at(-1), KERNEL_GS_BASE, "Linux runs in long mode");
  const { exits } = rig.lab.kvm.vms[0]!.vcpus[0]!;
  rig.ok("wrmsr 0xc0000102 0x1000");
  const before = [exits[MSR_READ], exits[MSR_WRITE]];
  const out = rig.ok(
    `ssh vm0 'wrmsr 0xc0000102 0x7fff00000000; rdmsr 0xc0000102; rdmsr 0x174'; rdmsr 0xc0000102`,
  );
  assertEquals(out, "7fff00000000\n0\n1000\n");
  assertEquals(exits[MSR_READ], before[0]);
  assertEquals(rig.run("ssh vm0 wrmsr 0xc0000100 0x800000000000").status, 4);
});
