/**
 * `/proc/cpuinfo`: a block for each CPU online.
 *
 * *Document*: Linux 3.5 `arch/x86/kernel/cpu/proc.c` (`show_cpuinfo`).
 *
 * @module
 */

import { type CpuIdentity, placeOf } from "../../cpu_identity.ts";
import type { Kernel } from "../../kernel.ts";

/** The text. Packages of one logical processor have no topology lines. */
export function procCpuinfo(kernel: Kernel, identity: CpuIdentity): string {
  return kernel.cpus.filter(({ state }) => state === "online").map(({ id }) => block(kernel, identity, id))
    .join("");
}

function block(kernel: Kernel, identity: CpuIdentity, id: number): string {
  const { cores, threads, khz } = identity;
  const lines: string[] = [];
  const line = (key: string, value: string | number) => {
    // Keys are padded with tabs to column 16.
    lines.push(`${key}${"\t".repeat(Math.max(1, 2 - Math.floor(key.length / 8)))}: ${value}`);
  };
  line("processor", id);
  line("vendor_id", identity.vendor);
  line("cpu family", identity.family);
  line("model", identity.model);
  line("model name", identity.modelName);
  line("stepping", identity.stepping);
  if (identity.microcode !== 0) line("microcode", `0x${identity.microcode.toString(16)}`);
  line("cpu MHz", (khz / 1000).toFixed(3));
  line("cache size", `${identity.cacheKb} KB`);
  if (cores * threads > 1) {
    const place = placeOf(identity, id, kernel.cpus.length);
    const siblings = kernel.cpus.filter((cpu) =>
      cpu.state === "online" && placeOf(identity, cpu.id, kernel.cpus.length).package === place.package
    );
    line("physical id", place.package);
    line("siblings", siblings.length);
    line("core id", place.core);
    line("cpu cores", Math.max(1, Math.floor(siblings.length / threads)));
    line("apicid", id);
    line("initial apicid", id);
  }
  line("fpu", "yes");
  line("fpu_exception", "yes");
  line("cpuid level", identity.cpuidLevel);
  line("wp", "yes");
  line("flags", identity.flags);
  if (identity.bugs !== undefined) line("bugs", identity.bugs);
  // Twice the time-stamp counter's MHz: the delay loop is measured against it.
  line("bogomips", ((2 * khz) / 1000).toFixed(2));
  line("clflush size", identity.cacheLine);
  line("cache_alignment", identity.cacheLine);
  line("address sizes", `${identity.physicalBits} bits physical, ${identity.virtualBits} bits virtual`);
  return `${lines.join("\n")}\npower management:\n\n`;
}
