/**
 * What KVM's own code costs.
 *
 * @module
 */

import { type Step, stepsOf, work } from "../../hw/sim/activity.ts";
import { ns, parameters, type Values } from "../../hw/parameters.ts";
import { Layers } from "../linux/layers.ts";

/** KVM's steps, integer ns in their typical execution, without the hardware's part of exits and entries. A handler's cost
 * includes the way to the next entry (`vcpu_enter_guest()`). */
export const kvmCosts = parameters({
  unblock: ns("From the wake-up in kvm_vcpu_block() through vcpu_load() and the run loop up to the entry"),
  vcpuSwitch: ns(
    "The vCPU's thread loses the CPU inside the loop and gets it back: preemption notifiers, FPU, MSRs",
  ),
  haltHandle: ns("kvm_emulate_halt() and the preparation to sleep"),
  eoiHandle: ns("An emulated write of the EOI register, and vcpu_enter_guest() up to the next entry"),
  timerWriteHandle: ns("The same for the timer's initial count: an hrtimer is cancelled and started"),
  msrHandle: ns("Any other emulated access to a local APIC register or MSR"),
  mmioHandle: ns("An emulated access to a memory-mapped APIC register: walk, instruction decode, register"),
  pageFaultHandle: ns("After an exit because the EPT lacks a page: the fault, without reading the page"),
  interruptWindowHandle: ns("After an exit because the guest can take an interrupt, or an NMI, now"),
  externalInterruptHandle: ns("After an exit for an external interrupt, its host handler apart"),
  timerFunction: ns("kvm_timer_fn(): the expiry of a virtual timer, on the host"),
  nmiHandle: ns("After an exit for an NMI: the handler and the look at the requests"),
  pauseHandle: ns("After an exit from a loop of PAUSE: whom to yield to"),
  cpuidHandle: ns("Emulated CPUID"),
  userExit: ns("Preparing an I/O or memory-mapped access for user space"),
  assignedInterrupt: ns("The irq thread of an assigned device: kvm_set_irq()"),
  handOff: ns("Slave: preparing the hand-off on the online CPU, VMCLEAR included"),
  slaveEntry: ns(
    "Slave: from the last look at the requests to VMRESUME, interrupts off: registers of the guest are loaded",
  ),
  slaveLoad: ns("Slave: taking the vCPU over, VMPTRLD included"),
  slaveBoot: ns("Slave: boot of the CPU with the minimal function"),
  pitTick: ns("One expiry of the emulated PIT"),
  ioctl: ns("Entry to and exit from a system call on /dev/kvm or one of its descriptors"),
  createVm: ns("KVM_CREATE_VM, and other requests that allocate for a whole machine"),
  createVcpu: ns("KVM_CREATE_VCPU: VMCS, APIC page, MMU"),
});

/** Values of {@linkcode kvmCosts}. */
export type KvmCosts = Values<typeof kvmCosts>;

/** The same as steps. */
export type KvmSteps = { readonly [Key in keyof KvmCosts]: Step };

/** Makes KVM's steps. */
export function kvmSteps(costs: KvmCosts): KvmSteps {
  return stepsOf(costs, (name, ns) => work(name, Layers.Kvm, ns));
}
