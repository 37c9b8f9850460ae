/**
 * Slave CPUs: offline for Linux, booted with the minimum to execute a vCPU.
 *
 * After patches 02 to 06, 08, 11, 14 and 20 of the series: boot of the CPU, the loop it runs, the hand-off of a
 * vCPU from its thread to the slave and back.
 *
 * Patch 10, the slab that a slave must not use: the online CPU fills the vCPU's caches before it ships it (`mmu_caches.ts`).
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import { type Activity, HLT } from "../../hw/sim/activity.ts";
import { Apic, DeliveryMode } from "../../hw/lapic.ts";
import { LVT_MASKED } from "../../hw/lapic_registers.ts";
import { Pin, Primary } from "../../hw/vmx.ts";
import { EBUSY, EINVAL, ENOSYS, type Errno } from "../linux/errno.ts";
import { TDCR_DIVIDE_BY_16 } from "../linux/apic_clock.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { Task } from "../linux/sched/task.ts";
import { Vector } from "../linux/irq/vectors.ts";
import { ownsTimer, setDirectMode } from "./direct.ts";
import type { Kvm } from "./kvm.ts";
import type { LoopResult, RunExit, Vcpu } from "./vcpu.ts";
import { VcpuLoop } from "./vcpu_loop.ts";

/** native_cpu_die(): how often it looks whether a CPU is dead, and how long it sleeps in between, ns. */
const DIE_POLLS = 10;
const DIE_POLL_NS = 100_000_000;
/** Virtual NMIs are there only where NMIs exit. */
const NMI_CONTROLS = Pin.NmiExiting | Pin.VirtualNmis;
/** LVT timer entry, bits 18:17: periodic. */
const PERIODIC = 1 << 17;

/**
 * KVM_SET_SLAVE_CPU: binds `vcpu` to CPU `id`, or detaches it (`id` negative). Executed by the calling thread on
 * `cpu`; the vCPU does not run meanwhile.
 *
 * @param setMode whether the vCPU's slave mode follows; its end leaves that as it is
 * @returns 0, or EINVAL (no such CPU, online, somebody else's slave, detach of nothing, a second
 * vCPU where there are no SMP guests), ENOSYS (set twice), EBUSY (the
 * old slave does not stop)
 */
export function* setSlaveCpu(
  vcpu: Vcpu,
  id: number,
  cpu: KernelCpu,
  setMode = true,
): Activity<number | Errno> {
  const { kvm } = vcpu.vm;
  const caller = cpu.current;
  const old = vcpu.slaveCpu;
  if (id >= kvm.host.cpus.length) return EINVAL;
  const slave = id < 0 ? null : kvm.host.cpus[id]!;
  if (slave?.state === "online") return EINVAL;
  if (slave?.state === "slave" && id !== old) return EINVAL;
  if (slave !== null && vcpu !== vcpu.vm.vcpus[0] && !kvm.capabilities.smp) return EINVAL;
  // The patch never clears its first answer: a detach of nothing says EINVAL, and the mode is set all the same.
  let result: number | Errno = EINVAL;
  if (old >= 0 && id !== old) {
    kvm.slaves.delete(old);
    const failed = yield* withCpuMaps(kvm, caller, slaveCpuDown(kvm, old, caller));
    if (failed) return failed;
    result = 0;
  }
  if (slave !== null) {
    if (id === old) return ENOSYS; // native_cpu_up(): the CPU is in cpu_callin_mask already
    const failed = yield* withCpuMaps(kvm, caller, slaveCpuUp(kvm, slave, caller));
    if (failed) return failed;
    kvm.slaves.set(id, vcpu);
    slave.localTimerOverride = young(() => slaveTimer(vcpu, slave));
    result = 0;
  }
  vcpu.slaveCpu = id < 0 ? -1 : id;
  if (setMode) setSlaveMode(vcpu, slave !== null);
  return result;
}

/**
 * Whether a vCPU that has just got its slave CPU will miss its timer there: patch 20 forwards LVTT when the guest writes it,
 * and this guest has.
 */
export function timerStaysShut({ apic, slaveCpu, vm: { kvm } }: Vcpu): boolean {
  if (!ownsTimer(kvm)) return false;
  const open = (entry: number) => (entry & LVT_MASKED) === 0;
  return open(apic.register(Apic.LVTT)) && !open(kvm.machine.cpus[slaveCpu]!.apic.register(Apic.LVTT));
}

/** `set_slave_mode`: HLT does not exit, and direct mode is on, while the vCPU has a CPU of its own. */
function setSlaveMode(vcpu: Vcpu, enabled: boolean): void {
  const { vmcs, vm: { kvm } } = vcpu;
  if (enabled) vmcs.primary &= ~Primary.HltExiting;
  else vmcs.primary |= Primary.HltExiting;
  if (enabled && !kvm.protocol.nmiExiting) vmcs.pinBased &= ~NMI_CONTROLS;
  else vmcs.pinBased |= NMI_CONTROLS;
  setDirectMode(vcpu, enabled);
}

