/**
 * Systems: what is compared. Each is a row; nothing else in the program asks for a system's name.
 *
 * @module
 */

import type { DirectCapabilities } from "../kvm/direct.ts";

/** A system. */
export interface SystemRow {
  /** As `boot` takes it. */
  readonly name: string;
  /** One line for `help boot`. */
  readonly title: string;
  /** What its KVM can do beyond a stock one. */
  readonly capabilities: DirectCapabilities;
  /** Where `ssh vm0` leads: into a guest, or to the machine itself. */
  readonly vm0: "guest" | "host";
  /** Whether the dedicated CPU is taken from Linux when a script says so, or stays online with the vCPU's thread on it. */
  readonly dedicated: "offline" | "pinned";
  /**
   * Whether the host is set up as slide 7 advises (see `tuning.ts`); examples/tuned.rtk types what this row has done
   * already.
   */
  readonly tuned?: boolean;
}

/** How long the host's boot is given, ns: a laboratory is there from this instant on. */
export const BOOT_NS = 100_000_000;

/** The CPU that slide 24 calls core #4: measured on bare metal, the vCPU's in all other systems. */
export const DEDICATED_CPU = 3;

const STOCK: DirectCapabilities = {
  slaveCpu: false,
  delivery: false,
  eoi: false,
  timer: false,
  divideConfiguration: false,
  enableAt: "each",
  disableAt: "any",
  leadsTo: "any",
  smp: true,
};
const ISOLATION: DirectCapabilities = { ...STOCK, slaveCpu: true };
const RFC_V1: DirectCapabilities = { ...ISOLATION, delivery: true };
const RFC_V2: DirectCapabilities = { ...RFC_V1, eoi: true, timer: true };
const TALK: DirectCapabilities = {
  ...RFC_V2,
  divideConfiguration: true,
  enableAt: "last",
  disableAt: "interrupt",
  leadsTo: "chosen",
};

/** All systems, in the order in which tables list them. */
export const SYSTEMS: readonly SystemRow[] = [
  {
    name: "bare-metal",
    title: "no guest: vm0 is the machine itself, and its processor 0 is cpu3",
    capabilities: STOCK,
    vm0: "host",
    dedicated: "pinned",
  },
  {
    name: "kvm",
    title: "unpatched KVM, the vCPU's thread pinned to cpu3",
    capabilities: STOCK,
    vm0: "guest",
    dedicated: "pinned",
  },
  {
    name: "kvm-tuned",
    title:
      "unpatched KVM tuned as slide 7 says: memory locked, vCPU thread SCHED_RR, alone in an exclusive cpuset",
    capabilities: STOCK,
    vm0: "guest",
    dedicated: "pinned",
    tuned: true,
  },
  {
    name: "isolation",
    title: "CPU isolation alone: the vCPU has cpu3 for itself, and every interrupt exits",
    capabilities: ISOLATION,
    vm0: "guest",
    dedicated: "offline",
  },
  {
    name: "rfc-v1",
    title: "the patches of June 2012: CPU isolation and direct interrupt delivery",
    capabilities: { ...RFC_V1, smp: false },
    vm0: "guest",
    dedicated: "offline",
  },
  {
    name: "delivery+eoi",
    title: "rfc-v1 and direct EOI: devices without an exit, the timer virtual",
    capabilities: { ...RFC_V1, eoi: true },
    vm0: "guest",
    dedicated: "offline",
  },
  {
    name: "delivery+timer",
    title: "rfc-v1 and the direct local APIC timer: every EOI exits",
    capabilities: { ...RFC_V1, timer: true },
    vm0: "guest",
    dedicated: "offline",
  },
  {
    name: "rfc-v2",
    title: "the patches of September 2012, as written: direct EOI and direct local APIC timer too",
    capabilities: RFC_V2,
    vm0: "guest",
    dedicated: "offline",
  },
  {
    name: "talk",
    title:
      "as the slides tell it, where the patches differ: TDCR exposed, direct mode back after the last virtual interrupt",
    capabilities: TALK,
    vm0: "guest",
    dedicated: "offline",
  },
];

/** The system of that name. */
export function systemNamed(name: string): SystemRow | undefined {
  return SYSTEMS.find((system) => system.name === name);
}
