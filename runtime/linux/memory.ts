/**
 * Memory: who has how much of it, and what happens when that is more than there is.
 *
 * *Document*: Linux 3.5 `mm/vmscan.c` (direct reclaim), `mm/mlock.c`, `virt/kvm/kvm_main.c` (MMU notifier).
 *
 * *Modelled*: whoever allocates while memory is short takes a page from somebody, the larger the likelier; that one has to
 * read it from the disk when it touches it. Locked memory is never taken. A pool of huge pages is taken from what is
 * free.
 *
 * *Not modelled*: pages, caches, NUMA, kswapd. Memory that nobody has declared is nobody's. Huge pages lie in their pool:
 * nobody maps them.
 *
 * @module
 */

import { ns, parameters, perSecond, type Values } from "../../hw/parameters.ts";
import { type Activity, type Step, work } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { RandomStream } from "../../hw/sim/random.ts";
import type { Kernel } from "./kernel.ts";
import type { Task } from "./sched/task.ts";

/** What shortage costs. */
export const memoryParameters = parameters({
  reclaimRate: perSecond("Pages in use that a process which allocates takes, while memory is short"),
  reclaim: ns("Taking one: scan, unmap, write"),
  readPage: ns("Reading one back from the disk"),
});

/** Values of {@linkcode memoryParameters}. */
export type MemoryCosts = Values<typeof memoryParameters>;

/** Size of a huge page. */
export const HUGE_PAGE_MIB = 2;

/** Somebody who has memory. */
export interface MemoryUser {
  /** MiB. */
  readonly mib: number;
  /** mlock(2): none of it can be taken. */
  readonly locked: boolean;
  /** The process: its tgid. */
  addressSpace(): number;
  /** A page of it is taken. The CPUs that have it in their TLBs are told afterwards. */
  unmapPage(): void;
}

/** The memory of one kernel's computer. */
export class Memory {
  /** How long reading a page back takes, ns. */
  readonly readPageNs: number;
  /** The work of taking one. */
  readonly reclaimStep: Step;
  /** Pages in the pool of huge pages. */
  hugePages = 0;
  readonly #users = new Set<MemoryUser>();
  readonly #draws: RandomStream;
  readonly #rate: number;

  /** @param mib how much there is; without costs it is never short */
  constructor(readonly kernel: Kernel, readonly mib: number, costs: MemoryCosts | undefined) {
    this.#draws = kernel.engine.random.stream(`${kernel.name}.memory`);
    this.#rate = costs?.reclaimRate ?? 0;
    this.readPageNs = costs?.readPage ?? 0;
    this.reclaimStep = work("direct reclaim", kernel.kernelLayer, costs?.reclaim ?? 0);
  }

  /** Enters a user. */
  add(user: MemoryUser): void {
    this.#users.add(user);
  }

  /** Its memory is free again. */
  remove(user: MemoryUser): void {
    this.#users.delete(user);
  }

  /** Whether more is in use than there is. */
  get short(): boolean {
    return this.usedMib > this.mib && this.#rate > 0;
  }

  /** What somebody has, huge pages included, MiB. */
  get usedMib(): number {
    let used = this.hugePages * HUGE_PAGE_MIB;
    for (const { mib } of this.#users) used += mib;
    return used;
  }

  /** What of it is locked, MiB. */
  get lockedMib(): number {
    let locked = 0;
    for (const user of this.#users) if (user.locked) locked += user.mib;
    return locked;
  }

  /** nr_hugepages: the pool gets as many pages as are free, and gives back what is too much. */
  setHugePages(wanted: number): void {
    const free = Math.max(0, this.mib - this.usedMib);
    this.hugePages = Math.min(wanted, this.hugePages + Math.floor(free / HUGE_PAGE_MIB));
  }

  /** How long a process allocates until it has to take a page, ns. */
  untilReclaimNs(): number {
    return Math.ceil((this.#draws.exponential() * 1e9) / this.#rate);
  }

  /** Adds who has how much to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.#users.size).word(this.hugePages);
    for (const { mib, locked } of this.#users) hash.number(mib).flag(locked);
  }

  /** Takes a page from one of those whose memory is not locked. Executed by `task`. */
  *reclaim(task: Task): Activity {
    const victims = [...this.#users].filter(({ locked }) => !locked);
    let at = this.#draws.uniform() * victims.reduce((sum, { mib }) => sum + mib, 0);
    const victim = victims.find(({ mib }) => (at -= mib) < 0);
    if (victim === undefined) return;
    victim.unmapPage();
    yield* this.kernel.tlb.flush(task, victim.addressSpace());
  }
}