/** One at a time with hotplug (`cpu_maps_update_begin()`). */
function* withCpuMaps<T>({ host: { cpuMaps } }: Kvm, caller: Task, body: Activity<T>): Activity<T> {
  yield* cpuMaps.lock(caller);
  const result = yield* body;
  yield* cpuMaps.unlock(caller);
  return result;
}

/**
 * Boots `slave` with the minimal function: INIT, SIPI, and a wait until it has called in.
 *
 * @returns EINVAL (somebody has brought it online meanwhile), ENOSYS (somebody has made it a slave)
 */
function* slaveCpuUp(kvm: Kvm, slave: KernelCpu, caller: Task): Activity<Errno | void> {
  const { host } = kvm;
  if (slave.state !== "offline") return slave.state === "online" ? EINVAL : ENOSYS;
  let up = false;
  kvm.booting.set(slave.id, () =>
    slave.prepareStart(
      `slave/${slave.id}`,
      slaveLoop(kvm, slave, () => {
        up = true;
        host.wake(caller, slave);
      }),
    ));
  yield host.cpus[caller.cpu]!.sendMessage(slave.id, DeliveryMode.Init << 8);
  yield host.steps.cpuUp;
  const here = host.cpus[caller.cpu]!;
  yield here.sendMessage(slave.id, (DeliveryMode.Startup << 8) + 0x99);
  while (!up) yield* host.cpus[caller.cpu]!.sleep();
  kvm.booting.delete(slave.id);
}

/** `slave_cpu_down()`: tells a slave to stop and waits, at most a second, until it has. */
function* slaveCpuDown(kvm: Kvm, id: number, caller: Task): Activity<Errno | void> {
  const { host } = kvm;
  const slave = host.cpus[id]!;
  const timer = host.sleepTimer(caller);
  slave.callFunctions.push(stop(kvm, id));
  yield host.cpus[caller.cpu]!.sendIpi(id, Vector.CallFunctionSingle);
  for (let poll = 0; poll < DIE_POLLS; poll++) {
    if (slave.state !== "slave") return;
    yield* host.sleepUntil(caller, timer, host.nowNs + DIE_POLL_NS);
  }
  if (slave.state !== "slave") return;
  host.log(`failed to stop slave cpu ${id}`);
  return EBUSY;
}

/** `__slave_cpu_down()`, on the slave. */
// deno-lint-ignore require-yield
function* stop(kvm: Kvm, id: number): Activity {
  kvm.dying.add(id);
}

/** `start_slave_cpu`: takes functions and halts in between. Never online, no timer of its own, no tick. */
function* slaveLoop(kvm: Kvm, slave: KernelCpu, calledIn: () => void): Activity {
  yield kvm.steps.slaveBoot;
  kvm.host.firstInstructions?.(slave); // start_slave_cpu() as start_secondary(): setup_local_APIC()
  kvm.physical(slave).apic.write(Apic.TDCR, TDCR_DIVIDE_BY_16, kvm.host.nowNs); // patch 03: until it is shut, the host's
  yield slave.apicWrite(Apic.SVR, 0x100 | Vector.Spurious);
  // Patch 20: the host's timer is shut before a guest can have it.
  if (kvm.protocol.shutsHostTimer) yield slave.apicWrite(Apic.LVTT, 0x0001_0000 | Vector.LocalTimer);
  else yield* hostTick(slave);
  slave.state = "slave";
  kvm.host.log(`Slave CPU ${slave.id} is up`);
  calledIn();
  yield* slave.sendPendingIpis();
  while (!kvm.dying.has(slave.id)) {
    const work = slave.callFunctions.shift();
    if (work === undefined) yield* idleUntilCalled(kvm, slave);
    else yield slave.registers.call(work);
  }
  yield* slaveDies(kvm, slave);
}

/** Halts until an interrupt or an NMI; a shoot-down is answered in the NMI's handler meanwhile (patch 21). */
function* idleUntilCalled({ host: { tlb } }: Kvm, slave: KernelCpu): Activity {
  tlb.idleSlaves |= 1 << slave.id;
  tlb.serveSlave(slave);
  yield HLT;
  tlb.idleSlaves &= ~(1 << slave.id);
}

/** What patch 03 alone would do: the clock event device of the host ticks on, periodically. */
function* hostTick(slave: KernelCpu): Activity {
  const { kernel, timerTicks, timerNs } = slave;
  yield slave.apicWrite(Apic.LVTT, PERIODIC | Vector.LocalTimer);
  yield slave.apicWrite(Apic.TMICT, Math.floor((kernel.tickPeriodNs * timerTicks) / timerNs));
}

