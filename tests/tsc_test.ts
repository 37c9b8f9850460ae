/**
 * The guest's time-stamp counter, and timers that are set by it.
 *
 * *Document*: Intel SDM vol. 3C, "Time-Stamp Counter Offset"; vol. 3A, "TSC-Deadline Mode"; vol. 3B, "IA32_TSC_ADJUST
 * Support"; Linux 3.5 `arch/x86/kvm/x86.c` (`kvm_write_tsc()`), Linux 3.8 `arch/x86/kernel/apic/apic.c`
 * (`lapic_next_deadline()`); slide 21 of the talk, and patch 20 of the series.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { endless, RDTSC } from "../hw/sim/activity.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { cpuidEntries } from "../runtime/kvm/cpuid.ts";
import { readMsr, writeMsr } from "../runtime/kvm/msrs.ts";
import { readUserMsr, writeUserMsr } from "../runtime/kvm/ioctl/user_msrs.ts";
import { setTscKhz } from "../runtime/kvm/tsc.ts";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import { nothingToExecute } from "../runtime/kvm/ioctl/vcpu_file.ts";
import { KVM_VERSIONS } from "../runtime/kvm/versions.ts";
import { COST } from "./cpu_rig.ts";
import { Rig, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";
import { BITMAPS, GUEST, HLT_EXITING, Vm } from "./vmx_rig.ts";

/** Primary control bit 3: use TSC offsetting. */
const TSC_OFFSETTING = 1 << 3;
const IA32_TSC = 0x10, IA32_TSC_ADJUST = 0x3b, IA32_TSC_DEADLINE = 0x6e0, LVTT = 0x832;

Deno.test("RDTSC in guest mode reads the processor's counter, plus the TSC offset where control bit 3 is set", () => {
  const found = [0, TSC_OFFSETTING].map((control) => {
    let value = NaN;
    const vm = new Vm(function* () {
      value = yield RDTSC;
      yield endless("guest", GUEST);
    }, {
      primary: HLT_EXITING | BITMAPS | control,
      before: ({ vmcs }) => vmcs.tscOffset = -40n,
    });
    vm.engine.runUntil(20_000);
    const { ticks, ns } = vm.cpu.apic.timer.tsc;
    return value - Math.floor(((COST.vmEntry + COST.rdtsc) * ticks) / ns);
  });
  assertEquals(found, [0, -40]);
});

/** A machine with vCPUs, made at different times, and what their counters read now. */
function machine(
  version: keyof typeof KVM_VERSIONS,
): { rig: Rig; vcpus: Vcpu[]; read: (at: number) => bigint } {
  const rig = new Rig(STOCK, { offline: [], version: KVM_VERSIONS[version] });
  const vm = rig.kvm.createVm();
  const vcpus = [0, 1].map(() => {
    rig.pass(1_000_000);
    const vcpu = vm.createVcpu(nothingToExecute());
    vcpu.setCpuid(cpuidEntries(["x2apic", "tsc_adjust"]));
    return vcpu;
  });
  return { rig, vcpus, read: (at) => readUserMsr(vcpus[at]!, IA32_TSC)! };
}

Deno.test("a machine's counters begin at 0 with its first vCPU, and are one; so are those written alike within a second", () => {
  const { rig, vcpus, read } = machine("3.5");
  const { ticks, ns } = rig.kvm.tscRatio;
  assertEquals([read(0), read(1)], [BigInt(1_000_000 * ticks / ns), BigInt(1_000_000 * ticks / ns)]);
  const cpu = rig.host.cpus[0]!;
  writeUserMsr(vcpus[0]!, IA32_TSC, 5_000_000_000_000n, cpu);
  rig.pass(900_000_000);
  writeUserMsr(vcpus[1]!, IA32_TSC, 5_000_000_000_000n, cpu);
  assertEquals(read(1), read(0), "900 ms later: the same counter is meant");
  writeUserMsr(vcpus[1]!, IA32_TSC, 0n, cpu);
  assertEquals(read(1), 0n);
});

