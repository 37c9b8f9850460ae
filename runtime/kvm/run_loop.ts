/**
 * The loop inside KVM_RUN: serve requests, enter, exit, handle, as the talk draws it.
 *
 * Modelled after `arch/x86/kvm/x86.c` of Linux 3.5. A guest under load goes round some twenty times in a millisecond: that
 * is why the loop is a state machine.
 *
 * @module
 */

import { Routine, type Step, VM_ENTRY } from "../../hw/sim/activity.ts";
import type { LogicalCpu } from "../../hw/cpu.ts";
import { decodeInterruptionInfo, EventType, ExitReason } from "../../hw/vmx.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { completeExit, exitCost } from "./exits.ts";
import type { LoopResult, Vcpu } from "./vcpu.ts";

/** Where the loop stands, in the order in which it comes by. */
const At = {
  /** What is wanted of the vCPU? */
  Requests: 0,
  /** It has executed HLT: sleeps until something comes for it. */
  Halted: 1,
  Woken: 2,
  Unblocked: 3,
  /** Does somebody else want the CPU? */
  Resched: 4,
  Switched: 5,
  Back: 6,
  /** Into the guest, and out of it. */
  Enter: 7,
  Exited: 8,
  NmiHandled: 9,
  /** The exit has been handled; is there something that the host has to write, or to tell others? */
  Handled: 10,
  Written: 11,
} as const;

/**
 * `__vcpu_run()` of an online CPU, `vcpu_enter_guest_slave()` of a slave. Call with
 * `yield cpu.registers.call(new RunLoop(vcpu, cpu))`; the vCPU's `result` then says what only user space, or only an
 * online CPU, can do.
 */
export class RunLoop extends Routine {
  readonly #physical: LogicalCpu;
  readonly #slave: boolean;
  #at: number = At.Requests;
  #reason = 0;

  /** Runs `vcpu` on `cpu`. */
  constructor(readonly vcpu: Vcpu, readonly cpu: KernelCpu) {
    super();
    this.#physical = vcpu.vm.kvm.physical(cpu);
    this.#slave = cpu.state === "slave";
    vcpu.loadedOn = cpu;
  }

  override next(result: number): Step | null {
    const { vcpu, cpu } = this;
    const { steps } = vcpu.vm.kvm;
    const { registers } = cpu;
    for (;;) {
      switch (this.#at) {
        case At.Requests:
          this.#at = At.Resched;
          if (vcpu.signalPending) return this.#leave("KVM_EXIT_INTR");
          if (!vcpu.halted) break;
          if (vcpu.apic.pendingVector() < 0) {
            if (this.#slave) return this.#leave("online");
            this.#at = At.Halted;
            return steps.haltHandle;
          }
          vcpu.halted = false;
          break;
        case At.Halted: {
          if (vcpu.runnable) {
            this.#at = At.Unblocked;
            return steps.unblock;
          }
          this.#at = At.Woken;
          const away = cpu.prepareSleep() ? cpu.schedule() : null;
          if (away !== null) return away;
          break;
        }
        case At.Woken:
          if (vcpu.thread!.cpu !== cpu.id) return this.#leave("online"); // woken on another CPU: this one is gone
          this.#at = At.Halted;
          break;
        case At.Unblocked:
          this.#at = At.Requests;
          if (vcpu.signalPending) break;
          vcpu.halted = false;
          this.#at = At.Resched;
          break;
        case At.Resched:
          this.#at = At.Enter;
          if (cpu.needResched && !this.#slave) {
            const away = cpu.schedule();
            this.#at = away === null ? At.Back : At.Switched;
            if (away !== null) return away;
          }
          break;
        case At.Switched:
          this.#at = At.Back;
          return steps.vcpuSwitch;
        case At.Back:
          if (vcpu.thread!.cpu !== cpu.id) return this.#leave("online");
          this.#at = At.Enter;
          break;
        case At.Enter:
          registers.interruptFlag = false; // requests are looked at here; from here to the entry nobody comes between
          vcpu.inject(this.#slave);
          this.#physical.currentVmcs = vcpu.vmcs;
          vcpu.mode = "in guest";
          this.#at = At.Exited;
          return VM_ENTRY;
        case At.Exited:
          vcpu.mode = "outside";
          vcpu.exits[result]!++;
          if (result === ExitReason.ExceptionOrNmi && this.#nmi) {
            this.#at = At.NmiHandled;
            return steps.nmiHandle; // the handler, with interrupts off; its IRET unblocks NMIs
          }
          registers.interruptFlag = true; // what has been held back is taken at the next boundary
          if (result === ExitReason.Hlt) {
            vcpu.vmcs.skipInstruction();
            vcpu.halted = true;
            this.#at = At.Requests;
            break;
          }
          this.#reason = result;
          this.#at = At.Handled;
          return exitCost(vcpu, result);
        case At.NmiHandled:
          this.#physical.nmiBlocked = false;
          registers.interruptFlag = true;
          this.#at = At.Requests;
          break;
        case At.Handled: {
          this.#at = At.Written;
          const write = completeExit(vcpu, cpu, this.#reason);
          if (write !== null) return write;
          break;
        }
        case At.Written:
          if ((cpu.rescheduleMask | cpu.nmiMask) !== 0) return cpu.nextIpi();
          if (vcpu.left !== null) return this.#leave(vcpu.left);
          this.#at = At.Requests;
          break;
      }
    }
  }

  get #nmi(): boolean {
    return decodeInterruptionInfo(this.vcpu.vmcs.exitInterruptionInfo).type === EventType.Nmi;
  }

  #leave(result: LoopResult): null {
    this.vcpu.left = null;
    this.vcpu.result = result;
    return null;
  }
}
