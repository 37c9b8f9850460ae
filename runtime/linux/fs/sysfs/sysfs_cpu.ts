/**
 * CPUs in sysfs: `/sys/devices/system/cpu`.
 *
 * *Document*: Linux 3.5 and 6.18 `drivers/base/cpu.c`, `drivers/base/topology.c`;
 * `Documentation/ABI/testing/sysfs-devices-system-cpu`.
 *
 * *Modelled*: the masks, `cpuN/online` with hotplug behind it, `cpuN/topology` of CPUs that are online. A slave CPU is
 * offline here. `cpufreq` and `cpuidle`: see `sysfs_cpufreq.ts`.
 *
 * *Not modelled*: `cache`, `power`, `uevent`, `probe`. They are absent.
 *
 * *Deviations*: `isolated` is there in every version, though Linux has it since 4.0.
 *
 * @module
 */

import { attribute, directory, type Entries, readOnly } from "../computed_nodes.ts";
import type { Activity } from "../../../../hw/sim/activity.ts";
import { parseBoolean } from "./boolean_text.ts";
import { type CpuIdentity, placeOf } from "../../cpu_identity.ts";
import { cpuList, cpuMask } from "../../cpu_mask.ts";
import { EINVAL, Errno } from "../../errno.ts";
import type { CpuHotplug } from "../../hotplug.ts";
import type { KernelInterfaces } from "../../interfaces.ts";
import type { Kernel } from "../../kernel.ts";
import type { KernelCpu } from "../../kernel_cpu.ts";
import { cpufreqDirectory, cpuidleDirectory } from "./sysfs_cpufreq.ts";
import type { CpuMask } from "../../sched/task.ts";
import type { AttributeNode, DirectoryNode, Node } from "../vfs.ts";

/** CONFIG_NR_CPUS - 1: what `kernel_max` shows. */
const KERNEL_MAX = 255;

/** What the directory needs to know beside the kernel. */
export interface SysfsCpuPorts {
  /** What the processors are. */
  readonly identity: CpuIdentity;
  /** CPU hotplug; `null`: the kernel is built without, and `cpuN/online` is absent. */
  readonly hotplug: CpuHotplug | null;
  /** Which files there are, and what they take. */
  readonly interfaces: KernelInterfaces;
  /** The CPU that executes the store. */
  thisCpu(): KernelCpu;
}

/** The directory; mount it at `/sys/devices/system/cpu`. */
export function sysfsCpu(kernel: Kernel, ports: SysfsCpuPorts): DirectoryNode {
  const list = (mask: () => CpuMask): AttributeNode => readOnly(() => `${cpuList(mask())}\n`);
  const entries = new Map<string, Node>([
    ["cpuidle", cpuidleDirectory()],
    ["isolated", list(() => kernel.isolated)],
    ["kernel_max", readOnly(() => `${KERNEL_MAX}\n`)],
    ["offline", list(() => kernel.possibleMask & ~kernel.onlineMask)],
    ["online", list(() => kernel.onlineMask)],
    ["possible", list(() => kernel.possibleMask)],
    ["present", list(() => kernel.possibleMask)],
  ]);
  for (const cpu of kernel.cpus) entries.set(`cpu${cpu.id}`, cpuDirectory(cpu, ports));
  return directory(() => entries);
}

function cpuDirectory(cpu: KernelCpu, ports: SysfsCpuPorts): DirectoryNode {
  return directory(() => cpuEntries(cpu, ports));
}

function cpuEntries(cpu: KernelCpu, ports: SysfsCpuPorts): Entries {
  const entries = new Map<string, Node>();
  const { hotplug } = ports;
  // The boot CPU cannot be taken offline on x86 of that era.
  if (hotplug !== null && cpu.id !== 0) {
    entries.set(
      "online",
      attribute(
        0o644,
        () => cpu.state === "online" ? "1\n" : "0\n",
        (text) => storeOnline(cpu, hotplug, ports, text),
      ),
    );
  }
  if (cpu.state !== "online") return entries;
  entries.set("topology", directory(() => topologyEntries(cpu, ports)));
  // The frequency is the machine's: a virtual CPU has nothing to set.
  if (hotplug !== null) entries.set("cpufreq", cpufreqDirectory(cpu.id, ports.identity));
  return entries;
}

/** store_online(): in 3.5 the first character decides, whatever follows. */
function onlineOf(text: string, { onlineTakesWords }: KernelInterfaces): boolean | undefined {
  if (onlineTakesWords) return parseBoolean(text);
  return text.startsWith("1") ? true : text.startsWith("0") ? false : undefined;
}

function* storeOnline(
  cpu: KernelCpu,
  hotplug: CpuHotplug,
  ports: SysfsCpuPorts,
  text: string,
): Activity<Errno | void> {
  const by = ports.thisCpu().current;
  const online = onlineOf(text, ports.interfaces);
  if (online === undefined) return EINVAL;
  const result = online ? yield* hotplug.cpuUp(cpu.id, by) : yield* hotplug.cpuDown(cpu.id, by);
  if (result instanceof Errno) return result;
}

function topologyEntries({ kernel, id }: KernelCpu, ports: SysfsCpuPorts): Entries {
  const { identity, interfaces } = ports;
  const cpus = kernel.cpus.length;
  const here = placeOf(identity, id, cpus);
  /** The CPUs online of the same package, or of the same core. */
  const siblings = (sameCore: boolean): CpuMask => {
    let mask = 0;
    for (const { id: other } of kernel.cpus) {
      const place = placeOf(identity, other, cpus);
      if (place.package === here.package && (!sameCore || place.core === here.core)) mask |= 1 << other;
    }
    return mask & kernel.onlineMask;
  };
  const mask = (sameCore: boolean) => readOnly(() => `${cpuMask(siblings(sameCore), cpus)}\n`);
  const list = (sameCore: boolean) => readOnly(() => `${cpuList(siblings(sameCore))}\n`);
  const entries = new Map<string, Node>([
    ["core_id", readOnly(() => `${here.core}\n`)],
    ["core_siblings", mask(false)],
    ["core_siblings_list", list(false)],
    ["physical_package_id", readOnly(() => `${here.package}\n`)],
    ["thread_siblings", mask(true)],
    ["thread_siblings_list", list(true)],
  ]);
  if (interfaces.topologyNamesPackages) {
    entries.set("core_cpus", mask(true)).set("core_cpus_list", list(true));
    entries.set("die_cpus", mask(false)).set("die_cpus_list", list(false)).set(
      "die_id",
      readOnly(() => "0\n"),
    );
    entries.set("package_cpus", mask(false)).set("package_cpus_list", list(false));
  }
  return entries;
}