Deno.test("IA32_TSC_ADJUST counts what the guest's own writes of IA32_TSC have moved, and moves it; 3.5 has none", () => {
  const { rig, vcpus: [vcpu], read } = machine("6.18");
  const cpu = rig.host.cpus[0]!;
  const before = read(0);
  const adjust = () => readMsr(vcpu!, IA32_TSC_ADJUST)?.low;
  assertEquals(adjust(), 0);
  assertEquals(writeMsr(vcpu!, IA32_TSC, { low: Number(before) + 700, high: 0 }, false, cpu), null);
  assertEquals([read(0) - before, adjust()], [700n, 700]);
  assertEquals(writeMsr(vcpu!, IA32_TSC_ADJUST, { low: 300, high: 0 }, false, cpu), null);
  assertEquals([read(0) - before, adjust()], [300n, 300]);
  const old = machine("3.5").vcpus[0]!;
  assertEquals(readMsr(old, IA32_TSC_ADJUST), undefined, "#GP");
});

Deno.test("KVM_SET_TSC_KHZ: 3.5 refuses where the processor cannot scale; 6.18 takes what is above the host's rate, not below", () => {
  const answers = (session: SessionRig) =>
    session.run(`kvm = open("/dev/kvm", O_RDWR);
      vm = ioctl(kvm, KVM_CREATE_VM, 0); vcpu0 = ioctl(vm, KVM_CREATE_VCPU, 0)
      ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL)
      ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_GET_TSC_KHZ)
      ioctl(vcpu0, KVM_GET_TSC_KHZ, 0)
      for khz in 0 3400000 3400850 3400851 6800000 3399150 3399149; do
        ioctl(vcpu0, KVM_SET_TSC_KHZ, $khz) 2> /dev/null && echo $khz taken
      done
      ioctl(vcpu0, KVM_GET_TSC_KHZ, 0)`).out.trimEnd().split("\n").slice(-14);
  const old = answers(new SessionRig({ system: "kvm" }));
  assert(!old.some((line) => line.endsWith("taken")), old.join("\n"));
  const today = new SessionRig({ system: "kvm" });
  today.ok("set -o era=today");
  assertEquals(
    answers(today).filter((line) => line.endsWith("taken")).map((line) => Number(line.split(" ")[0])),
    [0, 3_400_000, 3_400_850, 3_400_851, 6_800_000, 3_399_150],
  );
  assertEquals(
    today.ok("dmesg | tail -1").replace(/^.*?\] /, ""),
    "kvm: user requested TSC rate below hardware speed\n",
  );
});

Deno.test("a rate above the host's: at each entry the counter has caught up, in between it counts as the processor's", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`set -o era=today
    qemu-system-x86_64 -m 1024 -cpu qemu64,+x2apic -enable-kvm -nographic; ssh vm0 true
    ssh vm0 'while :; do :; done' & run 5ms`);
  const { engine, guests, kvm: { tscRatio: { ticks, ns } } } = rig.lab;
  const vcpu = guests.get("vm0")!.machine.file.vm.vcpus[0]!;
  const counter = () => Number(readUserMsr(vcpu, IA32_TSC)!);
  const beganNs = engine.nowNs - (counter() * ns) / ticks;
  assert(setTscKhz(vcpu, (2 * 1_000_000 * ticks) / ns));
  const log = engine.trace = new TraceLog();
  rig.ok("run 20ms");
  engine.trace = null;
  const entries = log.records.filter(({ name }) => name === "kvm_entry").map(({ timeNs }) => timeNs);
  assert(entries.length > 2, "the guest's tick");
  // What is looked at before an entry is looked at as long before it as handling a virtual interrupt takes.
  const lookedNs = beganNs + ((counter() * ns) / ticks - (engine.nowNs - beganNs));
  const before = entries.at(-1)! - lookedNs;
  assert(before > -1 && before < 5_000, `${before} ns before the entry`);
});

/** A guest of `kernel` whose CPUID shows the TSC deadline, on `system`; its vCPU. */
function guest(system: string, kernel: string): { rig: SessionRig; vcpu: Vcpu } {
  const rig = new SessionRig({ system, kernel });
  rig.ok("features=qemu64,+x2apic,+tsc-deadline; . ./busy_guest.rtk");
  return { rig, vcpu: rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]! };
}

