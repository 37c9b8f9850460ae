/**
 * KVM's caches of objects for page tables: filled where sleeping is allowed, emptied where it is not.
 *
 * *Document*: Linux 3.5 and 3.6 `arch/x86/kvm/mmu.c` (`mmu_topup_memory_caches()`, `mmu_topup_memory_cache()`,
 * `mmu_memory_cache_alloc()`, `kvm_mmu_load()`, `mmu_alloc_direct_roots()`, `kvm_mmu_alloc_page()`, `tdp_page_fault()`),
 * `arch/x86/include/asm/kvm_host.h` (`KVM_NR_MEM_OBJS`), `mm/slub.c` (`kmem_cache_alloc()`); patch 10 of the series, which
 * fills them in `vcpu_enter_guest_slave()`, before the vCPU is shipped, because a slave CPU has no slab.
 *
 * *Modelled*: what a vCPU has in its three caches, and when they are filled: before its root is loaded, before a fault is
 * mapped, and before a slave CPU gets it. Each object of the slab is a `kmem:kmem_cache_alloc` of the CPU that takes it; the
 * pages come from the page allocator, which a slave CPU may use. The root of a machine's EPT takes a header and a page; it
 * is one for all of the machine's vCPUs.
 *
 * A page that the host has taken leaves the tables above it standing, and nobody else maps it: giving it back takes
 * nothing out of the caches.
 *
 * *Not modelled*: the faults of a guest that touches its memory for the first time, and with that the tables below the
 * root; without EPT the shadow page tables; the caches since 3.7, whose sizes are others: nobody sees those filled. The other
 * users of the slab: no event tells of them. Of patch 10, the list of zapped pages (request 33) and the wake-up of
 * asynchronous page faults (34): nothing zaps a table on a slave CPU, and no fault is asynchronous.
 *
 * *Deviations*: filling takes no time of its own: it is in the cost of a fault and of a hand-off.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { traceSlabAllocation } from "../linux/trace/tracepoints.ts";
import type { Vcpu } from "./vcpu.ts";
import { has, type KvmVersion } from "./versions.ts";

/** KVM_NR_MEM_OBJS: what a cache holds when it has been filled. */
const CAPACITY = 40;

/** `struct kvm_mmu_memory_cache`. */
export class ObjectCache {
  /** Objects in it (`nobjs`). */
  objects = 0;

  /**
   * @param least with fewer it is filled
   * @param bytes of an object of the slab; null: these are pages
   */
  constructor(readonly least: number, readonly bytes: number | null) {}

  /** `mmu_memory_cache_alloc()`. @throws Error where it is empty, which is a BUG of the kernel's */
  take(): void {
    if (this.objects === 0) throw new Error("kernel BUG at arch/x86/kvm/mmu.c: an MMU cache is empty");
    this.objects--;
  }
}

/** The caches of one vCPU. */
export class MmuCaches {
  /** Reverse mappings of pages that are mapped more than once: eight, and PTE_PREFETCH_NUM. */
  readonly pteListDescs = new ObjectCache(16, 32);
  /** Page tables. */
  readonly pages = new ObjectCache(8, null);
  /** `struct kvm_mmu_page` of each. */
  readonly pageHeaders = new ObjectCache(4, 168);
  #rootLoaded = false;

  /**
   * `mmu_topup_memory_caches()` for `vcpu`, whose caches they are, executed on `cpu`.
   *
   * @throws Error on a slave CPU that would have to allocate: patch 10 answers -ENOMEM, and KVM_RUN would fail with it
   */
  topUp({ vm: { kvm } }: Vcpu, cpu: KernelCpu): void {
    for (const cache of [this.pteListDescs, this.pages, this.pageHeaders]) {
      if (cache.objects >= cache.least) continue;
      if (cache.bytes !== null) allocate(kvm.version, cpu, cache.bytes, CAPACITY - cache.objects);
      cache.objects = CAPACITY;
    }
  }

  /** `kvm_mmu_reload()` on `cpu`, before each entry: the first time it makes the vCPU a root. */
  load(vcpu: Vcpu, cpu: KernelCpu): void {
    if (this.#rootLoaded) return;
    this.#rootLoaded = true;
    this.topUp(vcpu, cpu);
    const { vm } = vcpu;
    if (vm.hasRoot || !vm.kvm.ept) return;
    vm.hasRoot = true;
    this.pageHeaders.take();
    this.pages.take();
  }

  /** Adds what is in them to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.pteListDescs.objects).word(this.pages.objects).word(this.pageHeaders.objects);
    hash.flag(this.#rootLoaded);
  }
}

/** Whether the caches of this version are those that are modelled. */
export function showsCaches(version: KvmVersion): boolean {
  return has(version, "3.5", "3.7");
}

/** `kmem_cache_zalloc()`, so many times. */
function allocate(version: KvmVersion, cpu: KernelCpu, bytes: number, count: number): void {
  if (cpu.state === "slave") {
    throw new Error(
      `cpu${cpu.id} is a slave CPU, and is to take ${count} objects of ${bytes} bytes from the slab`,
    );
  }
  if (cpu.kernel.engine.trace === null || !showsCaches(version)) return;
  for (let i = 0; i < count; i++) traceSlabAllocation(cpu, bytes);
}
