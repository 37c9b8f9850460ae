/**
 * Steal time: how long a vCPU's thread has been waiting for a CPU, told to the guest.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/x86.c` (`accumulate_steal_time()`, `record_steal_time()`,
 * `kvm_set_msr_common()`: MSR_KVM_STEAL_TIME), `Documentation/virtual/kvm/msr.txt`.
 *
 * *Modelled*: MSR 0x4b564d03 with its address and enabling bit; the thread's `run_delay`, added to the guest's record
 * whenever the thread has got a CPU again. On a slave CPU nothing is recorded (patch 06): nobody waits there.
 *
 * *Not modelled*: the record's version and `preempted` (4.8).
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { StealRecord } from "../linux/board.ts";
import type { Task } from "../linux/task.ts";

/** MSR_KVM_STEAL_TIME. */
export const MSR_STEAL_TIME = 0x4b56_4d03;
/** Bit 0: enabled; bits 5:1 are reserved; the rest is the record's address. */
const ENABLED = 1n, RESERVED = 0x3en;

/** Steal time of one vCPU. */
export class StealTime {
  /** The register. */
  value = 0n;
  /** What the guest's kernel has at the address that it gives; null: it has nothing there. */
  record: StealRecord | null = null;
  /** All that it has told any record, ns. */
  toldNs = 0;
  #seenNs = 0;

  /** Writes the register. @param thread the vCPU's, where it has one @returns false: reserved bits */
  write(value: bigint, thread: Task | null): boolean {
    if ((value & RESERVED) !== 0n) return false;
    this.value = value;
    this.#seenNs = thread?.runDelayNs ?? 0;
    return true;
  }

  /** The guest's kernel has a record, and gives its address. */
  enable(record: StealRecord): void {
    this.record = record;
    this.value = BigInt(record.address) | ENABLED;
    this.#seenNs = 0;
  }

  /** The vCPU is loaded on a CPU of `thread`'s. */
  update(thread: Task): void {
    const delta = thread.runDelayNs - this.#seenNs;
    if (delta === 0 || (this.value & ENABLED) === 0n) return;
    this.#seenNs = thread.runDelayNs;
    const { record } = this;
    if (record === null || BigInt(record.address) !== (this.value & ~ENABLED)) return;
    record.stealNs += delta;
    this.toldNs += delta;
  }

  /** Off, as after a reset. */
  reset(): void {
    this.value = 0n;
    this.record = null;
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.text(String(this.value)).number(this.#seenNs).number(this.record?.stealNs ?? 0);
  }
}
