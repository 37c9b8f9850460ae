/**
 * How the processors of a guest start, and how the 8259's interrupts come to it.
 *
 * Expected: Intel MultiProcessor specification, appendix B.4 (INIT, 10 ms, start-up messages); Intel SDM vol. 3A,
 * "Multiple-Processor (MP) Initialization" and "Delivery Mode" of LINT0 (ExtINT: the vector is the 8259's, and the local
 * APIC keeps nothing in service); Linux `arch/x86/kvm/irq.c`: `kvm_cpu_get_interrupt()`, the APIC first until 3.9.
 */
import { assert, assertEquals } from "@std/assert";
import { Apic } from "../hw/lapic.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import type { KernelCpu } from "../runtime/linux/kernel_cpu.ts";
import { KVM_VERSIONS, type KvmVersion } from "../runtime/kvm/versions.ts";
import { Rig, startQemu, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

const EXTINT = 0x700;

function started(options = "", version: KvmVersion = KVM_VERSIONS["3.5"]) {
  const rig = new Rig(STOCK, { offline: [], version });
  const { machine, guest } = startQemu(rig, `qemu-kvm -cpu qemu64,+x2apic -no-kvm-pit ${options}`);
  rig.until(() => guest!.startUp.isUp);
  rig.pass(20_000_000);
  return { rig, machine: machine!, guest: guest!, vm: rig.kvm.vms[0]! };
}

Deno.test("a processor other than the first waits for INIT, 10 ms, and a start-up message from it", () => {
  const rig = new Rig(STOCK, { offline: [] });
  const log = rig.engine.trace = new TraceLog();
  const { guest } = startQemu(rig, "qemu-kvm -smp 2 -cpu qemu64,+x2apic -no-kvm-pit");
  const { vcpus } = rig.kvm.vms[0]!;
  const other = vcpus[1]!;
  assertEquals([vcpus[0]!.events.state, other.events.state], ["runnable", "uninitialized"]);
  const states: string[] = ["uninitialized"];
  const sinceNs: number[] = [];
  rig.until(() => {
    if (other.events.state !== states.at(-1)) {
      states.push(other.events.state);
      sinceNs.push(rig.engine.nowNs);
    }
    return guest!.cpus[1]!.state === "online";
  });
  assertEquals(states, ["uninitialized", "init-received", "sipi-received", "runnable"]);
  const entries = log.records.filter(({ name, fields }) => name === "kvm_entry" && fields.vcpu === "vm0.1");
  assert(entries.length > 0 && entries[0]!.timeNs >= sinceNs[1]!, "it executes nothing before");
  assertEquals(other.events.codeSegment, 0x9900, "the trampoline's page");
});

Deno.test("on the 6.18 row INIT and start-up message wait until the vCPU's thread looks", () => {
  const { vm, guest } = started("-smp 3", KVM_VERSIONS["6.18"]);
  assertEquals(vm.vcpus.map(({ events }) => events.state), ["runnable", "runnable", "runnable"]);
  assertEquals(guest.cpus.map(({ state }) => state), ["online", "online", "online"]);
});

Deno.test("after system_reset the others wait again, and are started again", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("qemu-kvm -smp 2 -cpu qemu64,+x2apic -nographic; ssh vm0 true; monitor vm0 system_reset");
  const { vcpus } = rig.session.lab.guests.get("vm0")!.machine.file.vm;
  assertEquals(vcpus.map(({ events }) => events.state), ["runnable", "uninitialized"]);
  assertEquals(rig.ok("ssh vm0 nproc"), "2\n");
});

Deno.test("a slave CPU gets its vCPU when that has been started, not before", () => {
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok("for cpu in 2 3; do echo 0 > /sys/devices/system/cpu/cpu$cpu/online; done");
  rig.ok("qemu-kvm.patched -smp 2 -cpu qemu64,+x2apic -no-kvm-pit -nographic");
  const { vcpus } = rig.session.lab.guests.get("vm0")!.machine.file.vm;
  const [, other] = vcpus;
  for (let ms = 0; other!.slaveCpu < 0 && ms < 100; ms++) rig.ok("sleep 0.001");
  // By then the first processor may have sent the INIT; the start-up message follows 10 ms later.
  assertEquals([other!.slaveCpu, other!.events.state === "runnable", other!.totalExits], [2, false, 0]);
  assertEquals(rig.ok("ssh vm0 nproc"), "2\n");
  assert(other!.totalExits > 0);
});

/** LINT0 opened for the 8259, whose line 4 is unmasked. */
function openPic(vm: ReturnType<typeof started>["vm"], cpu: KernelCpu): void {
  vm.vcpus[0]!.lapic.write(Apic.LVT0, EXTINT, cpu);
  vm.chips!.pic.write(0x21, 0xff & ~(1 << 4), cpu);
}

/** A handler of the guest's at the vector of line 4, and of a vector of the APIC's. */
function record(guest: ReturnType<typeof started>["guest"]): number[] {
  const taken: number[] = [];
  for (const vector of [0x34, 0x41]) {
    guest.cpus[0]!.vectorIrq.set(vector, {
      irq: vector,
      name: "test",
      topHalf: { act: () => void taken.push(vector) },
      handler: function* () {},
    });
  }
  return taken;
}

Deno.test("an interrupt of the 8259 comes by LINT0 where that is ExtINT: its vector, and nothing in service", () => {
  const { rig, guest, vm } = started();
  const taken = record(guest);
  const pulse = (cpu: KernelCpu) => {
    for (const high of [true, false]) vm.chips!.routing.setLine(4, high, 0, false, cpu);
  };
  rig.type(pulse);
  rig.pass(1_000_000);
  assertEquals(taken, [], "LINT0 is masked, the 8259 too");
  rig.type((cpu) => {
    openPic(vm, cpu);
    vm.chips!.pic.core.acknowledge();
    pulse(cpu);
  });
  rig.pass(1_000_000);
  assertEquals([taken, vm.chips!.pic.core.output], [[0x34], false]);
  assertEquals(vm.vcpus[0]!.apic.inService, false);
});

for (const [row, order] of [["3.5", [0x41, 0x34]], ["6.18", [0x34, 0x41]]] as const) {
  Deno.test(`8259 and APIC both have an interrupt, ${row}: 0x${order[0].toString(16)} first`, () => {
    const { rig, guest, vm } = started("", KVM_VERSIONS[row]);
    const taken = record(guest);
    rig.type((cpu) => {
      openPic(vm, cpu);
      vm.chips!.routing.setLine(4, true, 0, false, cpu);
      vm.chips!.routing.signalMsi(0xfee0_0000, 0, 0x41, cpu);
    });
    rig.pass(1_000_000);
    assertEquals(taken, [...order]);
  });
}
