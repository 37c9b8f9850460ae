/**
 * `/proc/sys`: what can be tuned while the kernel runs; and the tunables of the fair scheduler wherever a version has
 * them.
 *
 * *Document*: Linux 3.5 and 6.18 `kernel/sysctl.c`, `kernel/sched/{rt,debug}.c`, `mm/hugetlb.c`;
 * `Documentation/sysctl/{kernel,vm}.txt`.
 *
 * *Modelled*: in `kernel` the fair scheduler's three granularities and `sched_migration_cost`, `ostype`, `osrelease`; in
 * `vm` `nr_hugepages`.
 *
 * *Not modelled*: every other entry; it is absent, so a script that sets one fails.
 *
 * *Deviations*: `sched_rt_runtime_us`, `sched_rt_period_us` and `swappiness` are kept and change nothing: real-time tasks
 * are never throttled, and there is no swap.
 *
 * @module
 */

import { directory, readOnly } from "../computed_nodes.ts";
import { EINVAL, type Errno } from "../../errno.ts";
import type { KernelInterfaces } from "../../interfaces.ts";
import type { Kernel } from "../../kernel.ts";
import type { SchedulerTunables } from "../../sched/sched_tunables.ts";
import type { AttributeNode, DirectoryNode, Node } from "../vfs.ts";

const NS_PER_SECOND = 1_000_000_000;
/** What an integer of the kernel holds. */
const INT_MAX = 0x7fff_ffff;
/** Of directories. */
const MODE = 0o555;
/** `min_sched_granularity_ns`. */
const GRANULARITY_MIN_NS = 100_000;

/** `/proc/sys`; mount it with the rules of SYSCTL, whose modes bind root. */
export function procSys(kernel: Kernel, { schedulerTunables }: KernelInterfaces): DirectoryNode {
  const { tunables, memory } = kernel;
  const own = schedulerTunables === "sysctl" ? schedulerFiles(tunables, SYSCTL_NAMES) : [];
  return directory([
    [
      "kernel",
      directory([
        ["osrelease", readOnly(() => `${kernel.release.release}\n`)],
        ["ostype", readOnly(() => "Linux\n")],
        ["sched_rt_period_us", kept(1_000_000, 1, INT_MAX)],
        ["sched_rt_runtime_us", kept(950_000, -1, INT_MAX)],
        ...own,
      ], MODE),
    ],
    [
      "vm",
      directory([
        [
          "nr_hugepages",
          new Integer(() => memory.hugePages, (pages) => memory.setHugePages(pages), 0, INT_MAX),
        ],
        ["swappiness", kept(60, 0, 100)],
      ], MODE),
    ],
  ], MODE);
}

/** Where each of the scheduler's tunables is found. */
type TunableNames = Readonly<Partial<Record<keyof SchedulerTunables, string>>>;

const SYSCTL_NAMES: TunableNames = {
  latencyNs: "sched_latency_ns",
  migrationCostNs: "sched_migration_cost",
  minGranularityNs: "sched_min_granularity_ns",
  wakeupGranularityNs: "sched_wakeup_granularity_ns",
};

const DEBUGFS_NAMES: TunableNames = {
  migrationCostNs: "migration_cost_ns",
  minGranularityNs: "base_slice_ns",
};

/** Smallest and largest value of each. */
const LIMITS: Readonly<Record<keyof SchedulerTunables, readonly [min: number, max: number]>> = {
  latencyNs: [GRANULARITY_MIN_NS, NS_PER_SECOND],
  migrationCostNs: [0, INT_MAX],
  minGranularityNs: [GRANULARITY_MIN_NS, NS_PER_SECOND],
  wakeupGranularityNs: [0, NS_PER_SECOND],
};

/** `/sys/kernel/debug/sched` of versions that have the tunables there. */
export function debugSched({ tunables }: Kernel): DirectoryNode {
  return directory(schedulerFiles(tunables, DEBUGFS_NAMES), MODE);
}

function schedulerFiles(tunables: SchedulerTunables, names: TunableNames): [string, Node][] {
  return (Object.keys(names) as (keyof SchedulerTunables)[]).map((key) => {
    const set = (value: number) => void (tunables[key] = value);
    return [names[key]!, new Integer(() => tunables[key], set, ...LIMITS[key])];
  });
}

/** A number that nothing in the model asks for. */
function kept(value: number, min: number, max: number): AttributeNode {
  let now = value;
  return new Integer(() => now, (next) => now = next, min, max);
}

/** proc_dointvec_minmax(): a decimal, octal or hexadecimal integer, white space around it. */
class Integer implements AttributeNode {
  readonly kind = "attribute";
  readonly mode = 0o644;

  constructor(
    readonly get: () => number,
    readonly set: (value: number) => void,
    readonly min: number,
    readonly max: number,
  ) {}

  show(): string {
    return `${this.get()}\n`;
  }

  store(text: string): Errno | void {
    const match = /^\s*(-?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)(?:\s|$)/i.exec(text);
    if (match === null) return EINVAL;
    const digits = match[2]!;
    const magnitude = /^0[0-7]+$/.test(digits) ? parseInt(digits, 8) : Number(digits);
    const value = match[1] === "-" ? -magnitude : magnitude;
    if (value < this.min || value > this.max) return EINVAL;
    this.set(value);
  }
}
