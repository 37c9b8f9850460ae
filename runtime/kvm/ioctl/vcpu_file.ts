/**
 * A vCPU's descriptor.
 *
 * *Document*: Linux `virt/kvm/kvm_main.c`: `kvm_vcpu_ioctl()`; patch 08 of the series.
 *
 * *Modelled*: that a vCPU serves one caller at a time and others wait; `KVM_RUN`; slave CPUs; registers and events, see
 * `vcpu_register_ioctls.ts` and `vcpu_event_ioctls.ts`; of the shared area `immediate_exit` and `exit_reason`.
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import type { Activity, Step } from "../../../hw/sim/activity.ts";
import { Context, type InterruptTable, RegisterFile } from "../../../hw/register_file.ts";
import { EFAULT, EINTR, EINVAL } from "../../linux/errno.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import type { Task } from "../../linux/sched/task.ts";
import { shows } from "../cpuid.ts";
import { traceAnswer } from "../access_trace.ts";
import { EFER_LONG_MODE, selectBitmap } from "../direct.ts";
import { KernelFile } from "./descriptors.ts";
import { dispatch, type Handlers, type IoctlCall, type Outcome, unmodelledRequest } from "./ioctl_call.ts";
import { Ioctl, type RunExitName, RunExitReason } from "./ioctls.ts";
import { kvmRun, setSlaveCpu, timerStaysShut } from "../slave_cpu.ts";
import { EnableCap } from "../uapi/structures.ts";
import type { Vcpu } from "../vcpu.ts";
import { eventHandlers } from "./vcpu_event_ioctls.ts";
import { registerHandlers } from "./vcpu_register_ioctls.ts";
import { has } from "../versions.ts";
import type { VmFile } from "./vm_file.ts";

const HANDLERS: Handlers<VcpuFile> = {
  ...registerHandlers,
  ...eventHandlers,
  KVM_RUN: (file, call) => call.argument === 0 ? file.run(call.caller) : EINVAL,
  KVM_SET_SLAVE_CPU: ({ vcpu }, call) => setSlaveCpu(vcpu, call.argument | 0, call.cpu),
  KVM_GET_SLAVE_CPU: ({ vcpu }) => vcpu.slaveCpu, // unset is -1: the C library takes that for errno 1
  KVM_ENABLE_CAP: (_file, call) => call.copyIn(EnableCap) === null ? EFAULT : EINVAL,
};

/** A vCPU's descriptor. */
export class VcpuFile extends KernelFile {
  /** Why its last `KVM_RUN` returned (`exit_reason` in its shared area). */
  exitReason: RunExitName = "KVM_EXIT_UNKNOWN";
  /** `KVM_RUN` shall return at once (`immediate_exit` in its shared area; since 4.11). */
  immediateExit = false;
  /** Who is in an ioctl on it (`vcpu->mutex`). */
  #owner: Task | null = null;
  readonly #waiting: Task[] = [];

  /** @param machine its machine's descriptor */
  constructor(readonly vcpu: Vcpu, readonly machine: VmFile) {
    super();
    vcpu.startUp = young(() => this.#startUp());
    vcpu.hasMemory = young((address) => machine.slots.covers(address));
  }

  #startUp(): void {
    const { guest } = this.machine;
    if (guest === null) return;
    this.vcpu.registers = this.vcpu.vmcs.guest = guest.start(this.vcpu.id);
    this.startGuest();
  }

  /** The requests that it takes. */
  static readonly handlers: Handlers<VcpuFile> = HANDLERS;

  override unmodelled(request: number): string | undefined {
    return unmodelledRequest("vcpu", HANDLERS, this.vcpu.vm.kvm, request);
  }

  override caution(request: number): string | undefined {
    const { slaveCpu } = this.vcpu;
    if (request !== Ioctl.KVM_SET_SLAVE_CPU || slaveCpu < 0 || !timerStaysShut(this.vcpu)) return undefined;
    return `the guest has set its timer up already: cpu${slaveCpu}'s stays masked until the guest writes LVTT once more`;
  }

