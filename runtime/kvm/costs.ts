/**
 * What KVM's own code costs.
 *
 * @module
 */

import { type Step, work } from "../../hw/sim/activity.ts";
import { Layers } from "../linux/layers.ts";

/** KVM's steps, integer ns in their typical execution, without the hardware's part of exits and entries. */
export interface KvmCosts {
  /** `vcpu_enter_guest()` up to the entry: requests, event injection, state switch. */
  readonly enterGuest: number;
  /** From the wake-up in `kvm_vcpu_block()` back into the run loop. */
  readonly unblock: number;
  /** `kvm_emulate_halt()` and the preparation to sleep. */
  readonly haltHandle: number;
  /** An emulated write of the EOI register. */
  readonly eoiHandle: number;
  /** An emulated write of the timer's initial count: an hrtimer is cancelled and started. */
  readonly timerWriteHandle: number;
  /** Any other emulated access to a local APIC register or MSR. */
  readonly msrHandle: number;
  /** Finding the register of a memory-mapped access: walk and instruction decode. */
  readonly mmioDecode: number;
  /** After an exit for an external interrupt, its host handler apart. */
  readonly externalInterruptHandle: number;
  /** `kvm_timer_fn()`: the expiry of a virtual timer, on the host. */
  readonly timerFunction: number;
  /** After an exit for an NMI: the handler and the look at the requests. */
  readonly nmiHandle: number;
  /** Emulated CPUID. */
  readonly cpuidHandle: number;
  /** Preparing an I/O or memory-mapped access for user space. */
  readonly userExit: number;
  /** The irq thread of an assigned device: `kvm_set_irq()`. */
  readonly assignedInterrupt: number;
  /** Slave: preparing the hand-off on the online CPU, VMCLEAR included. */
  readonly handOff: number;
  /** Slave: taking the vCPU over, VMPTRLD included. */
  readonly slaveLoad: number;
  /** Slave: boot of the CPU with the minimal function. */
  readonly slaveBoot: number;
  /** One expiry of the emulated PIT. */
  readonly pitTick: number;
}

/** The same as steps. */
export type KvmSteps = { readonly [Key in keyof KvmCosts]: Step };

/** Makes KVM's steps. */
export function kvmSteps(costs: KvmCosts): KvmSteps {
  return Object.fromEntries(
    Object.entries(costs).map(([name, ns]) => [name, work(name, Layers.Kvm, ns)]),
  ) as KvmSteps;
}
