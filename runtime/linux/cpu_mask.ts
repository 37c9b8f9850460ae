/**
 * Masks and lists of CPUs, as sysfs and procfs write and read them.
 *
 * *Document*: Linux 3.5 `lib/bitmap.c` (`bitmap_scnprintf`, `bitmap_scnlistprintf`, `bitmap_parse`,
 * `bitmap_parselist`).
 *
 * ```ts
 * import { cpuList, cpuMask } from "./cpu_mask.ts";
 *
 * cpuList(0b1011); // "0-1,3"
 * cpuMask(0b1011, 8); // "0b"
 * ```
 *
 * @module
 */

import { EINVAL, EOVERFLOW, ERANGE, type Errno } from "./errno.ts";
import type { CpuMask } from "./sched/task.ts";

/** Lowest CPU of `mask`; -1: it is empty. */
export function firstCpu(mask: CpuMask): number {
  return mask === 0 ? -1 : 31 - Math.clz32(mask & -mask);
}

/** How many CPUs are in `mask`. */
export function countCpus(mask: CpuMask): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** `0-1,3`; an empty mask is an empty text. */
export function cpuList(mask: CpuMask): string {
  const ranges: string[] = [];
  for (let cpu = 0; cpu < 32; cpu++) {
    if ((mask & (1 << cpu)) === 0) continue;
    const first = cpu;
    while (cpu < 31 && (mask & (1 << (cpu + 1))) !== 0) cpu++;
    ranges.push(first === cpu ? `${first}` : `${first}-${cpu}`);
  }
  return ranges.join(",");
}

/** Hexadecimal, zero padded to `cpus` bits (at most 32). */
export function cpuMask(mask: CpuMask, cpus: number): string {
  return (mask >>> 0).toString(16).padStart(Math.ceil(cpus / 4), "0");
}

/**
 * What `cpuMask` writes: hexadecimal groups of up to 32 bits, joined by commas.
 *
 * @param cpus how many CPUs there can be
 * @returns EINVAL (no such number), EOVERFLOW (a CPU that cannot be)
 */
export function parseCpuMask(text: string, cpus: number): CpuMask | Errno {
  const trimmed = text.trim();
  if (!/^[0-9a-f]+(,[0-9a-f]+)*$/i.test(trimmed)) return EINVAL;
  const groups = trimmed.split(",").map((group) => group.replace(/^0+(?=.)/, ""));
  const low = groups.pop()!;
  if (groups.some((group) => group !== "0") || low.length > 8) return EOVERFLOW;
  const mask = parseInt(low, 16);
  return mask >= 2 ** cpus ? EOVERFLOW : mask | 0;
}

/**
 * What `cpuList` writes.
 *
 * @param cpus how many CPUs there can be
 * @returns EINVAL (no list, a range that runs backwards), ERANGE (a CPU that cannot be)
 */
export function parseCpuList(text: string, cpus: number): CpuMask | Errno {
  let mask = 0;
  const trimmed = text.trim();
  if (trimmed === "") return 0;
  for (const range of trimmed.split(",")) {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(range);
    if (match === null) return EINVAL;
    const first = Number(match[1]), last = Number(match[2] ?? match[1]);
    if (first > last) return EINVAL;
    if (last >= cpus) return ERANGE;
    for (let cpu = first; cpu <= last; cpu++) mask |= 1 << cpu;
  }
  return mask;
}
