/**
 * KVM's local APIC: what follows from an access, how it is reset, saved and restored.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/lapic.c`, by the functions that each method names;
 * `lapic_rules.ts` has what differs from Intel's manual and between versions.
 *
 * *Modelled*: register accesses by MSR and by memory, IA32_APIC_BASE, CR8, messages of every delivery mode,
 * `KVM_GET_LAPIC` and `KVM_SET_LAPIC`. `lapic_timer.ts` has the timer.
 *
 * *Not modelled*: the TPR shadow of 32-bit guests (vAPIC), APICv; an SMI is refused, as by a kernel without SMM.
 *
 * The device itself is `hw/lapic.ts`: here is one who carries out its effects, the physical processor's is another.
 *
 * @module
 */

import type { Step } from "../../../hw/sim/activity.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import { Apic, type ApicEffect, DeliveryMode, type Ipi, LocalApic, x2apicOffset } from "../../../hw/lapic.ts";
import {
  APIC_BASE_BSP,
  APIC_BASE_ENABLE,
  APIC_BASE_X2APIC,
  APIC_DEFAULT_BASE,
  apicBaseAddress,
  apicState,
  hasReservedBits,
  isLegalTransition,
} from "../../../hw/lapic_base.ts";
import { LVT_MASKED, SVR_SUPPRESS_BROADCAST } from "../../../hw/lapic_registers.ts";
import { TimerMode } from "../../../hw/lapic_timer.ts";
import { VectorSet } from "../../../hw/vector_set.ts";
import { EINVAL, type Errno } from "../../linux/errno.ts";
import type { Kernel } from "../../linux/kernel.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { deliver, type LapicIrq } from "./irq_delivery.ts";
import type { MsrValue } from "../msrs.ts";
import type { ApicFeatures, ApicVersion } from "./lapic_rules.ts";
import { KvmLapicTimer } from "./lapic_timer.ts";
import { startDeadline } from "../tsc.ts";
import type { Vcpu } from "../vcpu.ts";

/** LINT0 open for the 8259: unmasked, delivery mode ExtINT. */
const LINT0_EXTINT = DeliveryMode.ExtInt << 8;

/** What `KVM_SET_CPUID2` has not said yet: a processor of the recordings' and the talk's time. */
const DEFAULT_FEATURES: ApicFeatures = { x2apic: true, tscDeadline: true, physicalAddressBits: 36 };

/** Registers of `struct kvm_lapic_state`: one each 16 bytes. */
export const LAPIC_REGISTERS = 64;

/** The local APIC of a vCPU. */
export class KvmLapic {
  declare readonly vcpu: Vcpu;
  /** The device. */
  readonly core: LocalApic;
  /** IA32_APIC_BASE. */
  base = 0;
  /** How many lowest-priority interrupts it has been given (`apic_arb_prio`). */
  arbitrationPriority = 0;
  /** Vectors whose EOI the I/O APIC wants to know (`ioapic_handled_vectors`). */
  readonly handledVectors = new VectorSet();
  /** The I/O APIC's entries have changed since that was put together (KVM_REQ_SCAN_IOAPIC). */
  #scanRequested = true;
  /** A vector in flight from an entry that means other vCPUs now: its EOI renews the set. */
  staleVector = -1;
  /** What becomes of its counter's expiry (`lapic_timer`). */
  readonly timer: KvmLapicTimer;
  /** What CPUID shows. */
  #features = DEFAULT_FEATURES;
  /** The version's row. */
  declare readonly version: ApicVersion;
  readonly #host: Kernel;