  override *ioctl(call: IoctlCall): Activity<number> {
    const { caller } = call;
    const { kvm } = this.vcpu.vm;
    while (this.#owner !== null) {
      if (!this.#waiting.includes(caller)) this.#waiting.push(caller);
      yield* kvm.host.cpus[caller.cpu]!.sleep();
    }
    this.#owner = caller;
    const result = yield* dispatch("vcpu", HANDLERS, kvm, EINVAL, this, call);
    this.#owner = null;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      const here = kvm.host.cpus[caller.cpu]!;
      kvm.host.wake(next, here);
      yield* here.sendPendingIpis();
    }
    return result;
  }

  override get lastExit(): RunExitName {
    return this.exitReason;
  }

  override get busy(): boolean {
    return this.#owner !== null;
  }

  /** A signal for the thread that is in `KVM_RUN`, or will be next: it returns with EINTR. @param from who sends it */
  signal(from: KernelCpu): void {
    this.vcpu.signalPending = true;
    this.vcpu.kick(from);
  }

  /**
   * `kvm_arch_put_registers()` at a reset, `KVM_SET_REGS` to `KVM_SET_MP_STATE` in one: the vCPU begins anew with what
   * lies in memory now. It must not run meanwhile.
   */
  *reset(): Activity {
    yield this.vcpu.vm.kvm.steps.ioctl;
    this.vcpu.restart(this.machine.guest?.start(this.vcpu.id) ?? nothingToExecute());
    this.startGuest();
  }

  /** What a guest's kernel does with its local APIC before anything that the model executes. */
  startGuest(): void {
    const { guest } = this.machine;
    if (guest === null) return;
    this.vcpu.state.sregs.set("efer", EFER_LONG_MODE);
    selectBitmap(this.vcpu);
    this.vcpu.startGuestApic(guest.firstApicWrites?.(this.vcpu.id));
    const { vcpu } = this;
    const { cpuid } = vcpu.state;
    const record = guest.stealRecord?.(vcpu.id) ?? null, word = guest.eoiWord?.(vcpu.id) ?? null;
    if (record !== null && shows(cpuid, "kvm_steal_time")) vcpu.steal.enable(record);
    if (word !== null && shows(cpuid, "kvm_pv_eoi")) vcpu.pvEoi.enable(word);
  }

  /** Leaves the answer to an access in the shared area: the next `KVM_RUN` completes the instruction with it. */
  answer(value: number): void {
    traceAnswer(this.vcpu, value);
    this.vcpu.vmcs.skipInstruction(value);
  }

  /** `KVM_RUN` by `caller`. */
  *run(caller: Task): Activity<Outcome> {
    const result = yield* this.#run(caller);
    const { vm } = this.vcpu;
    if (vm.kvm.host.engine.trace !== null) {
      const fields = { reason: RunExitReason[this.exitReason], error: result === EINTR ? EINTR.number : 0 };
      vm.tracepoint("kvm_userspace_exit", fields, vm.kvm.host.cpus[caller.cpu]!);
    }
    return result;
  }

  *#run(caller: Task): Activity<Outcome> {
    const { vcpu, machine } = this;
    vcpu.thread = caller;
    if (this.immediateExit && has(vcpu.vm.kvm.version, "4.11")) return EINTR;
    if (machine.guest === null) {
      yield vcpu.vm.kvm.steps.userExit; // the first fetch finds no memory, and that cannot be emulated
      this.exitReason = "KVM_EXIT_INTERNAL_ERROR";
      return 0;
    }
    this.exitReason = yield* kvmRun(vcpu);
    vcpu.signalPending = false;
    return this.exitReason === "KVM_EXIT_INTR" ? EINTR : 0;
  }

  override *release(caller: Task): Activity {
    yield* this.machine.put(caller);
  }
}

/** The registers of a vCPU without memory: it never gets as far as an instruction. */
export function nothingToExecute(): RegisterFile {
  const never = function* (): Generator<Step, void, number> {};
  const table: InterruptTable = { interrupt: never, nmi: never, exception: never };
  return new RegisterFile(table, new Context("no memory", never()));
}
