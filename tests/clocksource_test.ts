/**
 * What a kernel reads the time from. Expected values: Linux `kernel/time/clocksource.c` (the highest rating is preferred: that
 * of kvm-clock is 400, the TSC's 300; a name that is not there is taken and changes nothing; names have 31 characters at most),
 * `arch/x86/kernel/kvmclock.c` (the vDSO reads it since 3.8, if KVM sets KVM_FEATURE_CLOCKSOURCE_STABLE_BIT).
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const FILES = "/sys/devices/system/clocksource/clocksource0";
const CURRENT = `${FILES}/current_clocksource`;
/** A guest's start in that era, up to its processor. */
const start = (era: string) =>
  `${era === "today" ? "qemu-system-x86_64" : "qemu-kvm.patched"} -m 1024 -enable-kvm -nographic -cpu`;
const START = start("2012");

Deno.test("a host has the TSC; a guest prefers kvm-clock where its processor shows it", () => {
  const rig = new SessionRig({ system: "kvm" });
  assertEquals(rig.ok(`cat ${FILES}/available_clocksource ${CURRENT}`), "tsc \ntsc\n");
  rig.ok(`${START} qemu64,+x2apic`);
  assertEquals(
    rig.ok(`ssh vm0 cat ${FILES}/available_clocksource ${CURRENT}`),
    "kvm-clock tsc \nkvm-clock\n",
  );
  rig.ok(`boot kvm; ${START} qemu64,+x2apic,-kvmclock`);
  assertEquals(rig.ok(`ssh vm0 cat ${FILES}/available_clocksource ${CURRENT}`), "tsc \ntsc\n");
});

Deno.test("another clock source is taken at once, and the log says so in the kernel's words", () => {
  for (
    const [era, said] of [
      ["2012", "Switching to clocksource tsc\n"],
      ["today", "clocksource: Switched to clocksource tsc\n"],
    ]
  ) {
    const rig = new SessionRig();
    rig.ok(`boot kvm --era ${era}; ${start(era!)} qemu64,+x2apic`);
    rig.ok(`ssh vm0 'echo tsc > ${CURRENT}'`);
    assertEquals(rig.ok(`ssh vm0 cat ${CURRENT}`), "tsc\n");
    assertEquals(rig.ok("ssh vm0 'dmesg -t | tail -n 1'"), said);
  }
});

Deno.test("a name that is not available changes nothing; one of 32 characters is refused", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok(`echo hpet > ${CURRENT}; cat ${CURRENT}`), "tsc\n");
  assertStringIncludes(rig.run(`printf %032d 0 > ${CURRENT}`).err, "Invalid argument");
});

Deno.test("kvm-clock is read by a system call before 3.8, then in user space if KVM calls it stable", () => {
  const cost = (kernel: string, era: string, features: string) => {
    const rig = new SessionRig();
    rig.ok(`boot kvm --era ${era} --kernel ${kernel}; ${start(era)} qemu64,+x2apic${features}`);
    return rig.lab.computer("vm0")!.kernel.clocksource.read.name;
  };
  assertEquals(cost("linux-3.4.0", "2012", ""), "clockReadKvmclock");
  assertEquals(cost("linux-3.4.0", "2012", ",-kvmclock"), "clockReadVdso");
  assertEquals(cost("linux-6.18.0", "today", ""), "clockReadVdso");
  assertEquals(cost("linux-6.18.0", "today", ",-kvmclock-stable-bit"), "clockReadKvmclock");
});
