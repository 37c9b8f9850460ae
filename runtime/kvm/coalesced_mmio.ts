/**
 * Writes to memory-mapped registers that wait for user space in a ring, because nothing follows from them at once.
 *
 * *Document*: Linux 3.5 and 6.18 `virt/kvm/coalesced_mmio.c`, `include/uapi/linux/kvm.h` (`struct kvm_coalesced_mmio_ring`,
 * KVM_COALESCED_MMIO_MAX).
 *
 * *Modelled*: zones of memory; a write within one goes to the ring while there is room, and the guest goes on.
 *
 * *Not modelled*: zones of ports (since 4.20): EINVAL.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import { EINVAL, type Errno } from "../linux/errno.ts";
import type { View } from "./uapi/structure.ts";

/** Entries of a ring that is a page: 8 bytes of indices, 24 of each entry. One stays free. */
const ENTRIES = Math.floor((4096 - 8) / 24);

/** A write that waits. */
export interface CoalescedWrite {
  readonly address: number;
  readonly bytes: number;
  readonly value: number;
}

/** The ring of a machine. */
export class CoalescedMmio {
  #zones: { readonly address: number; readonly bytes: number }[] = [];
  readonly #ring: CoalescedWrite[] = [];

  /** `KVM_REGISTER_COALESCED_MMIO`. */
  register(zone: View<"addr" | "size" | "pio">): 0 | Errno {
    if (zone.get("pio") !== 0) return EINVAL;
    this.#zones.push({ address: Number(zone.big("addr")), bytes: zone.get("size") });
    return 0;
  }

  /** `KVM_UNREGISTER_COALESCED_MMIO`: every zone that holds the one that is given. */
  unregister(zone: View<"addr" | "size" | "pio">): 0 | Errno {
    if (zone.get("pio") !== 0) return EINVAL;
    const address = Number(zone.big("addr")), size = zone.get("size");
    this.#zones = this.#zones.filter((each) => !holds(each, address, size));
    return 0;
  }

  /** The guest writes. @returns whether the write is in the ring now */
  take(address: number, bytes: number, value: number): boolean {
    if (this.#ring.length === ENTRIES - 1 || !this.#zones.some((zone) => holds(zone, address, bytes))) {
      return false;
    }
    this.#ring.push({ address, bytes, value });
    return true;
  }

  /** How many writes wait. */
  get length(): number {
    return this.#ring.length;
  }

  /** User space takes the oldest one; undefined: none waits. */
  shift(): CoalescedWrite | undefined {
    return this.#ring.shift();
  }

  /** Adds what waits to `hash`. */
  hashInto(hash: StateHash): void {
    for (const { address, bytes, value } of this.#ring) hash.word(address).word(bytes).word(value);
  }
}

function holds(
  zone: { readonly address: number; readonly bytes: number },
  address: number,
  bytes: number,
): boolean {
  return zone.address <= address && address + bytes <= zone.address + zone.bytes;
}
