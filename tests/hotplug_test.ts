/**
 * CPU hotplug: what moves, what stays, what is refused.
 *
 * Expected values: log lines and errors of Linux 3.5, Documentation/cpu-hotplug.txt, the patches' hand-over of an
 * offline CPU to KVM.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { work } from "../hw/sim/activity.ts";
import { cpuidEntries } from "../runtime/kvm/cpuid.ts";
import { kvmCosts } from "../runtime/kvm/costs.ts";
import type { DirectCapabilities } from "../runtime/kvm/direct.ts";
import { Kvm } from "../runtime/kvm/kvm.ts";
import { setSlaveCpu } from "../runtime/kvm/slave_cpu.ts";
import { Errno } from "../runtime/linux/errno.ts";
import { PCI_MSI_EDGE } from "../runtime/linux/irq/irq.ts";
import { Kernel } from "../runtime/linux/kernel.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { flat } from "./flat_costs.ts";
import { HostRig } from "./host_rig.ts";
import { kernelCosts } from "../runtime/linux/release.ts";

const CPU3 = "/sys/devices/system/cpu/cpu3/online";
const RFC_V2: DirectCapabilities = {
  slaveCpu: true,
  delivery: true,
  eoi: true,
  timer: true,
  divideConfiguration: false,
  enableAt: "each",
  disableAt: "any",
  leadsTo: "any",
  smp: true,
};

function dmesg(rig: HostRig): string[] {
  return rig.host.dmesg.map(({ text }) => text);
}

/** A task that sleeps 100 µs again and again; `wakeUps` counts. */
function sleeper(rig: HostRig, allowed: number): { wakeUps: number; pid: number } {
  const { host } = rig;
  const state = { wakeUps: 0, pid: 0 };
  const task = rig.start("sleeper", allowed, function* (task) {
    const timer = host.sleepTimer(task);
    for (;;) {
      yield* host.sleepUntil(task, timer, host.nowNs + 100_000);
      state.wakeUps++;
    }
  });
  state.pid = task.pid;
  return state;
}

Deno.test("offline: the CPU leaves the online mask, halts with interrupts off, and the log says so", () => {
  const rig = new HostRig();
  assertEquals(rig.write(CPU3, "0\n"), undefined);
  assertEquals(rig.host.onlineMask, 0b0111);
  const dead = rig.machine.cpus[3]!;
  assert(dead.registers.halted && !dead.registers.interruptFlag);
  assertEquals(dead.apic.timer.expiresNs, Infinity);
  assertEquals(dmesg(rig), ["smpboot: CPU 3 is now offline"]);
});

Deno.test("online again: INIT and SIPI start it, its threads are bound to it again, and the log says so", () => {
  const rig = new HostRig();
  rig.write(CPU3, "0\n");
  assertEquals(rig.write(CPU3, "1\n"), undefined);
  assertEquals(rig.host.onlineMask, 0b1111);
  assertEquals(dmesg(rig).at(-1), "smpboot: Booting Node 0 Processor 3 APIC 0x3");
  assertEquals(rig.hotplug.lastReport!.threads, ["migration/3", "kworker/3:0", "ksoftirqd/3", "watchdog/3"]);
  const ran = rig.do(function* (task) {
    yield work("x", Layers.HostTask, 1000);
    return task.cpu;
  }, 0b1000);
  assertEquals(ran, 3);
});

Deno.test("a write: 0 or 1 in the first character decides, anything else is EINVAL, an empty one does nothing", () => {
  const rig = new HostRig();
  for (const text of ["2\n", "x\n", "\n", "on\n"]) assertEquals(rig.write(CPU3, text), "EINVAL");
  assertEquals(rig.write(CPU3, ""), undefined);
  assertEquals(rig.write(CPU3, "1\n"), undefined, "is online already: no effect");
  assertEquals(rig.host.onlineMask, 0b1111);
  assertEquals(rig.write(CPU3, "0 please\n"), undefined);
  assertEquals(rig.write(CPU3, "0\n"), undefined, "is offline already: no effect");
  assertEquals(dmesg(rig), ["smpboot: CPU 3 is now offline"]);
});

