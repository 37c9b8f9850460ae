/**
 * One timer period of a busy guest, and one interrupt of an assigned device: what the tests of the talk's figures count
 * exits in.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { work } from "../hw/sim/activity.ts";
import { Engine } from "../hw/sim/engine.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { Machine } from "../hw/machine.ts";
import type { AssignedDevice } from "../runtime/kvm/assignment/assigned_device.ts";
import { cpuidEntries } from "../runtime/kvm/cpuid.ts";
import { kvmCosts } from "../runtime/kvm/costs.ts";
import type { DirectCapabilities } from "../runtime/kvm/direct.ts";
import { Kvm } from "../runtime/kvm/kvm.ts";
import type { Protocol } from "../runtime/kvm/protocol.ts";
import { kvmRun, setSlaveCpu } from "../runtime/kvm/slave_cpu.ts";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import type { QemuMachine } from "../runtime/qemu/machine.ts";
import { HrTimer } from "../runtime/linux/hrtimer.ts";
import { Kernel } from "../runtime/linux/kernel.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { kernelCosts, type KernelRelease } from "../runtime/linux/release.ts";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { flat, FLAT_MACHINE } from "./flat_costs.ts";
import { Rig, startQemu } from "./kvm_rig.ts";

const KERNEL_COSTS = flat(kernelCosts, 200);
const KVM_COSTS = flat(kvmCosts, 300);
const RELEASE: KernelRelease = { release: "3.4.0", hz: 100, noHz: true, realTime: false, clocksource: "tsc" };

/** One timer, armed by a guest that goes on running, up to 100 µs after it has fired. */
export function timerPeriod(capabilities: DirectCapabilities): { vcpu: Vcpu; log: TraceLog; exits: number } {
  const engine = new Engine(1);
  const machine = new Machine(engine, FLAT_MACHINE);
  const host = new Kernel(engine, {
    name: "host",
    release: RELEASE,
    costs: KERNEL_COSTS,
    cpus: 4,
    kernelLayer: Layers.HostKernel,
    taskLayer: Layers.HostTask,
    consoleIrq: { irq: 1, name: "i8042" },
  });
  const kvm = new Kvm(host, machine, KVM_COSTS, capabilities);
  machine.cpus[0]!.start(host.cpus[0]!.prepareStart());
  if (!capabilities.slaveCpu) machine.cpus[3]!.start(host.cpus[3]!.prepareStart());
  engine.runUntil(50_000_000);

  const guest = new Kernel(engine, {
    name: "vm0",
    release: RELEASE,
    costs: KERNEL_COSTS,
    cpus: 1,
    kernelLayer: Layers.GuestKernel,
    taskLayer: Layers.GuestTask,
    consoleIrq: { irq: 11, name: "eth0" },
  });
  const cpu = guest.cpus[0]!;
  const vcpu = kvm.createVm("vm0").createVcpu(cpu.prepareStart());
  vcpu.setCpuid(cpuidEntries(["x2apic"]));
  vcpu.startGuestApic();
  const log = new TraceLog();
  let exits = 0;
  const runs = work("guest runs", Layers.GuestTask, 10_000);
  const runsLong = work("guest runs", Layers.GuestTask, 250_000);
  const timer = new HrTimer("one shot", work("timer handler", Layers.GuestKernel, 500), () => {});
  const busy = guest.createTask("busy", 1, function* () {
    cpu.hrtimers.cancel(cpu.tick); // the figure has one timer and no other
    yield work("settle", Layers.GuestTask, 20_000_000);
    const before = vcpu.totalExits;
    engine.trace = log;
    yield runs;
    cpu.hrtimers.start(timer, engine.nowNs + 100_000);
    yield cpu.programTimer();
    yield runsLong;
    engine.trace = null;
    exits = vcpu.totalExits - before;
    yield guest.endlessLoop;
    return 0;
  });
  guest.wake(busy, cpu);
  const home = host.cpus[capabilities.slaveCpu ? 0 : 3]!;
  const thread = host.createTask("CPU 0/KVM", 1 << home.id, function* (task) {
    vcpu.thread = task;
    if (capabilities.slaveCpu) assertEquals(yield* setSlaveCpu(vcpu, 3, home), 0);
    yield* kvmRun(vcpu);
    return 0;
  });
  host.wake(thread, home);
  machine.messageSignalled(home.id, Vector.Reschedule);
  engine.runUntil(200_000_000);
  return { vcpu, log, exits };
}

const COMMAND = "qemu-kvm.patched -cpu qemu64,+x2apic -no-kvm-pit -device pci-assign,host=05:00.0";

/** A guest that runs and has loaded ixgbevf for the assigned virtual function. */
export function runningWithDevice(
  capabilities: DirectCapabilities,
  protocol: Partial<Protocol> = {},
): { rig: Rig; machine: QemuMachine; vcpu: Vcpu; device: AssignedDevice; irqs: () => number } {
  const rig = new Rig(capabilities, { offline: capabilities.slaveCpu ? [3] : [], protocol });
  const { status, guest, machine } = startQemu(rig, COMMAND);
  assertEquals(status, 0);
  rig.pass(100_000_000);
  const vm = rig.kvm.vms[0]!;
  const device = vm.assigned[0]!;
  assert(device.irqsAssigned, "the guest's driver has switched MSI-X on");
  if (!capabilities.slaveCpu) {
    for (const { irq } of device.interrupts()) assertEquals(rig.irqs.setAffinity(irq, 1 << 3), undefined);
  }
  const irq = rig.irqsOf(guest!).list().find(({ name }) => name === "eth0-TxRx-0")!;
  return {
    rig,
    machine: machine!,
    vcpu: vm.vcpus[0]!,
    device,
    irqs: () => guest!.interruptCounts(irq.irq)[0]!,
  };
}

/** One interrupt of queue 0: what happens, and the exits. */
export function oneInterrupt(capabilities: DirectCapabilities) {
  const { rig, vcpu, device, irqs } = runningWithDevice(capabilities);
  const before = vcpu.totalExits;
  const boxes = rig.boxes(200_000, () => assert(device.raise(0)));
  return { boxes, exits: vcpu.totalExits - before, taken: irqs(), device, rig, vcpu };
}
