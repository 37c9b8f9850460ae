/**
 * The I/O APIC in the kernel: who carries the messages of `hw/ioapic.ts` to a machine's local APICs, and who hears of
 * their end.
 *
 * *Document*: Linux 3.5 `virt/kvm/ioapic.c`; Linux 6.18 `arch/x86/kvm/ioapic.c`, `irq.c` (`kvm_scan_ioapic_irq()`), by
 * the functions that each method names.
 *
 * *Modelled*: lines with several sources, coalescing, acknowledgement and mask notifiers, the vectors whose EOI each vCPU forwards, the real-time clock's
 * line, state saved and restored.
 *
 * *Not modelled*: that the 10,000th interrupt in a row is held back for 10 ms.
 *
 * @module
 */

import { DeliveryMode } from "../../../hw/lapic.ts";
import {
  IoApic,
  IOAPIC_BASE,
  IOAPIC_PINS,
  type IoApicMessage,
  IOREGSEL,
  IOWIN,
  type LineResult,
} from "../../../hw/ioapic.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { deliver, type LapicIrq, matches, targetsOf } from "./irq_delivery.ts";
import { Irqchip } from "./irq_routing.ts";
import type { IoapicVersion } from "./lapic_rules.ts";
import type { Vcpu } from "../vcpu.ts";
import type { Vm } from "../vm.ts";

/** Bytes of the registers' page that the chip answers. */
const MEMORY_LENGTH = 0x100;
/** The real-time clock's line. */
const RTC_PIN = 8;
/** Bit 13 of an entry: asserted means low. */
const ACTIVE_LOW = 1 << 13;
/** Bit 14: remote IRR. */
const REMOTE_IRR = 1 << 14;

/** Results of a change of a line, as `KVM_IRQ_LINE_STATUS` returns them: more than 0 is delivered. */
export const LINE_IGNORED = -1;
/** The interrupt is one with the last one, which has not been ended. */
export const LINE_COALESCED = 0;

/** State of the chip (`struct kvm_ioapic_state`). */
export interface IoapicState {
  /** Where the registers are. */
  readonly base: number;
  /** The index register. */
  readonly select: number;
  /** Identification. */
  readonly id: number;
  /** Lines that are asserted. */
  readonly irr: number;
  /** The redirection table. */
  readonly entries: readonly { readonly low: number; readonly high: number }[];
}

/** The I/O APIC of a machine. */
export class KvmIoapic {
  /** The chip. */
  readonly core = new IoApic(true);
  /** Who asserts a line, a bit for each source (`irq_states`). */
  readonly #sources = new Uint32Array(IOAPIC_PINS);
  readonly #version: IoapicVersion;
  /** Edges that have been delivered while their line is asserted (`irr_delivered`). */
  #deliveredEdges = 0;
  /** Where the real-time clock's interrupt is in flight, and by which vector (`rtc_status`). */
  readonly #rtc = new Map<Vcpu, number>();
  #base = IOAPIC_BASE;

  /** Of `vm`. */
  constructor(readonly vm: Vm) {
    this.#version = vm.kvm.version.apic.ioapic;
  }

  // ---- lines ----

  /**
   * `kvm_ioapic_set_irq()`.
   *
   * @param source a bit number: a line is asserted while one of its sources asserts it
   * @param status the caller asks whether the interrupt was coalesced
   * @returns how many took it, {@linkcode LINE_COALESCED} or {@linkcode LINE_IGNORED}
   */
  setLine(pin: number, high: boolean, source: number, status: boolean, from: KernelCpu): number {
    if (high) this.#sources[pin]! |= 1 << source;
    else this.#sources[pin]! &= ~(1 << source);
    const activeLow = this.#version.polarity && (this.core.entry(pin).low & ACTIVE_LOW) !== 0;
    const { low, high: upper } = this.core.entry(pin);
    const result = this.#setLevel(pin, (this.#sources[pin] !== 0) !== activeLow, status, from);
    if (from.kernel.engine.trace !== null) {
      const coalesced = result === LINE_COALESCED;
      this.vm.tracepoint("kvm_ioapic_set_irq", { pin, low, high: upper, coalesced }, from);
    }
    return result;
  }

  /** `ioapic_set_irq()`. */
  #setLevel(pin: number, asserted: boolean, status: boolean, from: KernelCpu): number {
    const { core } = this;
    if (!asserted) {
      core.deassert(pin);
      return 1;
    }
    if (pin === RTC_PIN && status && this.#rtc.size > 0) return LINE_COALESCED;
    if (!core.message(pin).level) this.#deliveredEdges &= ~(1 << pin);
    return this.#carry(core.assert(pin), from, status);
  }

