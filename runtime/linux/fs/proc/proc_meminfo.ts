/**
 * `/proc/meminfo`: how much memory there is, and how much of it somebody has.
 *
 * *Document*: Linux 3.5 and 6.18 `fs/proc/meminfo.c`; `proc(5)`.
 *
 * *Modelled*: the total, what those have who have said so (guests, `stress`), what of it is locked, huge pages.
 *
 * *Not modelled*: caches, buffers, swap, slabs and everything else: such lines are 0 where tools look for them, else
 * absent. What the kernel and small programs take is nobody's.
 *
 * @module
 */

import type { KernelInterfaces } from "../../interfaces.ts";
import { HUGE_PAGE_MIB, type Memory } from "../../memory.ts";

/** The text. */
export function procMeminfo(memory: Memory, { memAvailable }: KernelInterfaces): string {
  const free = Math.max(0, memory.mib - memory.usedMib);
  const line = (name: string, kb: number) => `${`${name}:`.padEnd(16)}${String(kb).padStart(8)} kB`;
  const count = (name: string, pages: number) => `${`${name}:`.padEnd(16)}${String(pages).padStart(8)}`;
  const mib = (name: string, value: number) => line(name, value * 1024);
  return [
    mib("MemTotal", memory.mib),
    mib("MemFree", free),
    ...(memAvailable ? [mib("MemAvailable", free)] : []),
    line("Buffers", 0),
    line("Cached", 0),
    line("SwapCached", 0),
    mib("Mlocked", memory.lockedMib),
    line("SwapTotal", 0),
    line("SwapFree", 0),
    line("AnonHugePages", 0),
    count("HugePages_Total", memory.hugePages),
    count("HugePages_Free", memory.hugePages),
    count("HugePages_Rsvd", 0),
    count("HugePages_Surp", 0),
    mib("Hugepagesize", HUGE_PAGE_MIB),
    "",
  ].join("\n");
}
