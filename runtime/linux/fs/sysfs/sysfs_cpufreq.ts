/**
 * Frequency and idle states in sysfs: `cpuN/cpufreq`, and `cpuidle` beside the CPUs.
 *
 * *Document*: `Documentation/cpu-freq/user-guide.txt`, `Documentation/cpuidle/sysfs.txt`; Linux 3.5
 * `drivers/cpufreq/cpufreq.c`, `drivers/cpuidle/sysfs.c`.
 *
 * *Modelled*: a clock that does not change, as under governor `performance`, the only one that these kernels are built
 * with; idle CPUs that halt, without a driver of cpuidle, so that no CPU has states of its own.
 *
 * @module
 */

import { attribute, directory, readOnly } from "../computed_nodes.ts";
import type { CpuIdentity } from "../../cpu_identity.ts";
import { EINVAL } from "../../errno.ts";
import type { AttributeNode, DirectoryNode } from "../vfs.ts";

/** The only governor. */
const GOVERNOR = "performance";

/** `cpuN/cpufreq` of a CPU. */
export function cpufreqDirectory(id: number, { khz }: CpuIdentity): DirectoryNode {
  const frequency = () => file(`${khz}`);
  // Every wish is cut to what the hardware can.
  const limit = () =>
    attribute(0o644, () => `${khz}\n`, (text) => /^\s*\d+\s*$/.test(text) ? undefined : EINVAL);
  return directory(() =>
    new Map([
      ["affected_cpus", file(`${id}`)],
      ["cpuinfo_cur_freq", file(`${khz}`, 0o400)],
      ["cpuinfo_max_freq", frequency()],
      ["cpuinfo_min_freq", frequency()],
      ["scaling_available_governors", file(`${GOVERNOR} `)],
      ["scaling_cur_freq", frequency()],
      ["scaling_driver", file("acpi-cpufreq")],
      [
        "scaling_governor",
        attribute(0o644, () => `${GOVERNOR}\n`, (text) => text.trim() === GOVERNOR ? undefined : EINVAL),
      ],
      ["scaling_max_freq", limit()],
      ["scaling_min_freq", limit()],
    ])
  );
}

/** `/sys/devices/system/cpu/cpuidle`: nobody drives it. */
export function cpuidleDirectory(): DirectoryNode {
  return directory([["current_driver", file("none")], ["current_governor_ro", file("menu")]]);
}

function file(text: string, mode = 0o444): AttributeNode {
  return readOnly(() => `${text}\n`, mode);
}