Deno.test("CPU 0 has no online file, and hotplug refuses it with EBUSY", () => {
  const rig = new HostRig();
  assertEquals(rig.write("/sys/devices/system/cpu/cpu0/online", "0\n"), "EACCES", "sysfs lets nobody create");
  const refused = rig.do((task) => rig.hotplug.cpuDown(0, task));
  assertEquals(refused instanceof Errno && refused.name, "EBUSY");
  const unknown = rig.do((task) => rig.hotplug.cpuDown(7, task));
  assertEquals(unknown instanceof Errno && unknown.name, "EINVAL");
});

Deno.test("a slave shows as offline; onlining it is EINVAL, offlining it changes nothing", () => {
  const rig = new HostRig();
  rig.write(CPU3, "0\n");
  rig.host.cpus[3]!.state = "slave";
  assertEquals(rig.read(CPU3), "0\n");
  assertEquals(rig.read("/sys/devices/system/cpu/offline"), "3\n");
  assertEquals(rig.write(CPU3, "1\n"), "EINVAL");
  assertEquals(rig.write(CPU3, "0\n"), undefined);
  assertEquals(rig.host.cpus[3]!.state, "slave");
});

Deno.test("the report names the kernel threads and interrupts that have left", () => {
  const rig = new HostRig();
  for (const name of ["eth0-rx-0", "eth0-tx-0"]) {
    const descriptor = rig.irqs.request({ name, chip: PCI_MSI_EDGE });
    if (descriptor instanceof Errno) throw new Error(String(descriptor));
    rig.irqs.setAffinity(descriptor.irq, 0b1000);
  }
  sleeper(rig, 0b1000);
  rig.run(1_000_000);
  rig.write(CPU3, "0\n");
  assertEquals(rig.hotplug.lastReport, {
    cpu: 3,
    online: false,
    threads: ["migration/3", "kworker/3:0", "ksoftirqd/3", "watchdog/3"],
    tasks: ["sleeper"],
    irqs: [40, 41],
  });
  assert(dmesg(rig).includes("Broke affinity for irq 40"));
  assertEquals(rig.irqs.get(40)!.affinity, 0b1111);
  assert(rig.irqs.get(40)!.cpu < 3);
});

Deno.test("a task bound to the CPU goes on elsewhere, its affinity broken, with a line in the log", () => {
  const rig = new HostRig();
  const bound = sleeper(rig, 0b1000);
  const hog = rig.start("hog", 0b1000, function* () {
    yield rig.host.endlessLoop;
    return 0;
  });
  rig.run(20_000_000);
  rig.write(CPU3, "0\n");
  const before = bound.wakeUps;
  rig.run(20_000_000);
  assert(bound.wakeUps > before + 50);
  assertEquals(rig.host.tasks.get(bound.pid)!.allowed, 0b1111);
  assert(hog.cpu < 3 && hog.runnable);
  const lines = dmesg(rig);
  assert(lines.includes(`process ${bound.pid} (sleeper) no longer affine to cpu3`));
  assert(lines.includes(`process ${hog.pid} (hog) no longer affine to cpu3`));
});

Deno.test("nothing preempts the stopper: a SCHED_FIFO 99 loop cannot hold its CPU online", () => {
  const rig = new HostRig();
  const hog = rig.host.createTask("hog", 0b1000, function* () {
    yield rig.host.endlessLoop;
    return 0;
  });
  hog.policy = "SCHED_FIFO";
  hog.rtPriority = 99;
  hog.allowed = 0b1100; // where it may go on: not where the writer waits
  rig.host.wake(hog, rig.host.cpus[3]!);
  rig.machine.messageSignalled(3, 0xfd);
  rig.run(20_000_000);
  assertEquals(rig.write(CPU3, "0\n"), undefined);
  assertEquals([hog.cpu, hog.runnable], [2, true]);
});

