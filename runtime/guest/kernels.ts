/**
 * Linux builds that the laboratory knows, as data.
 *
 * @module
 */

import type { InterfaceVersion } from "../linux/interfaces.ts";
import type { KernelRelease } from "../linux/release.ts";

/** A build, without what the machine below decides. */
export interface KernelBuild extends Omit<KernelRelease, "clocksource"> {
  /** What it shows to programs. */
  readonly interfaces: InterfaceVersion;
}

/** INVALIDATE_TLB_VECTOR_START to _END. */
const TLB_VECTORS = { first: 0xcf, count: 32 };

/**
 * The builds, by name. 6.18.0 is today's: its interfaces are its own, its code paths and
 * costs are those of the others. It and 3.8.0 end interrupts by PV EOI where CPUID shows that, and 3.8.0 sets its timer
 * by TSC deadline likewise; 2.6.32 is one whose device
 * handlers run with interrupts on. CONFIG_HZ and CONFIG_NO_HZ
 * are assumed: the talk does not say; 250 is the default of `kernel/Kconfig.hz`. That the RT kernel writes its timer once
 * on the way out of idle, and 3.4.0 twice, is what slide 25's rows identify; a periodic tick is the one configuration of
 * the time that does so.
 */
export const KERNELS: Readonly<Record<string, KernelBuild>> = {
  "linux-3.5.0-rc6": {
    release: "3.5.0-rc6",
    hz: 250,
    noHz: true,
    realTime: false,
    tlbVectors: TLB_VECTORS,
    interfaces: "3.5",
  },
  "linux-3.4.0": {
    release: "3.4.0",
    hz: 250,
    noHz: true,
    realTime: false,
    tlbVectors: TLB_VECTORS,
    interfaces: "3.5",
  },
  "linux-3.4.4-rt14": {
    release: "3.4.4-rt14",
    hz: 250,
    noHz: false,
    realTime: true,
    tlbVectors: TLB_VECTORS,
    interfaces: "3.5",
  },
  "linux-3.8.0": {
    release: "3.8.0",
    hz: 250,
    noHz: true,
    realTime: false,
    tscDeadline: true,
    pvEoi: true,
    kvmClockInVdso: true,
    interfaces: "3.5",
  },
  "linux-6.18.0": {
    release: "6.18.0",
    hz: 250,
    noHz: true,
    realTime: false,
    pvEoi: true,
    kvmClockInVdso: true,
    interfaces: "6.18",
  },
  "linux-2.6.32": {
    release: "2.6.32",
    hz: 250,
    noHz: true,
    realTime: false,
    nestedInterrupts: true,
    ignoresSteal: true,
    tlbVectors: { first: 0xf0, count: 8 },
    interfaces: "3.5",
  },
};
