/**
 * Slave CPUs: offline for Linux, booted with the minimum to execute a vCPU.
 *
 * After patches 02 to 06, 08, 11, 14 and 20 of the series: boot of the CPU, the loop it runs, the hand-off of a
 * vCPU from its thread to the slave and back.
 *
 * @module
 */

import { type Activity, HLT } from "../../hw/sim/activity.ts";
import { Apic, DeliveryMode } from "../../hw/lapic.ts";
import { Primary } from "../../hw/vmx.ts";
import { EINVAL, ENOSYS, Errno } from "../linux/errno.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { Vector } from "../linux/vectors.ts";
import { setDirectMode } from "./direct.ts";
import type { Kvm } from "./kvm.ts";
import type { LoopResult, RunExit, Vcpu } from "./vcpu.ts";

/**
 * KVM_SET_SLAVE_CPU: binds `vcpu` to CPU `id`, or detaches it (`id` negative). Executed by the calling thread on
 * `cpu`.
 *
 * @returns 0, or EINVAL (no such CPU, online, somebody else's slave, detach of nothing), ENOSYS (set twice)
 */
export function* setSlaveCpu(vcpu: Vcpu, id: number, cpu: KernelCpu): Activity<number | Errno> {
  const { kvm } = vcpu.vm;
  const old = vcpu.slaveCpu;
  if (id < 0) {
    setSlaveMode(vcpu, false);
    if (old < 0) return EINVAL;
    yield* slaveCpuDown(kvm, old, cpu);
    vcpu.slaveCpu = -1;
    return 0;
  }
  if (id >= kvm.host.cpus.length) return EINVAL;
  const slave = kvm.host.cpus[id]!;
  if (slave.state === "online") return EINVAL;
  if (old === id) return ENOSYS; // native_cpu_up(): the CPU is in cpu_callin_mask already
  if (slave.state === "slave") return EINVAL;
  if (old >= 0) yield* slaveCpuDown(kvm, old, cpu);
  yield* slaveCpuUp(kvm, slave, cpu);
  vcpu.slaveCpu = id;
  kvm.slaves.set(id, vcpu);
  slave.localTimerOverride = () => slaveTimer(vcpu, slave);
  setSlaveMode(vcpu, true);
  return 0;
}

/** `set_slave_mode`: HLT does not exit, and direct mode is on, while the vCPU has a CPU of its own. */
function setSlaveMode(vcpu: Vcpu, enabled: boolean): void {
  if (enabled) vcpu.vmcs.primary &= ~Primary.HltExiting;
  else vcpu.vmcs.primary |= Primary.HltExiting;
  setDirectMode(vcpu, enabled);
}

/** Boots `slave` with the minimal function: INIT, SIPI, and a wait until it has called in. */
function* slaveCpuUp(kvm: Kvm, slave: KernelCpu, cpu: KernelCpu): Activity {
  const caller = cpu.current;
  let up = false;
  const physical = kvm.physical(slave);
  const startup = kvm.machine.startup;
  kvm.machine.startup = (started) =>
    started === physical
      ? slave.prepareStart(
        `slave/${slave.id}`,
        slaveLoop(kvm, slave, () => {
          up = true;
          kvm.host.wake(caller, slave);
        }),
      )
      : startup(started);
  yield cpu.apicWrite(Apic.ICR, slave.id * 0x1_0000_0000 + (DeliveryMode.Init << 8));
  yield kvm.host.steps.cpuUp;
  yield cpu.apicWrite(Apic.ICR, slave.id * 0x1_0000_0000 + (DeliveryMode.Startup << 8) + 0x99);
  while (!up) yield* cpu.sleep();
  kvm.machine.startup = startup;
}

/** Takes a slave down: it leaves its vCPU and waits for an INIT. */
function* slaveCpuDown(kvm: Kvm, id: number, cpu: KernelCpu): Activity {
  const slave = kvm.host.cpus[id]!;
  const vcpu = kvm.slaves.get(id);
  if (vcpu !== undefined) vcpu.requested = true;
  kvm.slaves.delete(id);
  slave.localTimerOverride = null;
  slave.state = "offline";
  yield cpu.apicWrite(Apic.ICR, id * 0x1_0000_0000 + (DeliveryMode.Init << 8));
  yield kvm.host.steps.cpuDown;
}

/** `start_slave_cpu`: takes functions and halts in between. Never online, no timer of its own, no tick. */
function* slaveLoop(kvm: Kvm, slave: KernelCpu, calledIn: () => void): Activity {
  yield kvm.steps.slaveBoot;
  yield slave.apicWrite(Apic.SVR, 0x100 | Vector.Spurious);
  yield slave.apicWrite(Apic.LVTT, 0x0001_0000 | Vector.LocalTimer); // patch 20: the host's timer is shut
  slave.state = "slave";
  kvm.host.log(`Slave CPU ${slave.id} is up`);
  calledIn();
  yield* slave.sendPendingIpis();
  for (;;) {
    const work = slave.callFunctions.shift();
    if (work === undefined) yield HLT;
    else yield slave.registers.call(work);
  }
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
  for (;;) {
    const cpu = kvm.host.cpus[thread.cpu]!;
    let result: LoopResult;
    if (vcpu.slaveCpu < 0) result = yield* vcpu.loop(cpu);
    else result = yield* handOff(vcpu, cpu);
    if (result !== "online") {
      thread.preemptCount--;
      return result;
    }
    while (!vcpu.runnable) yield* cpu.sleep();
    vcpu.halted = false;
  }
}

/** Ships the vCPU to its slave CPU and sleeps until it comes back. */
function* handOff(vcpu: Vcpu, cpu: KernelCpu): Activity<LoopResult> {
  const { kvm } = vcpu.vm;
  const slave = kvm.host.cpus[vcpu.slaveCpu]!;
  const thread = vcpu.thread!;
  let result: LoopResult | null = null;
  yield kvm.steps.handOff;
  slave.callFunctions.push((function* (): Activity {
    yield kvm.steps.slaveLoad;
    result = yield* vcpu.loop(slave);
    kvm.host.wake(thread, slave);
    yield* slave.sendPendingIpis();
  })());
  yield cpu.sendIpi(slave.id, Vector.CallFunctionSingle);
  while (result === null) yield* cpu.sleep();
  return result;
}
