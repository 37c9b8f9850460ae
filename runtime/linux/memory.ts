/**
 * Memory: who has how much of it, and what happens when that is more than there is.
 *
 * *Document*: Linux 3.5 `mm/vmscan.c` (direct reclaim), `mm/mlock.c`, `virt/kvm/kvm_main.c` (MMU notifier).
 *
 * *Modelled*: whoever allocates while memory is short takes a page from somebody, the larger the likelier; that one has to
 * read it from the disk when it touches it. Locked memory is never taken.
 *
 * *Not modelled*: pages, caches, NUMA, kswapd, what is free: there is no `/proc/meminfo`. Memory that nobody has declared
 * is nobody's.
 *
 * @module
 */

import { ns, parameters, perSecond, type Values } from "../../hw/parameters.ts";
import { type Step, work } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { RandomStream } from "../../hw/sim/random.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/** What shortage costs. */
export const memoryParameters = parameters({
  reclaimRate: perSecond("Pages in use that a process which allocates takes, while memory is short"),
  reclaim: ns("Taking one: scan, unmap, write"),
  readPage: ns("Reading one back from the disk"),
});

/** Values of {@linkcode memoryParameters}. */
export type MemoryCosts = Values<typeof memoryParameters>;

/** Somebody who has memory. */
export interface MemoryUser {
  /** MiB. */
  readonly mib: number;
  /** mlock(2): none of it can be taken. */
  readonly locked: boolean;
  /** A page of it is taken, by software on CPU `from`. */
  unmapPage(from: KernelCpu): void;
}

/** The memory of one kernel's computer. */
export class Memory {
  /** How long reading a page back takes, ns. */
  readonly readPageNs: number;
  /** The work of taking one. */
  readonly reclaimStep: Step;
  readonly #users = new Set<MemoryUser>();
  readonly #draws: RandomStream;
  readonly #rate: number;

  /** @param mib how much there is; without costs it is never short */
  constructor(kernel: Kernel, readonly mib: number, costs: MemoryCosts | undefined) {
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
    let used = 0;
    for (const { mib } of this.#users) used += mib;
    return used > this.mib && this.#rate > 0;
  }

  /** How long a process allocates until it has to take a page, ns. */
  untilReclaimNs(): number {
    return Math.ceil((this.#draws.exponential() * 1e9) / this.#rate);
  }

  /** Adds who has how much to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.#users.size);
    for (const { mib, locked } of this.#users) hash.number(mib).flag(locked);
  }

  /** Takes a page from one of those whose memory is not locked. */
  reclaim(from: KernelCpu): void {
    const victims = [...this.#users].filter(({ locked }) => !locked);
    let at = this.#draws.uniform() * victims.reduce((sum, { mib }) => sum + mib, 0);
    victims.find(({ mib }) => (at -= mib) < 0)?.unmapPage(from);
  }
}