Deno.test("a task may take its own CPU offline", () => {
  const rig = new HostRig();
  assertEquals(rig.write(CPU3, "0\n", 0b1000), undefined);
  assertEquals(rig.host.onlineMask, 0b0111);
});

Deno.test("a message on its way to the dying CPU is sent on, not lost", () => {
  const rig = new HostRig();
  let vector = 0, sent = 0;
  const descriptor = rig.irqs.request({
    name: "eth0",
    chip: PCI_MSI_EDGE,
    program: ({ data }) => {
      // The device has just sent a message of the old form to the dying CPU, whose interrupts are off by now.
      if (rig.host.cpus[3]!.state === "offline") {
        rig.machine.messageSignalled(3, vector);
        sent++;
      }
      vector = data & 0xff;
    },
  });
  if (descriptor instanceof Errno) throw new Error(String(descriptor));
  rig.irqs.setAffinity(descriptor.irq, 0b1000);
  rig.write(CPU3, "0\n");
  rig.run(1_000_000);
  assertEquals(sent, 1);
  const counts = Array.from(rig.host.interruptCounts(descriptor.irq));
  assertEquals(counts[descriptor.cpu], 1);
  assertEquals(counts[3], 0);
  assertEquals([rig.host.spuriousVectors, rig.machine.droppedMessages], [0, 0]);
});

Deno.test("two tasks that change CPUs at the same time take turns", () => {
  const rig = new HostRig();
  const results: unknown[] = [];
  for (const id of [2, 3]) {
    rig.start(`hotplug${id}`, 0b0001, function* (task) {
      for (let i = 0; i < 3; i++) {
        results.push(yield* rig.hotplug.cpuDown(id, task));
        results.push(yield* rig.hotplug.cpuUp(id, task));
      }
      return 0;
    });
  }
  rig.run(1_000_000_000);
  assertEquals(results.length, 12);
  assertEquals(results.filter((result) => result instanceof Errno), []);
  assertEquals(rig.host.onlineMask, 0b1111);
});

/** cpu3: online, offline, a slave of a vCPU, offline, online; with sleepers, a hog and a device at work. */
function wholeLife(): { rig: HostRig; wakeUps: number[]; sent: number; irq: number; mask: number } {
  const rig = new HostRig();
  const kvm = new Kvm(rig.host, rig.machine, flat(kvmCosts, 300), RFC_V2);
  const guest = new Kernel(rig.engine, {
    name: "vm0",
    release: rig.host.release,
    costs: flat(kernelCosts, 200),
    cpus: 1,
    kernelLayer: Layers.GuestKernel,
    taskLayer: Layers.GuestTask,
    consoleIrq: { irq: 11, name: "eth0" },
  });
  const vcpu = kvm.createVm("vm0").createVcpu(guest.cpus[0]!.prepareStart());
  vcpu.setCpuid(cpuidEntries(["x2apic"]));
  vcpu.startGuestApic();
  const sleepers = [0b0001, 0b1000, 0b1000, 0b1111, 0b1010].map((allowed) => sleeper(rig, allowed));
  const descriptor = rig.irqs.request({ name: "eth0", chip: PCI_MSI_EDGE });
  if (descriptor instanceof Errno) throw new Error(String(descriptor));
  rig.irqs.setAffinity(descriptor.irq, 0b1100);
  rig.irqs.setAffinity(descriptor.irq, 0b1000);
  let sent = 0;
  const device = rig.engine.alarm("device", () => {
    sent++;
    rig.machine.messageSignalled(descriptor.cpu, descriptor.vector);
    device.at(rig.engine.nowNs + 77_000);
  });
  device.at(rig.engine.nowNs + 1);
  rig.run(30_000_000);
  const steps = [
    () => assertEquals(rig.write(CPU3, "0\n"), undefined),
    () => assertEquals(rig.do((task) => setSlaveCpu(vcpu, 3, rig.host.cpus[task.cpu]!)), 0),
    () => assertEquals(rig.do((task) => setSlaveCpu(vcpu, -1, rig.host.cpus[task.cpu]!)), 0),
    () => assertEquals(rig.write(CPU3, "1\n"), undefined),
  ];
  for (const step of steps) {
    step();
    rig.run(30_000_000);
  }
  device.cancel();
  const before = sleepers.map(({ wakeUps }) => wakeUps);
  rig.run(30_000_000);
  const wakeUps = sleepers.map((sleeper, i) => sleeper.wakeUps - before[i]!);
  return { rig, wakeUps, sent, irq: descriptor.irq, mask: rig.host.onlineMask };
}

