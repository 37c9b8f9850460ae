/**
 * `/proc/sys/kernel`: what can be tuned while the kernel runs.
 *
 * *Document*: Linux 3.5 `kernel/sysctl.c`; `Documentation/sysctl/kernel.txt`.
 *
 * *Modelled*: the fair scheduler's three granularities, `sched_migration_cost`, `ostype`, `osrelease`.
 *
 * *Not modelled*: every other entry; it is absent, so a script that sets one fails.
 *
 * @module
 */

import { EINVAL, type Errno } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import type { AttributeNode, DirectoryNode, Node } from "./vfs.ts";

const NS_PER_SECOND = 1_000_000_000;
/** What an integer of the kernel holds. */
const INT_MAX = 0x7fff_ffff;
/** `min_sched_granularity_ns`. */
const GRANULARITY_MIN_NS = 100_000;

/** `/proc/sys`; mount it with the rules of SYSCTL, whose modes bind root. */
export function procSys(kernel: Kernel): DirectoryNode {
  const { tunables } = kernel;
  const entries = new Map<string, Node>([
    ["osrelease", readOnly(() => `${kernel.release.release}\n`)],
    ["ostype", readOnly(() => "Linux\n")],
    [
      "sched_latency_ns",
      integer(
        () => tunables.latencyNs,
        (value) => tunables.latencyNs = value,
        GRANULARITY_MIN_NS,
        NS_PER_SECOND,
      ),
    ],
    [
      "sched_migration_cost",
      integer(
        () => tunables.migrationCostNs,
        (value) => tunables.migrationCostNs = value,
        0,
        INT_MAX,
      ),
    ],
    [
      "sched_min_granularity_ns",
      integer(
        () => tunables.minGranularityNs,
        (value) => tunables.minGranularityNs = value,
        GRANULARITY_MIN_NS,
        NS_PER_SECOND,
      ),
    ],
    [
      "sched_wakeup_granularity_ns",
      integer(
        () => tunables.wakeupGranularityNs,
        (value) => tunables.wakeupGranularityNs = value,
        0,
        NS_PER_SECOND,
      ),
    ],
  ]);
  const inner: DirectoryNode = {
    kind: "directory",
    mode: 0o555,
    list: () => entries.keys(),
    lookup: (name) => entries.get(name),
  };
  return {
    kind: "directory",
    mode: 0o555,
    list: () => ["kernel"],
    lookup: (name) => name === "kernel" ? inner : undefined,
  };
}

function readOnly(show: () => string): AttributeNode {
  return { kind: "attribute", mode: 0o444, show };
}

/** proc_dointvec_minmax(): a decimal, octal or hexadecimal integer, white space around it. */
function integer(get: () => number, set: (value: number) => void, min: number, max: number): AttributeNode {
  return {
    kind: "attribute",
    mode: 0o644,
    show: () => `${get()}\n`,
    store: (text): Errno | void => {
      const match = /^\s*(-?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)(?:\s|$)/i.exec(text);
      if (match === null) return EINVAL;
      const digits = match[2]!;
      const magnitude = /^0[0-7]+$/.test(digits) ? parseInt(digits, 8) : Number(digits);
      const value = match[1] === "-" ? -magnitude : magnitude;
      if (value < min || value > max) return EINVAL;
      set(value);
    },
  };
}
