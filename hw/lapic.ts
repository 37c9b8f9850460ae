/**
 * The local APIC: registers, priorities, and what follows from a write.
 *
 * *Document*: Intel SDM vol. 3A, chapter "Advanced Programmable Interrupt Controller (APIC)".
 *
 * *Modelled*: xAPIC and x2APIC register forms, IRR/ISR/TMR, TPR and PPR, EOI with its broadcast, the spurious-interrupt
 * register, ICR and SELF IPI as messages, logical and physical destinations, the local vector table and its sources,
 * the error status register, the timer, software and hardware disabling, the legal changes of IA32_APIC_BASE.
 *
 * *Not modelled*: arbitration between the APICs of a bus (whoever carries a lowest-priority message chooses), focus
 * processor checking, the remote-read mode, messages that an agent refuses (delivery status is always idle).
 *
 * A write answers with the {@linkcode ApicEffect} that follows from it and performs none: whoever owns this APIC
 * (the machine for the physical one, an emulation for a virtual one) carries it out. Where implementations differ the
 * {@linkcode ApicRules} say how; that is why the same device serves both.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";
import {
  Apic as Offsets,
  type ApicEffect,
  ApicError,
  type ApicRules,
  DeliveryMode,
  fault,
  INTEL_RULES,
  type Ipi,
  LVT_LEVEL,
  LVT_MASKED,
  LVT_OFFSETS,
  LVT_REMOTE_IRR,
  type RegisterRule,
  SVR_ENABLE,
  SVR_SUPPRESS_BROADCAST,
  x2apicLogicalId,
} from "./lapic_registers.ts";
import { type ClockRatio, LapicTimer, TimerMode } from "./lapic_timer.ts";
import { VectorSet } from "./vector_set.ts";

export {
  Apic,
  type ApicEffect,
  apicRegisterName,
  DeliveryMode,
  EOI_MSR,
  type Ipi,
  MSR_TSC,
  MSR_TSC_DEADLINE,
  x2apicMsr,
  x2apicOffset,
} from "./lapic_registers.ts";

const Apic = Offsets; // see `cpu.ts`
const NONE: ApicEffect = { kind: "none" };
const TIMER: ApicEffect = { kind: "timer" };

/** A local APIC. Holds state, performs nothing. */
export class LocalApic {
  declare readonly id: number;
  /** Whether it is in x2APIC form (IA32_APIC_BASE bit 10). */
  x2apic = true;
  /** Interrupts requested. */
  readonly irr = new VectorSet();
  /** Interrupts in service. */
  readonly isr = new VectorSet();
  /** Trigger modes: a member is level-triggered. */
  readonly tmr = new VectorSet();
  /** The timer's counter. */
  readonly timer: LapicTimer;
  /** For each requested vector the random factor of the path that sent it; 0: a path begins here. */
  readonly inheritedFactor = new Float64Array(256);
  /** Register values by offset/16, as far as they are not kept elsewhere. */
  readonly #registers = new Uint32Array(64);
  readonly #eoi: { kind: "eoi"; vector: number; broadcast: boolean } = {
    kind: "eoi",
    vector: -1,
    broadcast: false,
  };
  #rules: ApicRules;
  #lowestVector: number;
  /** See {@linkcode pendingVector}. Whatever changes IRR, ISR, TPR or what enables the APIC ends with {@linkcode #prioritise}. */
  #pending = -1;
  #tpr = 0;
  #lvtt = LVT_MASKED;
  #enabled = false;
  #hardwareEnabled = true;
  /** Whether it shows requests to the processor. */
  #presents = true;
  /** Errors since ESR was last written. */
  #errors = 0;

  /**
   * @param id the APIC id @param bus the timer's clock before division @param tsc the time-stamp counter's clock
   * @param rules where it differs from others
   */
  constructor(id: number, bus: ClockRatio, tsc: ClockRatio, rules: ApicRules = INTEL_RULES) {
    this.id = id;
    this.timer = new LapicTimer(bus, tsc);
    this.#rules = rules;
    this.#lowestVector = rules.lowestVector;
    this.reset();
  }

  /** See {@linkcode ApicRules}. */
  get rules(): ApicRules {
    return this.#rules;
  }

  /** Other rules from now on: what an emulation offers depends on the features that it shows. */
  set rules(rules: ApicRules) {
    this.#rules = rules;
    this.#lowestVector = rules.lowestVector;
  }

  /** Every register to its value after power-up, in the form it has. */
  reset(): void {
    for (const [offset, rule] of this.#rules.rows) this.setRegister(offset, rule.reset);
    this.setRegister(Apic.ID, this.x2apic ? this.id : this.id << 24);
    this.irr.clear();
    this.isr.clear();
    this.tmr.clear();
    this.timer.stop();
    this.timer.mode = TimerMode.OneShot;
    this.#errors = 0;
    this.#prioritise();
  }

  /** Whether SVR bit 8 enables it, and IA32_APIC_BASE bit 11 does. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** IA32_APIC_BASE bit 11. */
  get hardwareEnabled(): boolean {
    return this.#hardwareEnabled;
  }

  /** See the getter. A disabled APIC takes nothing and presents nothing; its registers are not there. */
  set hardwareEnabled(enabled: boolean) {
    this.#hardwareEnabled = enabled;
    this.#refresh();
  }

  /** The LVT timer entry's vector, or -1 while it is masked. */
  get timerVector(): number {
    return (this.#lvtt & LVT_MASKED) !== 0 ? -1 : this.#lvtt & 0xff;
  }

  /** What a processor is given when the interrupt that it acknowledges is gone (SDM, "Spurious Interrupt"). */
  get spuriousVector(): number {
    return this.register(Apic.SVR) & 0xff;
  }

  // ---- registers ----

  /** Writes the register at `offset`. Reads of time use `nowNs`. Bits 63:32 of an ICR are those above 2^32 of `value`. */
  write(offset: number, value: number, nowNs: number): ApicEffect {
    switch (offset) {
      case Apic.EOI:
        if (value !== 0 && this.x2apic && this.#faults(offset, value >>> 0, upperHalf(value))) {
          return fault(offset);
        }
        return this.#endOfInterrupt();
      case Apic.TMICT:
        if (value > 0xffff_ffff && this.x2apic && this.#rules.upperHalfReserved) return fault(offset);
        if (this.timer.mode === TimerMode.TscDeadline) return NONE; // SDM: ignored in TSC-deadline mode
        this.timer.start(value, nowNs);
        return TIMER;
    }
    return this.#write(offset, value >>> 0, upperHalf(value), nowNs);
  }

  /** The same for a value of 64 bits in two halves: WRMSR of an x2APIC register. */
  writeHalves(offset: number, low: number, high: number, nowNs: number): ApicEffect {
    if (offset === Apic.ICR) return this.#write(offset, low, high, nowNs);
    return this.write(offset, high * 0x1_0000_0000 + low, nowNs); // beyond 2^53 it only matters that it is not 0
  }

  #write(offset: number, low: number, high: number, nowNs: number): ApicEffect {
    const rule = this.#rules.rows.get(offset);
    if (rule === undefined || rule.access === "ro" || !this.#hasRegister(rule)) {
      if (!this.x2apic) this.#error(ApicError.IllegalRegisterAddress);
      return fault(offset);
    }
    if (this.x2apic && (rule.readOnlyInX2apic === true || this.#faults(offset, low, high))) {
      return fault(offset);
    }
    const masked = (low & rule.mask | rule.ones) >>> 0;
    switch (offset) {
      case Apic.SVR:
        this.setRegister(offset, masked);
        if ((masked & SVR_ENABLE) === 0) this.#maskLvt();
        return NONE;
      case Apic.ESR: // a write latches what has happened since the last one
        if (this.#rules.reportsErrors) this.setRegister(offset, this.#errors);
        this.#errors = 0;
        return NONE;
      case Apic.TDCR: {
        const { timer } = this;
        if (!this.#rules.divisorRescales) timer.divideConfiguration = masked;
        else if (timer.rescale(masked, nowNs)) return TIMER;
        return NONE;
      }
      case Apic.LVTT:
        return this.#writeTimerEntry(masked);
      case Apic.ICR:
        this.setRegister(offset, masked);
        if (this.x2apic) this.setRegister(Apic.ICR2, high);
        return this.#send(this.#decodeIcr(low, high));
      case Apic.SELF_IPI:
        return this.#send({
          mode: DeliveryMode.Fixed,
          vector: masked,
          destination: this.id,
          logical: false,
          shorthand: 1,
          assert: true,
          level: false,
        });
      default:
        this.setRegister(offset, LVT_OFFSETS.includes(offset) ? this.#softMask(masked) : masked);
        return NONE;
    }
  }

  /** Whether a write in x2APIC form has reserved bits set. */
  #faults(offset: number, low: number, high: number): boolean {
    if (high !== 0 && offset !== Apic.ICR && this.#rules.upperHalfReserved) return true;
    return (low & this.#rules.rows.get(offset)!.reserved) !== 0;
  }

  #hasRegister(rule: RegisterRule): boolean {
    return rule.form === undefined || (rule.form === "x2apic") === this.x2apic;
  }

  /** While software has disabled the APIC, mask bits of the LVT cannot be cleared. */
  #softMask(value: number): number {
    return (this.register(Apic.SVR) & SVR_ENABLE) === 0 ? (value | LVT_MASKED) >>> 0 : value;
  }

  #maskLvt(): void {
    for (const offset of LVT_OFFSETS) {
      if (this.#rules.rows.has(offset)) this.setRegister(offset, this.register(offset) | LVT_MASKED);
    }
  }

  #writeTimerEntry(masked: number): ApicEffect {
    const { timer } = this;
    this.setRegister(Apic.LVTT, this.#softMask(masked));
    const mode = (masked >>> 17) & 3;
    const before = timer.mode;
    if (mode === before) return NONE;
    timer.mode = mode;
    const { timerStopsOn, stopForgets } = this.#rules;
    const stops = timerStopsOn === "modeChange" ||
      (mode === TimerMode.TscDeadline) !== (before === TimerMode.TscDeadline);
    if (stops && stopForgets) timer.stop();
    else if (stops) timer.halt();
    return TIMER;
  }

  /** Whether the register at `offset` can be read: RDMSR of any other one faults. */
  readable(offset: number): boolean {
    if (offset >= Apic.ISR && offset < Apic.ESR) return true;
    const rule = this.#rules.rows.get(offset);
    return rule !== undefined && rule.access !== "wo" && this.#hasRegister(rule);
  }

  /** Software reads a register of the xAPIC that is not there: it gets 0, and the error is noted. */
  illegalRead(): void {
    this.#error(ApicError.IllegalRegisterAddress);
  }

  /** Reads the register at `offset` at time `nowNs`. A register that is not there reads 0. */
  read(offset: number, nowNs: number): number {
    switch (offset) {
      case Apic.PPR:
        return this.processorPriority();
      case Apic.TMCCT:
        return this.timer.currentCount(nowNs);
      case Apic.ID:
        if (this.x2apic) return this.id;
        break;
      case Apic.LDR:
        if (this.x2apic) return x2apicLogicalId(this.id);
        break;
    }
    return this.register(offset);
  }

  /** The value that the register at `offset` holds, whichever form the APIC has. */
  register(offset: number): number {
    if (offset >= Apic.ISR && offset < Apic.ESR) return this.#vectors(offset).word((offset & 0x7f) >>> 4);
    switch (offset) {
      case Apic.TMICT:
        return this.timer.initialCount;
      case Apic.TDCR:
        return this.timer.divideConfiguration;
      default:
        return this.#registers[offset >>> 4]!;
    }
  }

  /** Puts a value into the register at `offset`: no rule of writes applies, and nothing follows from it. */
  setRegister(offset: number, value: number): void {
    if (offset >= Apic.ISR && offset < Apic.ESR) {
      this.#vectors(offset).setWord((offset & 0x7f) >>> 4, value);
      this.#prioritise();
      return;
    }
    switch (offset) {
      case Apic.TMICT:
        this.timer.initialCount = value >>> 0;
        return;
      case Apic.TDCR:
        this.timer.divideConfiguration = value >>> 0;
        return;
    }
    this.#registers[offset >>> 4] = value;
    switch (offset) {
      case Apic.TPR:
        this.#tpr = value & 0xff;
        this.#prioritise();
        return;
      case Apic.LVTT:
        this.#lvtt = value;
        return;
      case Apic.SVR:
        this.#refresh();
    }
  }

  #vectors(offset: number): VectorSet {
    return offset < Apic.TMR ? this.isr : offset < Apic.IRR ? this.tmr : this.irr;
  }

  /** Takes up what the hot paths remember of the registers. */
  #refresh(): void {
    this.#enabled = this.#hardwareEnabled && (this.register(Apic.SVR) & SVR_ENABLE) !== 0;
    this.#presents = this.#hardwareEnabled && (this.#enabled || !this.#rules.disabledHoldsBack);
    this.#prioritise();
  }

  // ---- interrupts ----

  /** Takes a message for `vector` into the IRR; a disabled APIC takes none. Returns whether it was taken. */
  accept(vector: number, level = false): boolean {
    if (!this.#enabled) return false;
    if (vector < this.#lowestVector) {
      this.#error(ApicError.ReceiveIllegalVector);
      return false;
    }
    this.irr.add(vector);
    if (level) this.tmr.add(vector);
    else this.tmr.delete(vector);
    this.#prioritise();
    return true;
  }

  /**
   * A local source asks for its interrupt through the LVT entry at `offset`. A vector goes into the IRR; what is none
   * is answered for the processor's pins.
   */
  localInterrupt(offset: number): ApicEffect {
    const entry = this.register(offset);
    if ((entry & LVT_MASKED) !== 0 || !this.#hardwareEnabled) return NONE;
    const hasMode = offset !== Apic.LVTT && offset !== Apic.LVTERR;
    const mode = hasMode ? (entry >>> 8) & 7 : DeliveryMode.Fixed;
    const vector = entry & 0xff;
    // SDM, "Local Vector Table": the mask of the performance counters' entry is set when it delivers.
    if (offset === Apic.LVTPC) this.setRegister(offset, entry | LVT_MASKED);
    if (mode !== DeliveryMode.Fixed) return { kind: "local", mode, vector };
    const level = (offset === Apic.LVT0 || offset === Apic.LVT1) && (entry & LVT_LEVEL) !== 0;
    if (!level) this.accept(vector);
    else if ((entry & LVT_REMOTE_IRR) === 0 && this.accept(vector, true)) {
      this.setRegister(offset, entry | LVT_REMOTE_IRR);
    }
    return NONE;
  }

  /** PPR: the higher class of TPR and of the highest vector in service (SDM, "Task and Processor Priorities"). */
  processorPriority(): number {
    const highest = this.isr.highest(), inService = highest & 0xf0;
    return highest < 0 || (this.#tpr & 0xf0) >= inService ? this.#tpr : inService;
  }

  /** The vector the processor would be interrupted with, or -1: highest request whose class exceeds the PPR's. */
  pendingVector(): number {
    return this.#pending;
  }

  /** Takes up what {@linkcode pendingVector} depends on. */
  #prioritise(): void {
    const vector = this.irr.highest();
    const presents = vector >= 0 && this.#presents;
    this.#pending = presents && (vector & 0xf0) > (this.processorPriority() & 0xf0) ? vector : -1;
  }

  /** The processor takes `vector`: from IRR to ISR. */
  acknowledge(vector: number): void {
    this.irr.delete(vector);
    this.isr.add(vector);
    this.#prioritise();
  }

  /** Takes `vector` back out of the request register: a level-triggered line that fell, a virtual one revoked. */
  withdraw(vector: number): void {
    this.irr.delete(vector);
    this.#prioritise();
  }

  /** Whether anything is in service. */
  get inService(): boolean {
    return this.isr.highest() >= 0;
  }

  /** Whether a message to `destination` means this APIC (SDM, "Determining IPI Destination"). */
  matches(destination: number, logical: boolean): boolean {
    if (!this.#hardwareEnabled) return false;
    if (destination === (this.x2apic ? 0xffff_ffff : 0xff)) return true; // broadcast, of either kind
    if (!logical) return destination === (this.x2apic ? this.id : this.register(Apic.ID) >>> 24);
    if (this.x2apic) {
      const ldr = x2apicLogicalId(this.id);
      return destination >>> 16 === ldr >>> 16 && (destination & ldr & 0xffff) !== 0;
    }
    const ldr = this.register(Apic.LDR) >>> 24;
    if (this.register(Apic.DFR) >>> 28 === 0xf) return (ldr & destination) !== 0;
    return ldr >>> 4 === destination >>> 4 && (ldr & destination & 0xf) !== 0;
  }

  #endOfInterrupt(): ApicEffect {
    const vector = this.isr.highest();
    const effect = this.#eoi;
    effect.vector = vector;
    effect.broadcast = false;
    if (vector < 0) return effect;
    this.isr.delete(vector);
    this.#prioritise();
    if (this.tmr.has(vector)) this.#endOfLevel(vector, effect);
    return effect;
  }

  /** The end of a level-triggered interrupt reaches where it came from: a LINT pin, or by broadcast an I/O APIC. */
  #endOfLevel(vector: number, effect: { broadcast: boolean }): void {
    effect.broadcast = (this.register(Apic.SVR) & SVR_SUPPRESS_BROADCAST) === 0;
    if (!this.#rules.lintPins) return;
    for (const offset of [Apic.LVT0, Apic.LVT1]) {
      const entry = this.register(offset);
      if ((entry & 0xff) === vector) this.setRegister(offset, entry & ~LVT_REMOTE_IRR);
    }
  }

  /** Notes an error, and asks for its interrupt. */
  #error(bit: number): void {
    if (!this.#rules.reportsErrors) return;
    this.#errors |= bit;
    const entry = this.register(Apic.LVTERR);
    if ((entry & 0xff) >= this.#lowestVector) this.localInterrupt(Apic.LVTERR);
  }

  #send(ipi: Ipi): ApicEffect {
    const { mode, vector } = ipi;
    const isVector = mode === DeliveryMode.Fixed || mode === DeliveryMode.LowestPriority;
    if (isVector && vector < this.#lowestVector) {
      this.#error(ApicError.SendIllegalVector);
      return NONE;
    }
    return { kind: "ipi", ipi };
  }

  #decodeIcr(low: number, high: number): Ipi {
    return {
      mode: (low >>> 8) & 7,
      vector: low & 0xff,
      destination: this.x2apic ? high : this.register(Apic.ICR2) >>> 24,
      logical: (low & 0x800) !== 0,
      shorthand: (low >>> 18) & 3,
      assert: (low & 0x4000) !== 0,
      level: (low & 0x8000) !== 0,
    };
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.id).flag(this.x2apic).flag(this.#hardwareEnabled).word(this.#errors);
    for (const set of [this.irr, this.isr, this.tmr]) for (let i = 0; i < 8; i++) hash.word(set.word(i));
    hash.words(this.#registers);
    for (const vector of this.irr.members()) hash.number(this.inheritedFactor[vector]!);
    this.timer.hashInto(hash);
  }
}

/** Bits above 2^32 of a number up to 2^53. */
function upperHalf(value: number): number {
  return value > 0xffff_ffff ? Math.floor(value / 0x1_0000_0000) : 0;
}
