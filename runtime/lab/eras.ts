/**
 * Eras: the talk's, and today's. An era is a host kernel and the tools of its time; which commands a host understands,
 * and what it answers, follows from that.
 *
 * @module
 */

import { type PciTopology, SEPARATING_TOPOLOGY, TALK_TOPOLOGY } from "../../hw/machine_topology.ts";
import { CORE_I7_3770, type CpuIdentity } from "../linux/cpu_identity.ts";
import type { ToolVersions } from "../programs/program.ts";
import { systemNamed, type SystemRow } from "./systems.ts";

/** An era. */
export interface Era {
  /** As `set -o era=NAME` takes it. */
  readonly name: "2012" | "today";
  /** One line for help. */
  readonly title: string;
  /** The kernel of the host, where it is not the one that is measured: a row of `KERNELS`. */
  readonly hostKernel: string;
  /** What vm0 runs where nobody says: a row of `KERNELS`. */
  readonly kernel: string;
  /** The system that is booted where the one that is there does not fit. */
  readonly system: string;
  /** Whether kernels of the era have the patches for slave CPUs; without them such systems do not exist. */
  readonly slaveCpus: boolean;
  /** What the host's processors say of themselves to such a kernel. */
  readonly identity: CpuIdentity;
  /** The host's buses. */
  readonly topology: PciTopology;
  /** Versions of the programs. */
  readonly tools: ToolVersions;
}

/** The talk's: Linux 3.5, qemu-kvm 1.1. */
export const ERA_2012: Era = {
  name: "2012",
  title: "Linux 3.5, qemu-kvm 1.1 with pci-stub and pci-assign, rt-tests 0.83, iperf 2.0",
  hostKernel: "linux-3.5.0-rc6",
  kernel: "linux-3.4.0",
  system: "rfc-v2",
  slaveCpus: true,
  identity: CORE_I7_3770,
  topology: TALK_TOPOLOGY,
  tools: {
    cyclictest: "0.83",
    ethtool: "3.4",
    coreutils: "8.13",
    iperf: "2.0.5",
    irqbalance: "1.0.3",
    qemu: "1.1",
    tuned: null,
    utilLinux: "2.21",
    procps: "3.2.8",
    sysstat: "10.0.5",
  },
};

/** Today's: Linux 6.18, QEMU 7.2. */
export const ERA_TODAY: Era = {
  name: "today",
  title: "Linux 6.18, QEMU 7.2 with vfio-pci, rt-tests 2.4, iperf 2.1.8",
  hostKernel: "linux-6.18.0",
  kernel: "linux-6.18.0",
  system: "kvm",
  slaveCpus: false,
  identity: {
    ...CORE_I7_3770,
    bugs:
      "cpu_meltdown spectre_v1 spectre_v2 spec_store_bypass l1tf mds swapgs itlb_multihit srbds mmio_unknown",
  },
  topology: SEPARATING_TOPOLOGY,
  tools: {
    cyclictest: "2.40",
    ethtool: "6.1",
    coreutils: "9.1",
    iperf: "2.1.8",
    irqbalance: "1.9.2",
    qemu: "7.2",
    tuned: "2.20",
    utilLinux: "2.38",
    procps: "4.0.2",
    sysstat: "12.6.1",
  },
};

/** All eras, the default first. */
export const ERAS: readonly Era[] = [ERA_2012, ERA_TODAY];

/** The era of that name. */
export function eraNamed(name: string): Era | undefined {
  return ERAS.find((era) => era.name === name);
}

/** The system that is booted in an era where nobody names one. */
export function eraSystem({ system }: Era): SystemRow {
  return systemNamed(system)!;
}

/** Why `system` cannot be booted in `era`, with `kernel` for vm0; undefined: it can. */
export function eraRefusal(era: Era, system: SystemRow, kernel: string): string | undefined {
  if (system.capabilities.slaveCpu && !era.slaveCpus) {
    return `system ${system.name} in era ${era.name}: the patches were made for Linux 3.5, ` +
      `and nobody has made them for ${era.hostKernel}: boot kvm`;
  }
  const isToday = (name: string) => name === ERA_TODAY.hostKernel;
  if (system.vm0 === "host" && isToday(kernel) !== isToday(era.hostKernel)) {
    return `system ${system.name} in era ${era.name}: ${kernel} is no kernel of that era, and vm0 is the host itself: ` +
      `--kernel ${era.kernel}`;
  }
}