  /** The local APIC of `vcpu`, reset. */
  constructor(vcpu: Vcpu) {
    this.vcpu = vcpu;
    const { kvm } = vcpu.vm;
    this.version = kvm.version.apic;
    this.#host = kvm.host;
    // APIC_BUS_CYCLE_NS is 1 in KVM's emulation: a bus clock of 1 GHz.
    const rules = this.version.rules(this.#features);
    this.core = new LocalApic(vcpu.id, { ticks: 1, ns: 1 }, kvm.tscRatio, rules);
    this.core.timer.minimumPeriodNs = this.version.minimumPeriodNs;
    this.timer = new KvmLapicTimer(this);
    this.reset(false);
  }

  /** See the setter. */
  get scanRequested(): boolean {
    return this.#scanRequested;
  }

  /** The vCPU puts its set of handled vectors together before it next enters. */
  set scanRequested(requested: boolean) {
    this.#scanRequested = requested;
    if (requested) this.vcpu.attention = true;
  }

  /** What CPUID shows: decides which bits there are. */
  get features(): ApicFeatures {
    return this.#features;
  }

  /** `kvm_vcpu_after_set_cpuid()`. */
  set features(features: ApicFeatures) {
    this.#features = features;
    this.core.rules = this.version.rules(features);
    this.#setVersion();
  }

  /** `kvm_lapic_reset()`. @param init by INIT: address, form and id stay */
  reset(init: boolean): void {
    const { core, vcpu } = this;
    const { x2apic } = core;
    const saved = [core.register(Apic.ID), core.register(Apic.LDR)] as const;
    this.timer.cancel();
    core.reset();
    this.#setVersion();
    if (vcpu.bootProcessor || !this.version.lint0OnlyOnBsp) core.setRegister(Apic.LVT0, LINT0_EXTINT);
    this.arbitrationPriority = 0;
    if (!init) {
      this.#changeBase(APIC_DEFAULT_BASE + APIC_BASE_ENABLE + (vcpu.bootProcessor ? APIC_BASE_BSP : 0));
      this.#setXapicId();
      return;
    }
    core.setRegister(Apic.ID, saved[0]);
    if (x2apic) core.setRegister(Apic.LDR, saved[1]);
    vcpu.vm.apicMap.changed();
  }

  #setXapicId(): void {
    this.core.setRegister(Apic.ID, (this.vcpu.id & 0xff) << 24);
    this.vcpu.vm.apicMap.changed();
  }

