/**
 * The protocol between the patched KVM, a dedicated CPU and its guest: the choices that the software makes where it could
 * do otherwise, each as the talk and the patches make it.
 *
 * *Document*: the talk's slides 12 to 21; patches 13, 14, 17, 18 and 20 of the series; Linux 3.5
 * `include/linux/kvm_host.h` (`kvm_guest_exit()`).
 *
 * A choice is read where the software acts: where it writes a control field, sends a kick, enters a vector. Nothing asks
 * for it on the way of an interrupt; what follows from a wrong one is decided by the registers, and is the lesson.
 *
 * @module
 */

import type { DirectCapabilities } from "./direct.ts";

/** The choices. */
export interface Protocol {
  /** What makes a dedicated CPU leave its guest: an NMI exits, an ordinary interrupt goes to the guest (slide 15). */
  readonly kick: "NMI" | "IPI";
  /** Whether NMIs exit from a dedicated CPU's guest: pin-based bit 3 (slide 12). */
  readonly nmiExiting: boolean;
  /** Whether an NMI after the last look at the requests prevents the entry (patch 17). */
  readonly preventsEntry: boolean;
  /** Whether an injection takes the guest's EOI register away (slide 19), or only the external interrupts. */
  readonly closesEoiAtInjection: boolean;
  /** Whether an event that waits in the entry field goes before the next one. */
  readonly guardsEntryField: boolean;
  /** Whether an EOI that exits with nothing virtual in service is passed on to the physical APIC (patch 18). */
  readonly forwardsEoi: boolean;
  /** What becomes of an assigned device's line: the host takes it and injects (slide 14), or it goes to the guest itself. */
  readonly lines: "forwarded" | "direct";
  /** Whether the dedicated CPU's vector table knows the guest's vectors (slide 17, patch 13). */
  readonly registersGuestVectors: boolean;
  /** Whose vector an assigned device sends to a dedicated CPU (slide 16, patch 18). */
  readonly deviceVector: "guest" | "host";
  /** Whether the host's timer is shut on a dedicated CPU before a guest has it (slide 21, patch 20). */
  readonly shutsHostTimer: boolean;
  /** Whether the guest's own TSC-deadline register is open although its counter runs with an offset (slide 21). */
  readonly exposesDeadline: boolean;
  /** Whether the host's interrupts leave a CPU that is taken from Linux (slide 14). */
  readonly movesHostInterrupts: boolean;
  /** Whether the time is the host's again as soon as the guest has exited, or only when the exit has been handled. */
  readonly stampsAtExit: boolean;
}

/** The protocol as it should be. */
export const PROTOCOL: Protocol = {
  kick: "NMI",
  nmiExiting: true,
  preventsEntry: true,
  closesEoiAtInjection: true,
  guardsEntryField: true,
  forwardsEoi: true,
  lines: "forwarded",
  registersGuestVectors: true,
  deviceVector: "guest",
  shutsHostTimer: true,
  exposesDeadline: false,
  movesHostInterrupts: true,
  stampsAtExit: true,
};

/** A protocol with one mistake in it: a bug that has been shipped, or a rule of the talk that is broken. */
export interface Mutant {
  /** As `boot --mutant` takes it. */
  readonly id: string;
  /** The mistake. */
  readonly title: string;
  /** Where it has been made, or which rule it breaks. */
  readonly source: string;
  /** What it changes. */
  readonly protocol?: Partial<Protocol>;
  /** What it changes of the system's capabilities. */
  readonly capabilities?: Partial<DirectCapabilities>;
}

/** All mutants, by their numbers. */
export const MUTANTS: readonly Mutant[] = [
  {
    id: "M1",
    title:
      "a vCPU on a dedicated CPU is kicked by an ordinary interrupt: the guest takes it, the request waits",
    source: "slide 15; acrn-hypervisor issue 3886",
    protocol: { kick: "IPI" },
  },
  {
    id: "M2",
    title: "direct EOI stays on when a virtual interrupt is injected: its EOI ends something physical",
    source: "slide 19",
    protocol: { closesEoiAtInjection: false },
  },
  {
    id: "M3",
    title: "direct mode comes back with each emulated EOI, while another virtual interrupt is in service",
    source: 'slide 19, "after every virtual IRQ is handled"; patch 14 as written does the same',
    capabilities: { enableAt: "each" },
  },
  {
    id: "M4",
    title:
      "the guest's vector is not registered on the dedicated CPU: an interrupt that comes while the VM is out is lost",
    source: "slide 17",
    protocol: { registersGuestVectors: false },
  },
  {
    id: "M5",
    title: "an assigned device keeps the host's vector: the guest has no handler for it",
    source: "slide 16; acrn-hypervisor pull request 3253",
    protocol: { deviceVector: "host" },
  },
  {
    id: "M6",
    title: "a virtual interrupt is written over the event that waits in the entry field",
    source: "acrn-hypervisor pull request 3377",
    protocol: { guardsEntryField: false },
  },
  {
    id: "M7",
    title: "a kick between the last look at the requests and the entry is forgotten",
    source: "patch 17; acrn-hypervisor pull request 4978",
    protocol: { preventsEntry: false },
  },
  {
    id: "M8",
    title:
      "a guest in xAPIC form is taken to end its interrupts itself: its EOI is emulated, and not passed on",
    source: "acrn-hypervisor issue 3136, pull requests 3154 and 2960",
    protocol: { forwardsEoi: false },
  },
  {
    id: "M9",
    title: "NMIs do not exit: the kick goes to the guest as an NMI",
    source: "slide 12; acrn-hypervisor pull requests 4239 and 6474",
    protocol: { nmiExiting: false },
  },
  {
    id: "M10",
    title: "the host's timer goes on on the dedicated CPU: its interrupts go to the guest",
    source: "slide 21",
    protocol: { shutsHostTimer: false },
  },
  {
    id: "M11",
    title:
      "an assigned device's line goes straight to the guest: its direct EOI does not reach the host's I/O APIC",
    source: 'slide 14, "shared ISA IRQs are forwarded by the host"',
    protocol: { lines: "direct" },
  },
  {
    id: "M12",
    title: "IA32_TSC_DEADLINE is exposed in spite of the TSC offset: the timer fires by the host's counter",
    source: "slide 21",
    protocol: { exposesDeadline: true },
  },
  {
    id: "M13",
    title: "interrupts of the host's devices stay on a CPU that is taken from Linux",
    source: "slide 14; seapath/ansible issue 865; tuned pull request 364",
    protocol: { movesHostInterrupts: false },
  },
  {
    id: "M14",
    title:
      "the stamp that ends guest time is taken behind the exit's handler: KVM's time is booked as the guest's",
    source: "acrn-hypervisor issue 2341",
    protocol: { stampsAtExit: false },
  },
];

/** The mutant of that name, in either case. */
export function mutantNamed(name: string): Mutant | undefined {
  return MUTANTS.find(({ id }) => id === name.toUpperCase());
}
