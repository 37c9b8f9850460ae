/**
 * CPUs in sysfs: `/sys/devices/system/cpu`.
 *
 * *Document*: Linux 3.5 `drivers/base/cpu.c`, `drivers/base/topology.c`;
 * `Documentation/ABI/testing/sysfs-devices-system-cpu`.
 *
 * *Modelled*: the masks, `cpuN/online` with hotplug behind it, `cpuN/topology` of CPUs that are online. A slave CPU is
 * offline here.
 *
 * *Not modelled*: `cache`, `cpufreq`, `cpuidle`, `power`, `uevent`, `probe`. They are absent.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { type CpuIdentity, placeOf } from "./cpu_identity.ts";
import { cpuList, cpuMask } from "./cpu_mask.ts";
import { EINVAL, Errno } from "./errno.ts";
import type { CpuHotplug } from "./hotplug.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelCpu } from "./kernel_cpu.ts";
import type { CpuMask } from "./task.ts";
import type { AttributeNode, DirectoryNode, Node } from "./vfs.ts";

/** CONFIG_NR_CPUS - 1: what `kernel_max` shows. */
const KERNEL_MAX = 255;

/** What the directory needs to know beside the kernel. */
export interface SysfsCpuPorts {
  /** What the processors are. */
  readonly identity: CpuIdentity;
  /** CPU hotplug; `null`: the kernel is built without, and `cpuN/online` is absent. */
  readonly hotplug: CpuHotplug | null;
  /** The CPU that executes the store. */
  thisCpu(): KernelCpu;
}

/** The directory; mount it at `/sys/devices/system/cpu`. */
export function sysfsCpu(kernel: Kernel, ports: SysfsCpuPorts): DirectoryNode {
  const list = (mask: () => CpuMask): AttributeNode => readOnly(() => `${cpuList(mask())}\n`);
  const entries = new Map<string, Node>([
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
  const entries = new Map<string, Node>();
  const { hotplug } = ports;
  // The boot CPU cannot be taken offline on x86 of that era.
  if (hotplug !== null && cpu.id !== 0) {
    entries.set("online", {
      kind: "attribute",
      mode: 0o644,
      show: () => cpu.state === "online" ? "1\n" : "0\n",
      store: (text) => storeOnline(cpu, hotplug, ports, text),
    });
  }
  const withTopology = new Map(entries).set("topology", topologyDirectory(cpu, ports.identity));
  return directory(() => cpu.state === "online" ? withTopology : entries);
}

/** store_online(): the first character decides, whatever follows. */
function* storeOnline(
  cpu: KernelCpu,
  hotplug: CpuHotplug,
  ports: SysfsCpuPorts,
  text: string,
): Activity<Errno | void> {
  const by = ports.thisCpu().current;
  let result;
  if (text.startsWith("0")) result = yield* hotplug.cpuDown(cpu.id, by);
  else if (text.startsWith("1")) result = yield* hotplug.cpuUp(cpu.id, by);
  else return EINVAL;
  if (result instanceof Errno) return result;
}

function topologyDirectory({ kernel, id }: KernelCpu, identity: CpuIdentity): DirectoryNode {
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
  const entries = new Map<string, Node>([
    ["core_id", readOnly(() => `${here.core}\n`)],
    ["core_siblings", readOnly(() => `${cpuMask(siblings(false), cpus)}\n`)],
    ["core_siblings_list", readOnly(() => `${cpuList(siblings(false))}\n`)],
    ["physical_package_id", readOnly(() => `${here.package}\n`)],
    ["thread_siblings", readOnly(() => `${cpuMask(siblings(true), cpus)}\n`)],
    ["thread_siblings_list", readOnly(() => `${cpuList(siblings(true))}\n`)],
  ]);
  return directory(() => entries);
}

function directory(entries: () => ReadonlyMap<string, Node>): DirectoryNode {
  return { kind: "directory", list: () => entries().keys(), lookup: (name) => entries().get(name) };
}

function readOnly(show: () => string): AttributeNode {
  return { kind: "attribute", mode: 0o444, show };
}