/** Out of the loop: native_cpu_disable(), then play_dead(), from which only an INIT wakes the CPU. */
function* slaveDies(kvm: Kvm, slave: KernelCpu): Activity {
  const { host, devices } = kvm;
  host.log(`Slave CPU ${slave.id} is going down ...`);
  slave.registers.interruptFlag = false;
  yield slave.apicWrite(Apic.TMICT, 0); // clear_local_APIC(): the guest may have left its timer running
  yield slave.apicWrite(Apic.LVTT, 0x0001_0000 | Vector.LocalTimer);
  const left = devices?.irqs.evacuate(slave) ?? []; // fixup_irqs(): back to an online CPU, with the host's vector
  if (devices !== null) {
    yield host.steps.cpuDown; // meanwhile the interrupt messages that were on their way come in
    yield* devices.irqs.retrigger(slave, left);
  }
  slave.localTimerOverride = null;
  kvm.dying.delete(slave.id);
  slave.state = "offline";
  for (;;) yield HLT;
}

/** `slave_lapic_timer_fn`: the guest's timer fired while the host had the CPU; it becomes a virtual interrupt. */
function* slaveTimer(vcpu: Vcpu, slave: KernelCpu): Activity {
  yield vcpu.vm.kvm.host.steps.irqEntry;
  yield slave.apicWrite(Apic.EOI, 0);
  yield vcpu.vm.kvm.steps.timerFunction;
  vcpu.interrupt(Vector.LocalTimer, slave);
}

/** KVM_RUN, in the thread of `vcpu`. Call with `yield*`. Returns why user space is needed. */
export function* kvmRun(vcpu: Vcpu): Activity<RunExit> {
  const { kvm } = vcpu.vm;
  const thread = vcpu.thread!;
  thread.preemptCount++;
  vcpu.running = true;
  for (;;) {
    const cpu = kvm.host.cpus[thread.cpu]!;
    let result: LoopResult;
    if (vcpu.slaveCpu < 0) {
      yield cpu.registers.call(new VcpuLoop(vcpu, cpu));
      result = vcpu.result;
    } else result = yield* handOff(vcpu, cpu);
    if (result !== "online") {
      vcpu.running = false;
      thread.preemptCount--;
      const here = kvm.host.cpus[thread.cpu]!;
      const away = here.preemptible ? here.schedule() : null;
      if (away !== null) yield away;
      return result;
    }
    if (vcpu.faulted) yield* readPage(vcpu);
    while (!vcpu.runnable) yield* kvm.host.cpus[thread.cpu]!.sleep();
    vcpu.halted = false;
  }
}

/** get_user_pages(): the page is on the disk; its thread sleeps until it has been read, whoever else wakes it. */
function* readPage(vcpu: Vcpu): Activity {
  const { host } = vcpu.vm.kvm;
  const thread = vcpu.thread!;
  vcpu.mmu.caches.topUp(vcpu, host.cpus[thread.cpu]!); // tdp_page_fault(): before anything else
  const timer = host.sleepTimer(thread);
  const readNs = host.nowNs + host.memory.readPageNs;
  while (host.nowNs < readNs) yield* host.sleepUntil(thread, timer, readNs);
  vcpu.vm.ept.mapped = true;
  vcpu.faulted = false;
}

/** Ships the vCPU to its slave CPU and sleeps until it comes back. */
function* handOff(vcpu: Vcpu, cpu: KernelCpu): Activity<LoopResult> {
  const { kvm } = vcpu.vm;
  const slave = kvm.host.cpus[vcpu.slaveCpu]!;
  const thread = vcpu.thread!;
  if (slave.state !== "slave") {
    kvm.host.log(
      `kernel BUG at arch/x86/kvm/x86.c: vcpu ${vcpu.id} has slave cpu ${slave.id}, which is none`,
    );
    return "KVM_EXIT_FAIL_ENTRY";
  }
  let result: LoopResult | null = null;
  vcpu.mmu.caches.topUp(vcpu, cpu); // patch 10: there is no slab on the slave
  yield kvm.steps.handOff;
  slave.callFunctions.push(runThere(vcpu, slave, thread, (ended) => result = ended));
  yield cpu.sendIpi(slave.id, Vector.CallFunctionSingle);
  while (result === null) yield* kvm.host.cpus[thread.cpu]!.sleep();
  return result;
}

/** What the slave does for it: the run loop, whose result `end` is told. */
function* runThere(vcpu: Vcpu, slave: KernelCpu, thread: Task, end: (result: LoopResult) => void): Activity {
  const { kvm } = vcpu.vm;
  yield kvm.steps.slaveLoad;
  slave.addressSpace = thread.tgid; // use_mm()
  yield slave.registers.call(new VcpuLoop(vcpu, slave));
  end(vcpu.result);
  kvm.host.tlb.serveSlave(slave);
  slave.addressSpace = 0;
  vcpu.onSlave = false;
  vcpu.loadedOn = null; // kvm_arch_vcpu_put_migrate(): from here on a kick wakes the thread
  kvm.host.wake(thread, slave);
  yield* slave.sendPendingIpis();
}