  /** `ioapic_service()`: carries what the chip sends. */
  #carry(result: LineResult, from: KernelCpu, status = false): number {
    if (result === "noEdge") return LINE_COALESCED;
    if (result === "waiting") return this.#version.waitingIsCoalesced ? LINE_COALESCED : LINE_IGNORED;
    if (result === "masked") return LINE_IGNORED;
    const { pin, level } = result;
    if (!level) this.#deliveredEdges |= 1 << pin;
    const track = this.#version.tracksRtc && pin === RTC_PIN && status;
    const taken = deliver(
      this.vm,
      null,
      this.#irqOf(result),
      from,
      track ? (vcpu, vector) => this.#rtc.set(vcpu, vector) : undefined,
    );
    if (taken !== 0) this.core.accepted(pin);
    return taken;
  }

  #irqOf({ pin, vector, mode, destination, logical, level }: IoApicMessage): LapicIrq {
    const toBsp = pin === 0 && this.#version.line0ToBsp;
    return {
      mode,
      vector,
      destination: toBsp ? 0 : destination,
      logical: logical && !toBsp,
      assert: true,
      level,
      shorthand: 0,
      hint: false,
    };
  }

  // ---- the end of interrupts ----

  /** `kvm_ioapic_send_eoi()`: `vcpu` has ended `vector`, a level, or an edge whose end is tracked. */
  endOfInterrupt(vcpu: Vcpu, vector: number, level: boolean, from: KernelCpu): void {
    const { lapic } = vcpu;
    const suppressed = lapic.suppressesBroadcast;
    if (this.#version.handledPerVcpu) {
      if (!lapic.handledVectors.has(vector)) return;
      if (lapic.staleVector === vector) lapic.scanRequested = true;
    } else if (suppressed) return;
    if (this.#rtc.get(vcpu) === vector) this.#rtc.delete(vcpu);
    if (!level || suppressed) return;
    for (const pin of this.core.pinsOf(vector)) {
      // Before remote IRR is cleared: a level that a notifier raises anew waits for that.
      this.vm.chips!.routing.notifyAcked(Irqchip.Ioapic, pin, from);
      if (this.core.endOfInterrupt(pin)) this.#carry(this.core.service(pin), from);
    }
  }

  /** `kvm_ioapic_scan_entry()`, at the entry of `vcpu`: the vectors whose EOI it forwards from now on. */
  scan(vcpu: Vcpu): void {
    const { lapic } = vcpu;
    lapic.scanRequested = false;
    if (!lapic.core.hardwareEnabled) return;
    const { handledVectors } = lapic;
    handledVectors.clear();
    lapic.staleVector = -1;
    const inFlight = this.#rtc.get(vcpu);
    if (inFlight !== undefined) handledVectors.add(inFlight);
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const message = this.core.message(pin);
      if (!message.level && pin !== RTC_PIN) continue;
      const { vector } = message;
      if (matches(vcpu, null, this.#irqOf(message))) handledVectors.add(vector);
      else if (lapic.awaitsEoi(vector)) {
        handledVectors.add(vector);
        lapic.staleVector = Math.max(lapic.staleVector, vector);
      }
    }
  }

  /** `__rtc_irq_eoi_tracking_restore_one()`: after the state of a vCPU's local APIC has been set. */
  restoreRtc(vcpu: Vcpu): void {
    if (!this.#version.tracksRtc) return;
    const message = this.core.message(RTC_PIN);
    if (!matches(vcpu, null, this.#irqOf(message))) return;
    if (vcpu.lapic.awaitsEoi(message.vector)) this.#rtc.set(vcpu, message.vector);
    else this.#rtc.delete(vcpu);
  }

  #requestScan(vcpus: readonly Vcpu[]): void {
    for (const { lapic } of vcpus) lapic.scanRequested = true;
  }

  // ---- registers ----

  /** The offset of a physical address in the chip's memory, or -1. */
  memoryOffset(address: number): number {
    const offset = address - this.#base;
    return offset >= 0 && offset < MEMORY_LENGTH ? offset : -1;
  }

  /** `ioapic_mmio_write()`, and `ioapic_write_indirect()`. */
  write(offset: number, value: number, from: KernelCpu): void {
    const { core, vm } = this;
    if (offset !== IOREGSEL && offset !== IOWIN) return;
    const touched = offset === IOWIN ? (core.select - 0x10) >> 1 : -1;
    const before = touched >= 0 && touched < IOAPIC_PINS ? core.message(touched) : undefined;
    const wasMasked = before !== undefined && core.masked(touched);
    const pin = core.write(offset, value);
    if (pin < 0) return;
    if (this.#version.writeClearsRemoteIrr && (core.select & 1) === 0) {
      const { low, high } = core.entry(pin);
      core.setEntry(pin, low & ~REMOTE_IRR, high);
    }
    const masked = core.masked(pin);
    if (masked !== wasMasked) vm.chips!.routing.notifyMasked(Irqchip.Ioapic, pin, masked, from);
    const message = core.message(pin);
    if (message.level && core.asserted(pin)) this.#carry(core.service(pin), from);
    if (message.mode !== DeliveryMode.Fixed) return this.#requestScan(vm.vcpus);
    this.#requestScan(targetsOf(vm, this.#irqOf(message)));
    if (before !== undefined) {
      this.#requestScan(targetsOf(vm, this.#irqOf({ ...before, mode: message.mode })));
    }
  }

  // ---- state ----

  /** `KVM_GET_IRQCHIP`: an edge that has been delivered does not count as asserted. */
  state(): IoapicState {
    const { core } = this;
    return {
      base: this.#base,
      select: core.select,
      id: core.id,
      irr: (core.lines & ~this.#deliveredEdges) >>> 0,
      entries: Array.from({ length: IOAPIC_PINS }, (_, pin) => core.entry(pin)),
    };
  }

  /** `KVM_SET_IRQCHIP`: lines that were asserted interrupt anew. */
  setState(state: IoapicState, from: KernelCpu): void {
    const { core, vm } = this;
    this.#base = state.base;
    core.select = state.select;
    core.id = state.id;
    state.entries.forEach(({ low, high }, pin) => core.setEntry(pin, low, high));
    core.lines = 0;
    this.#deliveredEdges = 0;
    this.#requestScan(vm.vcpus);
    this.#rtc.clear();
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      if ((state.irr & (1 << pin)) !== 0) this.#setLevel(pin, true, true, from);
    }
    this.#rtc.clear();
    for (const vcpu of vm.vcpus) this.restoreRtc(vcpu);
  }

  /** Adds chip, sources and what is in flight to `hash`. */
  hashInto(hash: StateHash): void {
    this.core.hashInto(hash);
    hash.words(this.#sources).word(this.#deliveredEdges).number(this.#base);
    for (const [vcpu, vector] of this.#rtc) hash.word(vcpu.id).word(vector);
  }
}