Deno.test("offline, slave, offline, online: no task, timer or interrupt is lost", () => {
  const { rig, wakeUps, sent, irq, mask } = wholeLife();
  assertEquals(mask, 0b1111);
  for (const count of wakeUps) assert(count > 200, `a sleeper woke ${count} times in 30 ms`);
  assertEquals(Array.from(rig.host.interruptCounts(irq)).reduce((a, b) => a + b), sent);
  assertEquals(rig.host.spuriousVectors, 0);
  for (const task of rig.host.tasks.values()) {
    const { runQueue, current } = rig.host.cpus[task.cpu]!;
    if (task.runnable) {
      assert(current === task || runQueue.tasks().includes(task), `${task.name} is on no queue`);
    }
  }
  const threads = rig.threads.of(3).map(({ task }) => [task.name, task.cpu, task.allowed]);
  assertEquals(threads, [
    ["migration/3", 3, 0b1000],
    ["kworker/3:0", 3, 0b1000],
    ["ksoftirqd/3", 3, 0b1000],
    ["watchdog/3", 3, 0b1000],
  ]);
});

Deno.test("equal runs through hotplug have equal state hashes", () => {
  assertEquals(wholeLife().rig.engine.stateHash(), wholeLife().rig.engine.stateHash());
});

Deno.test("work given to a thread of an offline CPU is done elsewhere, and the thread comes home", () => {
  const rig = new HostRig();
  rig.write(CPU3, "0\n");
  const ran: number[] = [];
  const thread = rig.threads.of(3)[1]!;
  const give = () =>
    rig.do(function* (task) {
      const here = rig.host.cpus[task.cpu]!;
      thread.run(
        (function* () {
          yield work("work item", Layers.HostKernel, 1000);
          ran.push(thread.task.cpu);
        })(),
        here,
      );
      yield* here.sendPendingIpis();
    });
  give();
  rig.run(1_000_000);
  rig.write(CPU3, "1\n");
  give();
  rig.run(1_000_000);
  assertEquals(ran.length, 2);
  assert(ran[0]! < 3);
  assertEquals(ran[1], 3);
});

Deno.test("an RT kernel's softirq that was preempted ends on its CPU before that goes offline", () => {
  const rig = new HostRig({ realTime: true });
  const cpu = rig.host.cpus[3]!;
  const hog = rig.start("hog", 0b1000, function* () {
    yield rig.host.endlessLoop;
    return 0;
  });
  rig.run(20_000_000);
  const descriptor = rig.irqs.request({ name: "eth0", chip: PCI_MSI_EDGE });
  if (descriptor instanceof Errno) throw new Error(String(descriptor));
  rig.irqs.setAffinity(descriptor.irq, 0b1000);
  const softirq = work("net_rx_action", Layers.HostKernel, 30_000_000);
  descriptor.action = function* (here) {
    yield here.kernel.steps.deviceHandler;
    here.softirqs.raiseSection(softirq);
  };
  rig.machine.messageSignalled(3, descriptor.vector);
  rig.run(1_000_000);
  assert(cpu.softirqs.running);
  assertEquals(rig.write(CPU3, "0\n"), undefined);
  assert(!cpu.softirqs.running);
  rig.run(20_000_000);
  assert(hog.runnable && hog.cpu < 3);
});
