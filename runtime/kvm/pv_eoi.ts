/**
 * PV EOI: a guest ends an interrupt by a bit of its own memory, without an exit.
 *
 * *Document*: Linux 3.6 `arch/x86/kvm/lapic.c` (`kvm_lapic_enable_pv_eoi()`, `apic_sync_pv_eoi_to_guest()`,
 * `apic_sync_pv_eoi_from_guest()`), `arch/x86/kernel/kvm.c` (`kvm_guest_apic_eoi_write()`),
 * `Documentation/virtual/kvm/msr.txt` (MSR_KVM_PV_EOI_EN).
 *
 * *Modelled*: MSR 0x4b564d04 with its address, which is a multiple of 4, and enabling bit. Before the entry that injects an
 * interrupt KVM sets the guest's bit, where no other one waits and no I/O APIC wants to know of its end. The guest clears
 * the bit instead of writing the EOI register; KVM sees that at the next exit. A bit that is still set then is taken back:
 * that EOI exits.
 *
 * On a slave CPU the bit is never set: patch 14 has no PV EOI.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import { Apic } from "../../hw/lapic.ts";
import { decodeInterruptionInfo, EventType } from "../../hw/vmx.ts";
import type { EoiWord } from "../linux/board.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { PV_EOI_SINCE } from "./pv_features.ts";
import type { Vcpu } from "./vcpu.ts";
import { has } from "./versions.ts";

/** MSR_KVM_PV_EOI_EN. */
export const MSR_PV_EOI = 0x4b56_4d04;
/** Bit 0 of the register: enabled. Bit 1 is no part of the address either. */
const ENABLED = 1n, UNALIGNED = 2n;

/** PV EOI of one vCPU. */
export class PvEoi {
  /** The register. */
  value = 0n;
  /** The guest's bit has been set, and not been looked at since (KVM_APIC_PV_EOI_PENDING). */
  pending = false;
  /** What the guest's kernel has at the address that it gives; null: it has nothing there. */
  #word: EoiWord | null = null;
  /** The word, while the register means it; elsewhere in memory the bit would be nobody's. */
  #offered: EoiWord | null = null;

  constructor(readonly vcpu: Vcpu) {}

  /** Whether this KVM has the register. */
  get exists(): boolean {
    return has(this.vcpu.vm.kvm.version, PV_EOI_SINCE);
  }

  /** Whether there is a word to be offered. */
  get enabled(): boolean {
    return this.#offered !== null;
  }

  /** `kvm_lapic_enable_pv_eoi()`. @returns false: there is no such register, the address is unaligned, or no memory */
  write(value: bigint): boolean {
    if (!this.exists || (value & UNALIGNED) !== 0n) return false;
    const enabled = (value & ENABLED) !== 0n;
    if (enabled && !this.vcpu.hasMemory(value & ~ENABLED)) return false;
    this.value = value;
    const word = this.#word;
    this.#offered = enabled && word !== null && BigInt(word.address) === (value & ~ENABLED) ? word : null;
    return true;
  }

  /** The guest's kernel has a word, and gives its address. */
  enable(word: EoiWord): void {
    this.#word = word;
    this.write(BigInt(word.address) | ENABLED);
  }

  /** Whether the guest has ended the interrupt that is in service, and KVM has not looked yet. */
  get ended(): boolean {
    return this.pending && !this.#word!.set;
  }

  /** `apic_sync_pv_eoi_to_guest()`, before an entry. */
  offer(): void {
    const { vmcs: { entryInterruptionInfo: info }, apic, lapic } = this.vcpu;
    if (info >>> 31 === 0) return;
    const { vector, type } = decodeInterruptionInfo(info);
    if (type !== EventType.ExternalInterrupt || apic.irr.highest() >= 0 || !apic.isr.has(vector)) return;
    if (lapic.handledVectors.has(vector)) return;
    this.pending = this.#offered!.set = true;
  }

  /** `apic_sync_pv_eoi_from_guest()`, behind an exit, where the bit has been set. */
  collect(cpu: KernelCpu): void {
    const { vcpu } = this;
    const word = this.#word!;
    const ended = !word.set;
    this.pending = word.set = false;
    if (!ended) return;
    const vector = vcpu.apic.isr.highest();
    vcpu.lapic.write(Apic.EOI, 0, cpu);
    vcpu.tracepoint("kvm_pv_eoi", { apicid: vcpu.id, vector });
  }

  /** Off, as after a reset. */
  reset(): void {
    this.value = 0n;
    this.pending = false;
    this.#word = this.#offered = null;
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.text(String(this.value)).flag(this.pending).flag(this.#word?.set === true);
  }
}
