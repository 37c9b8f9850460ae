/**
 * Memory slots: which pages of a process a machine has as its memory, and where.
 *
 * *Document*: Linux 3.5 and 6.18 `virt/kvm/kvm_main.c`: `__kvm_set_memory_region()`, `kvm_set_memory_region()`.
 *
 * @module
 */

import { EEXIST, EINVAL, type Errno } from "../../linux/errno.ts";
import type { View } from "../uapi/structure.ts";
import { accessOk, PAGE_SIZE } from "../uapi/user_memory.ts";
import type { KvmVersion } from "../versions.ts";

/** KVM_MEM_READONLY. */
const READ_ONLY = 2;
/** KVM_MEM_MAX_NR_PAGES. */
const MOST_PAGES = 2n ** 31n - 1n;
const PAGE = BigInt(PAGE_SIZE);

/** A slot that is in use. */
export interface MemorySlot {
  readonly guestAddress: bigint;
  readonly bytes: bigint;
  readonly userAddress: bigint;
  readonly flags: number;
}

/** The slots of a machine. */
export class MemorySlots {
  readonly #slots = new Map<number, MemorySlot>();

  constructor(readonly version: KvmVersion) {}

  /** The slots in use. */
  values(): IterableIterator<MemorySlot> {
    return this.#slots.values();
  }

  /** Whether guest-physical `address` is memory. */
  covers(address: bigint): boolean {
    return [...this.#slots.values()].some(({ guestAddress, bytes }) =>
      address >= guestAddress && address < guestAddress + bytes
    );
  }

  /** `KVM_SET_USER_MEMORY_REGION`: makes, moves, changes or (of no size) deletes a slot. */
  set(
    region: View<"slot" | "flags" | "guest_phys_addr" | "memory_size" | "userspace_addr">,
  ): 0 | Errno {
    const { version } = this;
    const number = region.get("slot");
    const slot: MemorySlot = {
      guestAddress: region.big("guest_phys_addr"),
      bytes: region.big("memory_size"),
      userAddress: region.big("userspace_addr"),
      flags: region.get("flags"),
    };
    if (version.memoryFlags !== null && (slot.flags & ~version.memoryFlags) !== 0) return EINVAL;
    if (slot.bytes % PAGE !== 0n || slot.guestAddress % PAGE !== 0n) return EINVAL;
    if (slot.userAddress % PAGE !== 0n || !accessOk(slot.userAddress, slot.bytes)) return EINVAL;
    if (number >= version.memorySlots) return EINVAL; // bits 31:16 name an address space, and there is one
    if (slot.guestAddress + slot.bytes >= 2n ** 64n || slot.bytes / PAGE > MOST_PAGES) return EINVAL;
    const old = this.#slots.get(number);
    if (slot.bytes === 0n) {
      if (old === undefined && version.strictSlots) return EINVAL;
      this.#slots.delete(number);
      return 0;
    }
    if (old !== undefined) {
      if (old.bytes !== slot.bytes) return EINVAL;
      const other = old.userAddress !== slot.userAddress || ((old.flags ^ slot.flags) & READ_ONLY) !== 0;
      if (version.strictSlots && other) return EINVAL;
    }
    for (const [index, { guestAddress, bytes }] of this.#slots) {
      if (index === number) continue;
      if (slot.guestAddress < guestAddress + bytes && guestAddress < slot.guestAddress + slot.bytes) {
        return EEXIST;
      }
    }
    this.#slots.set(number, slot);
    return 0;
  }
}
