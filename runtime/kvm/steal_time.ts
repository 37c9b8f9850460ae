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
import type { Task } from "../linux/sched/task.ts";

/** MSR_KVM_STEAL_TIME. */
export const MSR_STEAL_TIME = 0x4b56_4d03;
/** Bit 0: enabled; bits 5:1 are reserved; the rest is the record's address. */
const ENABLED = 1n, RESERVED = 0x3en;

/** Steal time of one vCPU. */
export class StealTime {
  #record: StealRecord | null = null;
  #value = 0n;
  /** The register is enabled. */
  #enabled = false;
  /** The record, while the register means it. */
  #told: StealRecord | null = null;
  #seenNs = NaN;

  constructor() {
    this.#seenNs = 0; // soon large: see `Engine`
  }

  /** The register. */
  get value(): bigint {
    return this.#value;
  }

  /** What the guest's kernel has at the address that it gives; null: it has nothing there. */
  get record(): StealRecord | null {
    return this.#record;
  }

  /** Writes the register. @param thread the vCPU's, where it has one @returns false: reserved bits */
  write(value: bigint, thread: Task | null): boolean {
    if ((value & RESERVED) !== 0n) return false;
    this.#set(value, this.#record);
    this.#seenNs = thread?.runDelayNs ?? 0;
    return true;
  }

  /** The guest's kernel has a record, and gives its address. */
  enable(record: StealRecord): void {
    this.#set(BigInt(record.address) | ENABLED, record);
    this.#seenNs = 0;
  }

  /** Here, and not at each update, where numbers of 64 bits would take longer than all the rest. */
  #set(value: bigint, record: StealRecord | null): void {
    this.#value = value;
    this.#record = record;
    this.#enabled = (value & ENABLED) !== 0n;
    this.#told = this.#enabled && record !== null && BigInt(record.address) === (value & ~ENABLED)
      ? record
      : null;
  }

  /** The vCPU is loaded on a CPU of `thread`'s. @returns what it has told the record, ns */
  update(thread: Task): number {
    const delta = thread.runDelayNs - this.#seenNs;
    if (delta === 0 || !this.#enabled) return 0;
    this.#seenNs = thread.runDelayNs;
    if (this.#told === null) return 0;
    this.#told.stealNs += delta;
    return delta;
  }

  /** Off, as after a reset. */
  reset(): void {
    this.#set(0n, null);
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.text(String(this.#value)).number(this.#seenNs).number(this.#record?.stealNs ?? 0);
  }
}
