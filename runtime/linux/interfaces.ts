/**
 * What a kernel shows to programs and takes from them, as data: a row for each version that the model knows. The kernel
 * behind it is the same.
 *
 * *Document*: Linux 3.5 and 6.18, the files named beside each member.
 *
 * *Deviations*: 6.18 schedules fair tasks as 3.5 does (CFS); `base_slice_ns` is CFS's smallest slice there.
 *
 * @module
 */

import { ETHTOOL_VERSIONS, type EthtoolVersion } from "./net/ethtool_ops.ts";
import { PCI_QUIRKS, type PciQuirks } from "./pci/pci_bus.ts";

/** A version of the kernel's interfaces. */
export type InterfaceVersion = "3.5" | "6.18";

/** One version. */
export interface KernelInterfaces {
  /** Of PCI (`drivers/pci`, `drivers/base`). */
  readonly pci: PciQuirks;
  /** IOMMU groups are in sysfs (since 3.6). */
  readonly iommuGroups: boolean;
  /** Of network drivers, for ethtool. */
  readonly ethtool: EthtoolVersion;
  /** There is vfio-pci (since 3.6). */
  readonly vfio: boolean;
  /** `/proc/interrupts` names the device and the entry of a message-signalled interrupt (since 6.2). */
  readonly namesMsiDevices: boolean;
  /** The processor's own interrupts that `/proc/interrupts` has a row for. */
  readonly ownInterrupts: readonly string[];
  /** Mode of `/proc/irq/N/smp_affinity` (readable for all since 4.1). */
  readonly irqAffinityMode: number;
  /** `/proc/irq/N` has `effective_affinity` (since 4.13). */
  readonly effectiveAffinity: boolean;
  /** `cpuN/online` takes `y`, `n`, `on`, `off` (`kstrtobool`, since 3.12), or looks at the first character only. */
  readonly onlineTakesWords: boolean;
  /** Directory of the fair scheduler's tunables: `/proc/sys/kernel`, or debugfs (since 5.13). */
  readonly schedulerTunables: "sysctl" | "debugfs";
  /** `cpuN/topology` has the names without `sibling` (since 5.3). */
  readonly topologyNamesPackages: boolean;
  /** Kinds of softirqs that `/proc/softirqs` has a row for. */
  readonly softirqs: readonly string[];
  /** Every CPU has a thread for its hotplug (since 4.6) and none for a watchdog (until 4.18); a kworker tells its queue. */
  readonly hotplugThreads: boolean;
  /** `/proc/meminfo` has `MemAvailable` (since 3.14). */
  readonly memAvailable: boolean;
  /** Width of the first column of `/proc/PID/sched` (wider since 3.19). */
  readonly schedColumn: number;
  /** The interrupt of a virtio disk's queue has the name `req.0` behind the device's (since 3.18). */
  readonly numbersVirtioQueues: boolean;
  /** Numbers in a line of `/proc/diskstats`: those of discards came with 4.18, those of flushes with 5.5. */
  readonly diskstatsFields: number;
  /** Compiler of the kernel, as `/proc/version` names it. */
  readonly compiler: string;
  /** What the log says of a change of the clock source (`kernel/time/clocksource.c`; in these words since 4.0). */
  readonly clocksourceChange: string;
  /** tracefs has a mount point of its own, `/sys/kernel/tracing` (since 4.1). */
  readonly tracefs: boolean;
}

/** Rows of `/proc/interrupts` behind the devices', in both versions. */
const OWN = "NMI LOC SPU PMI IWI RTR RES CAL TLB TRM THR";

/** The rows. */
export const INTERFACES: Readonly<Record<InterfaceVersion, KernelInterfaces>> = {
  "3.5": {
    pci: PCI_QUIRKS["3.5"],
    ethtool: ETHTOOL_VERSIONS["3.5"],
    iommuGroups: false,
    vfio: false,
    namesMsiDevices: false,
    ownInterrupts: `${OWN} MCE MCP ERR MIS`.split(" "),
    irqAffinityMode: 0o600,
    effectiveAffinity: false,
    onlineTakesWords: false,
    schedulerTunables: "sysctl",
    topologyNamesPackages: false,
    softirqs: "HI TIMER NET_TX NET_RX BLOCK BLOCK_IOPOLL TASKLET SCHED HRTIMER RCU".split(" "),
    hotplugThreads: false,
    memAvailable: false,
    schedColumn: 35,
    numbersVirtioQueues: false,
    diskstatsFields: 11,
    compiler: "gcc version 4.6.3 (GCC) ",
    clocksourceChange: "Switching to clocksource",
    tracefs: false,
  },
  "6.18": {
    pci: PCI_QUIRKS["6.18"],
    ethtool: ETHTOOL_VERSIONS["6.18"],
    iommuGroups: true,
    vfio: true,
    namesMsiDevices: true,
    ownInterrupts: `${OWN} DFR MCE MCP HYP ERR MIS PIN NPI PIW`.split(" "),
    irqAffinityMode: 0o644,
    effectiveAffinity: true,
    onlineTakesWords: true,
    schedulerTunables: "debugfs",
    topologyNamesPackages: true,
    softirqs: "HI TIMER NET_TX NET_RX BLOCK IRQ_POLL TASKLET SCHED HRTIMER RCU".split(" "),
    hotplugThreads: true,
    memAvailable: true,
    schedColumn: 45,
    numbersVirtioQueues: true,
    diskstatsFields: 17,
    compiler: "gcc (GCC) 14.2.0, GNU ld (GNU Binutils) 2.44",
    clocksourceChange: "clocksource: Switched to clocksource",
    tracefs: true,
  },
};