  /** `kvm_apic_set_version()`. */
  #setVersion(): void {
    this.core.setRegister(Apic.VERSION, this.core.rules.rows.get(Apic.VERSION)!.reset);
  }

  // ---- accesses ----

  /**
   * `kvm_lapic_reg_write()`.
   *
   * @param value up to 2^53: bits 63:32 of an ICR are above 2^32 @param cpu whose software does it
   * @returns a register write of the host's own that remains to be executed, or null; undefined: refused
   */
  write(offset: number, value: number, cpu: KernelCpu): Step | null | undefined {
    return this.#apply(this.core.write(offset, value, this.#host.nowNs), offset, cpu);
  }

  /** `kvm_x2apic_msr_write()`: the same for all 64 bits. */
  writeHalves(offset: number, low: number, high: number, cpu: KernelCpu): Step | null | undefined {
    return this.#apply(this.core.writeHalves(offset, low, high, this.#host.nowNs), offset, cpu);
  }

  #apply(effect: ApicEffect, offset: number, cpu: KernelCpu): Step | null | undefined {
    switch (effect.kind) {
      case "fault":
        return undefined;
      case "eoi":
        this.endOfInterrupt(effect.vector, cpu);
        return null;
      case "ipi":
        this.#send(effect.ipi, cpu);
        return null;
      case "timer": {
        const { initialCount, deadline } = this.core.timer;
        // A new divisor, and a change between one-shot and periodic mode, leave an expiry pending.
        if (offset === Apic.TMICT || (initialCount === 0 && deadline === 0)) this.timer.pending = false;
        else if (this.timer.pending) this.vcpu.attention = true;
        return this.timer.start(cpu);
      }
      default:
        this.#noteWrite(offset);
        return null;
    }
  }

  #noteWrite(offset: number): void {
    if (this.timer.pending) this.vcpu.attention = true; // it may have been unmasked
    switch (offset) {
      case Apic.ID:
      case Apic.LDR:
      case Apic.DFR:
        this.vcpu.vm.apicMap.changed();
        return;
      case Apic.SVR:
        this.vcpu.vm.apicMap.changed();
        if (!this.core.enabled) this.timer.pending = false;
    }
  }

  /** `kvm_lapic_reg_read()`. @returns undefined: no such register */
  read(offset: number): number | undefined {
    const { core } = this;
    if (!core.readable(offset)) return undefined;
    if (offset === Apic.LDR) return core.register(offset);
    return core.read(offset, this.#host.nowNs);
  }

  /** Whether an MSR is a register of the x2APIC: 0x800 to 0x8ff, in x2APIC form. */
  hasMsr(msr: number): boolean {
    return msr >= 0x800 && msr < 0x900 && this.core.x2apic;
  }

  /** `kvm_x2apic_msr_read()`: both halves. */
  readMsr(msr: number): MsrValue | undefined {
    if (!this.hasMsr(msr)) return undefined;
    const offset = x2apicOffset(msr);
    const low = this.read(offset);
    if (low === undefined) return undefined;
    return { low, high: offset === Apic.ICR ? this.core.register(Apic.ICR2) : 0 };
  }

  /** The offset of a physical address in the page of registers (`apic_mmio_in_range()`), or -1. */
  pageOffset(address: number): number {
    const offset = address - apicBaseAddress(this.base);
    return offset >= 0 && offset < 0x1000 ? offset : -1;
  }

  /** Whether there are registers in the page: not while disabled, nor in x2APIC form. */
  get hasPage(): boolean {
    return this.core.hardwareEnabled && (!this.core.x2apic || this.version.pageInX2apic);
  }

  /** `kvm_apic_set_base()`. @param byUserSpace it restores state: legal is what the registers can hold. @returns false: refused */
  setBase(value: number, byUserSpace: boolean): boolean {
    if (value === this.base) return true;
    if (this.version.checksBase) {
      const { physicalAddressBits, x2apic } = this.#features;
      const from = apicState(this.base), to = apicState(value);
      if (hasReservedBits(value, physicalAddressBits, x2apic) || to === "invalid") return false;
      if (!byUserSpace && !isLegalTransition(from, to)) return false;
    } else if (!this.vcpu.bootProcessor) value -= value & APIC_BASE_BSP;
    this.#changeBase(value);
    return true;
  }

  /** `__kvm_apic_set_base()`. */
  #changeBase(value: number): void {
    const { core, vcpu } = this;
    const changed = this.base ^ value;
    const enabled = (value & APIC_BASE_ENABLE) !== 0, x2apic = (value & APIC_BASE_X2APIC) !== 0;
    this.base = value;
    core.x2apic = x2apic;
    core.hardwareEnabled = enabled;
    vcpu.vm.apicMap.changed();
    if (this.timer.pending) vcpu.attention = true; // it may have been enabled
    if ((changed & APIC_BASE_ENABLE) !== 0 && enabled) this.#setXapicId();
    if ((changed & APIC_BASE_X2APIC) === 0) return;
    if (x2apic) {
      core.setRegister(Apic.ID, vcpu.id);
      core.setRegister(Apic.LDR, this.version.logicalId(vcpu.id));
    } else if (enabled) this.#setXapicId();
  }

  /** CR8. */
  get cr8(): number {
    return (this.core.register(Apic.TPR) & 0xf0) >>> 4;
  }

  /** `kvm_lapic_set_tpr()`. */
  set cr8(value: number) {
    const tpr = this.core.register(Apic.TPR);
    this.core.setRegister(Apic.TPR, ((value & 0xf) << 4) | (tpr & this.version.cr8KeepsTpr));
  }

  // ---- interrupts ----

  /**
   * `__apic_accept_irq()`: a message has found this APIC.
   *
   * @param from the CPU whose software delivers it
   * @returns whether it counts as delivered
   */
  accept(irq: LapicIrq, from: KernelCpu): boolean {
    const { core, vcpu } = this;
    const { events } = vcpu;
    switch (irq.mode) {
      case DeliveryMode.LowestPriority:
      case DeliveryMode.Fixed:
        if (irq.mode === DeliveryMode.LowestPriority) this.arbitrationPriority++;
        if (irq.level && !irq.assert && !this.version.coalesces) return false;
        if (!core.enabled) return false;
        return vcpu.interrupt(irq.vector, from, irq.level, irq.mode);
      case DeliveryMode.Nmi:
        events.queueNmi();
        vcpu.kick(from);
        return true;
      case DeliveryMode.Init:
        if (irq.level && !irq.assert) return false;
        events.init();
        vcpu.kick(from);
        return true;
      case DeliveryMode.Startup:
        if (!events.startup(irq.vector)) return false;
        vcpu.kick(from);
        return true;
      case REMOTE_READ:
        if (!this.version.remoteReadWakes) return false;
        events.unhalt();
        vcpu.kick(from);
        return true;
      default: // SMI without SMM; ExtINT comes by kvm_apic_accept_pic_intr()
        return false;
    }
  }

  /** `kvm_apic_local_deliver()`: a source of the APIC's own. @returns whether it was taken */
  localInterrupt(offset: number, from: KernelCpu): boolean {
    const entry = this.core.register(offset);
    if (!this.core.hardwareEnabled || (entry & LVT_MASKED) !== 0) return false;
    const irq: LapicIrq = {
      mode: (entry >>> 8) & 7,
      vector: entry & 0xff,
      destination: 0,
      logical: false,
      assert: true,
      level: (entry & 0x8000) !== 0,
      shorthand: 0,
      hint: false,
    };
    const taken = this.accept(irq, from);
    if (taken && offset === Apic.LVTPC && this.version.masksLvtpc) {
      this.core.setRegister(offset, entry | LVT_MASKED);
    }
    return taken;
  }

  /** `apic_set_eoi()`, once the device has taken the vector out of service; -1: nothing was. */
  endOfInterrupt(vector: number, from: KernelCpu): void {
    const { vcpu } = this;
    if (this.#host.engine.trace !== null) vcpu.tracepoint("kvm_eoi", { apicid: vcpu.id, vector });
    if (vector < 0) return;
    const level = this.core.tmr.has(vector);
    if (!level && !this.version.ioapic.tracksRtc) return; // nobody waits for the end of an edge
    vcpu.vm.chips?.ioapic.endOfInterrupt(vcpu, vector, level, from);
  }

  /** `kvm_apic_accept_pic_intr()`: whether the 8259's INT reaches this processor. */
  get acceptsPic(): boolean {
    const lint0 = this.core.register(Apic.LVT0);
    return !this.core.hardwareEnabled ||
      ((lint0 & LVT_MASKED) === 0 && ((lint0 >>> 8) & 7) === DeliveryMode.ExtInt);
  }

  /** Whether SVR bit 12 suppresses EOI broadcasts. */
  get suppressesBroadcast(): boolean {
    return (this.core.register(Apic.SVR) & SVR_SUPPRESS_BROADCAST) !== 0;
  }

  /** `kvm_apic_pending_eoi()`. */
  awaitsEoi(vector: number): boolean {
    return this.core.isr.has(vector) || this.core.irr.has(vector);
  }

  #send(ipi: Ipi, cpu: KernelCpu): void {
    const { vcpu } = this;
    if (cpu.kernel.engine.trace !== null) vcpu.tracepoint("kvm_apic_ipi", { ...ipi });
    deliver(vcpu.vm, vcpu, { ...ipi, hint: false }, cpu);
  }

  // ---- state ----

  /** `kvm_apic_get_state()`: the registers, one for each 16 bytes of `struct kvm_lapic_state`. */
  state(): Uint32Array {
    const { core, vcpu } = this;
    const registers = new Uint32Array(LAPIC_REGISTERS);
    for (let i = 0; i < LAPIC_REGISTERS; i++) registers[i] = core.register(i << 4);
    registers[Apic.PPR >>> 4] = core.processorPriority();
    registers[Apic.TMCCT >>> 4] = core.timer.currentCount(this.#host.nowNs);
    if (core.x2apic && !vcpu.vm.x2apicFormat) registers[Apic.ID >>> 4] = vcpu.id << 24;
    return registers;
  }

  /**
   * `kvm_apic_set_state()`: the registers as given; no rule of writes applies. The timer goes on where it stood.
   *
   * @returns EINVAL: another id than the vCPU's; else as {@linkcode write}
   */
  setState(registers: Uint32Array, cpu: KernelCpu): Errno | Step | null {
    const { core, vcpu } = this;
    const { vm } = vcpu;
    core.setRegister(Apic.SVR, registers[Apic.SVR >>> 4]!);
    vm.apicMap.changed();
    if (core.x2apic && vm.x2apicFormat && registers[Apic.ID >>> 4] !== vcpu.id) return EINVAL;
    for (let i = 0; i < LAPIC_REGISTERS; i++) core.setRegister(i << 4, registers[i]!);
    if (core.x2apic) {
      core.setRegister(Apic.ID, vcpu.id);
      core.setRegister(Apic.LDR, this.version.logicalId(vcpu.id));
    }
    this.#setVersion();
    this.timer.cancel();
    this.arbitrationPriority = 0;
    const { timer } = core;
    const mode = ((core.register(Apic.LVTT) & core.rules.rows.get(Apic.LVTT)!.mask) >>> 17) & 3; // bits that there are
    if ((mode === TimerMode.TscDeadline) !== (timer.mode === TimerMode.TscDeadline)) timer.stop();
    timer.mode = mode;
    const { nowNs } = vm.kvm.host;
    if (mode === TimerMode.TscDeadline) startDeadline(vcpu, timer.deadline);
    else timer.resume(registers[Apic.TMCCT >>> 4]!, nowNs);
    vm.chips?.ioapic.restoreRtc(vcpu);
    return this.timer.start(cpu);
  }

  /** Adds KVM's part of the state to `hash`; the device adds itself. */
  hashInto(hash: StateHash): void {
    this.core.hashInto(hash);
    hash.number(this.base).flag(this.timer.pending).word(this.arbitrationPriority).word(this.staleVector);
    hash.flag(this.#scanRequested);
    for (let i = 0; i < 8; i++) hash.word(this.handledVectors.word(i));
  }
}

/** Delivery mode 3 of an interprocessor message. */
const REMOTE_READ = 3;
