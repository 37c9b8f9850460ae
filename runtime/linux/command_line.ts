/**
 * The kernel's command line: what it says, and what of that the model does.
 *
 * *Document*: Linux 3.5 and 6.18 `Documentation/kernel-parameters.txt`, `kernel/sched/core.c` (`isolated_cpu_setup`),
 * `kernel/irq/irqdesc.c` (`irq_affinity_setup`), `drivers/iommu/intel/iommu.c` (`intel_iommu_setup`).
 *
 * *Modelled*: `isolcpus`, `irqaffinity`, `intel_iommu=on|off`, `pci-stub.ids`, `vfio-pci.ids`, `ixgbe.max_vfs`,
 * `kvm-intel.ept`,
 * `pci=nomsi`.
 *
 * *Not modelled*: parameters that would change what the model does and are not in this list: they are refused by name.
 * What a kernel only shows or hands to init (`root`, `console`, `quiet`, …) is taken.
 *
 * @module
 */

import { parseCpuList } from "./cpu_mask.ts";
import { Errno } from "./errno.ts";
import type { CpuMask } from "./sched/task.ts";

/** What a command line says. */
export interface BootParameters {
  /** CPUs that the scheduler leaves alone: `isolcpus`. */
  readonly isolated: CpuMask;
  /** CPUs that interrupts go to by default; 0: not said. */
  readonly irqAffinity: CpuMask;
  /** Whether the IOMMU is on. */
  readonly iommu: boolean;
  /** `pci-stub.ids`, empty where absent. */
  readonly stubIds: string;
  /** `vfio-pci.ids`, empty where absent. */
  readonly vfioIds: string;
  /** `ixgbe.max_vfs`; undefined where absent. */
  readonly maxVfs: number | undefined;
  /** PCI devices interrupt by their lines: `pci=nomsi`. */
  readonly noMessages: boolean;
  /** `kvm-intel.ept`: whether guests' page tables are the processor's to walk. */
  readonly ept: boolean;
}

/** Parameters that a kernel shows and that change nothing in the model. */
const WITHOUT_EFFECT = new Set(
  ("BOOT_IMAGE root ro rw quiet splash console earlyprintk loglevel debug ignore_loglevel initrd init rootfstype " +
    "rootdelay rootwait crashkernel net.ifnames biosdevname rd.break selinux audit apparmor panic iommu " +
    "systemd.unit nomodeset").split(" "),
);

/** What the real kernel would do and the model does not, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  nohz_full: "the tick of a busy CPU goes on here",
  nohz: "whether the tick stops is a property of the kernel build here",
  rcu_nocbs: "RCU callbacks are part of the background here, CPU by CPU",
  rcu_nocb_poll: "RCU callbacks are part of the background here, CPU by CPU",
  skew_tick: "the ticks of all CPUs lie on one grid here",
  idle: "an idle CPU halts here",
  "intel_idle.max_cstate": "an idle CPU halts in C1 here",
  "processor.max_cstate": "an idle CPU halts in C1 here",
  intel_pstate: "the clock does not change here",
  maxcpus: "all CPUs come up here: take them offline",
  nr_cpus: "all CPUs come up here: take them offline",
  mem: "the memory's size is the machine's here",
  hugepages: "there are no huge pages here",
  hugepagesz: "there are no huge pages here",
  default_hugepagesz: "there are no huge pages here",
  transparent_hugepage: "there are no huge pages here",
  mitigations: "no cost depends on it here",
  nosmt: "a core has one thread here",
  kthread_cpus: "kernel threads that are bound to no CPU go anywhere here",
  threadirqs: "handlers run where the kernel build has them",
};

/** Parameters that the model takes, for suggestions. */
export const MODELLED_PARAMETERS: readonly string[] = [
  "isolcpus",
  "irqaffinity",
  "intel_iommu",
  "pci-stub.ids",
  "vfio-pci.ids",
  "ixgbe.max_vfs",
  "kvm-intel.ept",
  "pci",
];

/** Words of `isolcpus=` in front of the list, since Linux 4.15. */
const ISOLATION_FLAGS = new Set(["domain", "managed_irq"]);

/** `isolcpus=[flag,…]LIST`. */
function isolatedCpus(value: string, cpus: number): CpuMask | string {
  const parts = value.split(",");
  while (ISOLATION_FLAGS.has(parts[0] ?? "")) parts.shift();
  if (parts[0] === "nohz") {
    return `isolcpus=${value}: nohz is not modelled: the tick of a busy CPU goes on here`;
  }
  return cpuList("isolcpus", parts.join(","), cpus);
}

function cpuList(name: string, text: string, cpus: number): CpuMask | string {
  const mask = parseCpuList(text, cpus);
  if (mask instanceof Errno || mask === 0) {
    return `${name}=${text}: expected a list of CPUs from 0 to ${cpus - 1}, such as 1,3 or 2-3`;
  }
  return mask;
}

/**
 * Reads a command line; of a parameter that stands there twice the last one counts.
 *
 * @param cpus how many CPUs there are
 * @returns a text says what is wrong, or not modelled
 */
export function parseCommandLine(text: string, cpus: number): BootParameters | string {
  let isolated = 0, irqAffinity = 0, iommu = false, stubIds = "", vfioIds = "";
  let maxVfs: number | undefined, noMessages = false;
  let ept = true;
  for (const word of text.split(/\s+/).filter((word) => word !== "")) {
    const at = word.indexOf("=");
    const name = at < 0 ? word : word.slice(0, at), value = at < 0 ? "" : word.slice(at + 1);
    switch (name) {
      case "isolcpus":
      case "irqaffinity": {
        const mask = name === "isolcpus" ? isolatedCpus(value, cpus) : cpuList(name, value, cpus);
        if (typeof mask === "string") return mask;
        if (name === "irqaffinity") irqAffinity = mask;
        else if (mask === 2 ** cpus - 1) return `${word}: no CPU is left for everybody else`;
        else isolated = mask;
        break;
      }
      case "intel_iommu": {
        const flags = value.split(",");
        if (flags.some((flag) => !["on", "off", "sm_on", "sm_off", "strict", "igfx_off"].includes(flag))) {
          return `${word}: expected on or off`;
        }
        for (const flag of flags) if (flag === "on" || flag === "off") iommu = flag === "on";
        break;
      }
      case "pci-stub.ids":
      case "pci_stub.ids":
        stubIds = value;
        break;
      case "vfio-pci.ids":
      case "vfio_pci.ids":
        vfioIds = value;
        break;
      case "ixgbe.max_vfs":
        if (!/^\d+$/.test(value) || Number(value) > 63) return `${word}: expected a number from 0 to 63`;
        maxVfs = Number(value);
        break;
      case "pci":
        for (const flag of value.split(",")) {
          if (flag !== "nomsi") return `${word}: not modelled: of pci= the model has nomsi`;
        }
        noMessages = true;
        break;
      case "kvm-intel.ept":
      case "kvm_intel.ept": // param_set_bool()
        if (!/^([yYnN01].*)?$/.test(value)) return `${word}: expected 0 or 1`;
        ept = !/^[nN0]/.test(value);
        break;
      default:
        if (Object.hasOwn(REFUSED, name)) return `${word}: not modelled: ${REFUSED[name]}`;
        if (!WITHOUT_EFFECT.has(name)) return `${word}: the model does not know this parameter`;
    }
  }
  return { isolated, irqAffinity, iommu, stubIds, vfioIds, maxVfs, noMessages, ept };
}