/** What of a trace are writes of IA32_TSC_DEADLINE: by the guest, as KVM sees them, and on the processor. */
function deadlines(rig: SessionRig, command: string) {
  const log = rig.lab.engine.trace = new TraceLog();
  rig.ok(command);
  rig.lab.engine.trace = null;
  const asked = log.records.filter(({ name, fields }) =>
    name === "kvm_msr" && fields.index === IA32_TSC_DEADLINE
  )
    .map(({ fields, timeNs }) => ({ value: Number(fields.data), timeNs }));
  const written = log.records.filter(({ kind, name, fields }) =>
    kind === "instruction" && name === "wrmsr" && fields.address === IA32_TSC_DEADLINE
  ).map(({ fields, timeNs }) => ({ value: Number(fields.value), timeNs }));
  return { log, asked, written };
}

Deno.test("on a slave CPU each deadline exits and is written into the processor's register as one of its own counter", () => {
  const { rig, vcpu } = guest("talk", "linux-3.8.0");
  const { asked, written, log } = deadlines(rig, "ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 20");
  assert(asked.length > 20, `${asked.length} deadlines`);
  assertEquals(asked.length, written.length);
  for (const [i, { value }] of written.entries()) {
    assertEquals(value - asked[i]!.value, -Number(vcpu.vmcs.tscOffset));
  }
  assert(vcpu.vmcs.tscOffset < 0n, "the guest was made after the host");
  const fired = log.records.filter(({ where, kind, fields }) =>
    where === "lapic3" && kind === "request" && fields.by === "timer"
  );
  assert(fired.length >= 20);
  const { ticks, ns } = rig.lab.kvm.tscRatio;
  for (const { timeNs } of fired) {
    const due = written.findLast((write) => write.timeNs <= timeNs);
    if (due !== undefined) assertEquals(timeNs, Math.ceil((due.value * ns) / ticks), "to the ns");
  }
  assertEquals(vcpu.apic.register(0x320), (2 << 17) | 0xef, "LVT timer entry: TSC deadline, vector 0xef");
});

Deno.test("on stock KVM the deadline is an hrtimer of the host, converted by the guest's counter: no sample is early", () => {
  const { rig, vcpu } = guest("kvm", "linux-3.8.0");
  const { asked, written } = deadlines(rig, "ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 20");
  assert(asked.length > 20);
  assertEquals(written, [], "the processor's register is the host's, which counts");
  const { ticks, ns } = rig.lab.kvm.tscRatio;
  const last = asked.at(-1)!;
  const inNs = ((last.value - Number(vcpu.vmcs.tscOffset)) * ns) / ticks - last.timeNs;
  assert(inNs > 0 && inNs < 5_000_000, `due in ${inNs} ns`);
});

Deno.test("where CPUID shows no TSC deadline, and with a kernel before 3.8, the timer is set by counts", () => {
  for (
    const [kernel, cpu] of [["linux-3.8.0", "qemu64,+x2apic"], [
      "linux-3.4.0",
      "qemu64,+x2apic,+tsc-deadline",
    ]]
  ) {
    const rig = new SessionRig({ system: "talk", kernel: kernel! });
    rig.ok(`features=${cpu}; . ./busy_guest.rtk`);
    const vcpu = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!;
    assertEquals(vcpu.apic.register(0x320), 0xef);
    const { asked } = deadlines(rig, "ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 5");
    assertEquals(asked, []);
  }
});

Deno.test("a guest reads its own counter, and LVTT, through exits; the host's rdmsr reads the processor's", () => {
  const { rig } = guest("talk", "linux-3.8.0");
  const out = rig.ok(`ssh vm0 rdmsr -d ${IA32_TSC}; rdmsr -d ${IA32_TSC}; ssh vm0 rdmsr -c ${LVTT}`);
  const [own, host, lvtt] = out.trim().split("\n");
  assert(Number(own) < Number(host));
  assertEquals(lvtt, "0x400ef");
});
