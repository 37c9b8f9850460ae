/**
 * The local APIC: registers, priorities, and what follows from a write.
 *
 * *Document*: Intel SDM vol. 3A, chapter "Advanced Programmable Interrupt Controller (APIC)".
 *
 * *Modelled*: xAPIC and x2APIC register forms, IRR/ISR/TMR, TPR and PPR, EOI, the spurious-interrupt register's
 * enable bit, ICR and SELF IPI as messages, logical and physical destinations, the LVT timer entry and the timer.
 *
 * *Not modelled*: the other LVT entries keep their value and cause nothing; ESR stays 0; lowest-priority
 * arbitration; CMCI.
 *
 * A write answers with the {@linkcode ApicEffect} that follows from it and performs none: whoever owns this APIC
 * (the machine for the physical one, an emulation for a virtual one) carries it out. That is why the same device
 * serves both.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";
import { type ClockRatio, LapicTimer, TimerMode } from "./lapic_timer.ts";
import { VectorSet } from "./vector_set.ts";

/** Register offsets in the xAPIC page; the x2APIC MSR of a register is {@linkcode x2apicMsr}. */
export const Apic = {
  /** Local APIC ID. */
  ID: 0x020,
  /** Version. */
  VERSION: 0x030,
  /** Task priority. */
  TPR: 0x080,
  /** Processor priority (read-only). */
  PPR: 0x0a0,
  /** End of interrupt (write-only). */
  EOI: 0x0b0,
  /** Logical destination. */
  LDR: 0x0d0,
  /** Destination format (xAPIC only). */
  DFR: 0x0e0,
  /** Spurious-interrupt vector; bit 8 enables the APIC. */
  SVR: 0x0f0,
  /** In service, 8 registers. */
  ISR: 0x100,
  /** Trigger mode, 8 registers. */
  TMR: 0x180,
  /** Interrupt request, 8 registers. */
  IRR: 0x200,
  /** Error status. */
  ESR: 0x280,
  /** Interrupt command, low half; in x2APIC form all 64 bits. */
  ICR: 0x300,
  /** Interrupt command, destination (xAPIC only). */
  ICR2: 0x310,
  /** LVT timer. */
  LVTT: 0x320,
  /** LVT thermal sensor. */
  LVTTHMR: 0x330,
  /** LVT performance counters. */
  LVTPC: 0x340,
  /** LVT LINT0. */
  LVT0: 0x350,
  /** LVT LINT1. */
  LVT1: 0x360,
  /** LVT error. */
  LVTERR: 0x370,
  /** Timer initial count: a write starts the timer. */
  TMICT: 0x380,
  /** Timer current count (read-only). */
  TMCCT: 0x390,
  /** Timer divide configuration. */
  TDCR: 0x3e0,
  /** Self IPI (x2APIC only, write-only). */
  SELF_IPI: 0x3f0,
} as const;

/** The x2APIC MSR of the register at `offset`: 0x800 + offset/16. */
export function x2apicMsr(offset: number): number {
  return 0x800 + (offset >>> 4);
}

/** The register offset of an x2APIC MSR. */
export function x2apicOffset(msr: number): number {
  return (msr - 0x800) << 4;
}

/** The x2APIC's EOI register. */
export const EOI_MSR = x2apicMsr(Apic.EOI);
/** IA32_APIC_BASE. */
export const MSR_APIC_BASE = 0x1b;
/** IA32_TSC_DEADLINE. */
export const MSR_TSC_DEADLINE = 0x6e0;

/** Delivery modes of a message (ICR and MSI data, bits 10:8). */
export const DeliveryMode = {
  Fixed: 0,
  LowestPriority: 1,
  Smi: 2,
  Nmi: 4,
  Init: 5,
  Startup: 6,
  ExtInt: 7,
} as const;

/** What follows from a register write. */
export type ApicEffect =
  /** Nothing beyond the register itself. */
  | { readonly kind: "none" }
  /** Vector `vector` left service (-1: nothing was in service). */
  | { readonly kind: "eoi"; readonly vector: number }
  /** The timer was started, stopped or its mode changed: {@linkcode LapicTimer.expiresNs} says when it is due. */
  | { readonly kind: "timer" }
  /** An interprocessor interrupt is to be sent. */
  | { readonly kind: "ipi"; readonly ipi: Ipi }
  /** The register does not exist or the value has reserved bits set: #GP in x2APIC form. */
  | { readonly kind: "fault"; readonly reason: string };

/** An interprocessor interrupt as the ICR spells it. */
export interface Ipi {
  /** One of {@linkcode DeliveryMode}. */
  readonly mode: number;
  /** Vector (or start-up page). */
  readonly vector: number;
  /** APIC id or logical destination. */
  readonly destination: number;
  /** Whether the destination is logical. */
  readonly logical: boolean;
  /** 0 none, 1 self, 2 all including self, 3 all excluding self. */
  readonly shorthand: number;
}

/** One row of the register table. */
interface RegisterRow {
  readonly name: string;
  readonly access: "ro" | "wo" | "rw";
  /** Bits that a write may set. */
  readonly mask: number;
  readonly reset: number;
  /** Which form has it: both where absent. */
  readonly form?: "xapic" | "x2apic";
  /** Only the xAPIC's can be written. */
  readonly readOnlyInX2apic?: boolean;
}

const LVT_RESET = 0x0001_0000;
const ROWS: ReadonlyMap<number, RegisterRow> = new Map<number, RegisterRow>([
  [Apic.ID, { name: "ID", access: "rw", mask: 0xff00_0000, reset: 0, readOnlyInX2apic: true }],
  [Apic.VERSION, { name: "VERSION", access: "ro", mask: 0, reset: 0x0006_0015 }],
  [Apic.TPR, { name: "TPR", access: "rw", mask: 0xff, reset: 0 }],
  [Apic.PPR, { name: "PPR", access: "ro", mask: 0, reset: 0 }],
  [Apic.EOI, { name: "EOI", access: "wo", mask: 0xffff_ffff, reset: 0 }],
  [Apic.LDR, { name: "LDR", access: "rw", mask: 0xff00_0000, reset: 0, readOnlyInX2apic: true }],
  [Apic.DFR, { name: "DFR", access: "rw", mask: 0xf000_0000, reset: 0xffff_ffff, form: "xapic" }],
  [Apic.SVR, { name: "SVR", access: "rw", mask: 0x13ff, reset: 0xff }],
  [Apic.ESR, { name: "ESR", access: "rw", mask: 0, reset: 0 }],
  [Apic.ICR, { name: "ICR", access: "rw", mask: 0x000c_cfff, reset: 0 }],
  [Apic.ICR2, { name: "ICR2", access: "rw", mask: 0xff00_0000, reset: 0, form: "xapic" }],
  [Apic.LVTT, { name: "LVTT", access: "rw", mask: 0x0007_00ff, reset: LVT_RESET }],
  [Apic.LVTTHMR, { name: "LVTTHMR", access: "rw", mask: 0x0001_07ff, reset: LVT_RESET }],
  [Apic.LVTPC, { name: "LVTPC", access: "rw", mask: 0x0001_07ff, reset: LVT_RESET }],
  [Apic.LVT0, { name: "LVT0", access: "rw", mask: 0x0001_a7ff, reset: LVT_RESET }],
  [Apic.LVT1, { name: "LVT1", access: "rw", mask: 0x0001_a7ff, reset: LVT_RESET }],
  [Apic.LVTERR, { name: "LVTERR", access: "rw", mask: 0x0001_00ff, reset: LVT_RESET }],
  [Apic.TMICT, { name: "TMICT", access: "rw", mask: 0xffff_ffff, reset: 0 }],
  [Apic.TMCCT, { name: "TMCCT", access: "ro", mask: 0, reset: 0 }],
  [Apic.TDCR, { name: "TDCR", access: "rw", mask: 0xb, reset: 0 }],
  [Apic.SELF_IPI, { name: "SELF_IPI", access: "wo", mask: 0xff, reset: 0, form: "x2apic" }],
]);

/** The manual's short name of the register at `offset`, as tracepoints print it. */
export function apicRegisterName(offset: number): string {
  if (offset >= Apic.ISR && offset < Apic.ESR) {
    return offset < Apic.TMR ? "ISR" : offset < Apic.IRR ? "TMR" : "IRR";
  }
  return ROWS.get(offset)?.name ?? `0x${offset.toString(16)}`;
}

const NONE: ApicEffect = { kind: "none" };
const TIMER: ApicEffect = { kind: "timer" };

function fault(offset: number): ApicEffect {
  return { kind: "fault", reason: `write of APIC register ${apicRegisterName(offset)}` };
}

/** A local APIC. Holds state, performs nothing. */
export class LocalApic {
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
  readonly #values = new Map<number, number>();
  readonly #eoi: { kind: "eoi"; vector: number } = { kind: "eoi", vector: -1 };
  #highestIrr = -1;
  #highestIsr = -1;
  #tpr = 0;
  #lvtt = LVT_RESET;
  #enabled = false;

  /** @param id the APIC id @param bus the timer's clock before division @param tsc the time-stamp counter's clock */
  constructor(readonly id: number, bus: ClockRatio, tsc: ClockRatio) {
    this.timer = new LapicTimer(bus, tsc);
    this.reset();
  }

  /** Every register to its value after power-up, in the form it has. */
  reset(): void {
    for (const [offset, row] of ROWS) this.#values.set(offset, row.reset);
    this.irr.clear();
    this.isr.clear();
    this.tmr.clear();
    this.timer.stop();
    this.timer.mode = TimerMode.OneShot;
    this.timer.divideConfiguration = 0;
    this.#highestIrr = this.#highestIsr = -1;
    this.#tpr = 0;
    this.#lvtt = LVT_RESET;
    this.#enabled = false;
  }

  /** Whether SVR bit 8 enables it. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** The LVT timer entry's vector, or -1 while it is masked. */
  get timerVector(): number {
    return (this.#lvtt & 0x0001_0000) !== 0 ? -1 : this.#lvtt & 0xff;
  }

  /** Writes the register at `offset`. Reads of time use `nowNs`. */
  write(offset: number, value: number, nowNs: number): ApicEffect {
    switch (offset) {
      case Apic.EOI:
        if (value !== 0 && this.x2apic) return fault(offset);
        return this.#endOfInterrupt();
      case Apic.TMICT:
        if (this.timer.mode === TimerMode.TscDeadline) return NONE; // SDM: ignored in TSC-deadline mode
        this.timer.start(value, nowNs);
        return TIMER;
    }
    const row = ROWS.get(offset);
    if (
      row === undefined || row.access === "ro" || !this.#hasRegister(row) ||
      (this.x2apic && (row.readOnlyInX2apic === true || (value & ~row.mask) !== 0))
    ) {
      return fault(offset);
    }
    const masked = (value & row.mask) >>> 0;
    this.#values.set(offset, offset === Apic.DFR ? (masked | 0x0fff_ffff) >>> 0 : masked);
    switch (offset) {
      case Apic.TPR:
        this.#tpr = masked;
        return NONE;
      case Apic.SVR:
        this.#enabled = (masked & 0x100) !== 0;
        return NONE;
      case Apic.TDCR:
        this.timer.divideConfiguration = masked;
        return NONE;
      case Apic.LVTT: {
        this.#lvtt = masked;
        const mode = (masked >>> 17) & 3;
        if (mode === this.timer.mode) return NONE;
        this.timer.mode = mode;
        this.timer.stop();
        return TIMER;
      }
      case Apic.ICR:
        return { kind: "ipi", ipi: this.#decodeIcr(value) };
      case Apic.SELF_IPI:
        return {
          kind: "ipi",
          ipi: {
            mode: DeliveryMode.Fixed,
            vector: masked,
            destination: this.id,
            logical: false,
            shorthand: 1,
          },
        };
      default:
        return NONE;
    }
  }

  #hasRegister(row: RegisterRow): boolean {
    return row.form === undefined || (row.form === "x2apic") === this.x2apic;
  }

  /** Whether the register at `offset` can be read: RDMSR of any other one faults. */
  readable(offset: number): boolean {
    if (offset >= Apic.ISR && offset < Apic.ESR) return true;
    const row = ROWS.get(offset);
    return row !== undefined && row.access !== "wo" && this.#hasRegister(row);
  }

  /** Reads the register at `offset` at time `nowNs`. A register that is not there reads 0. */
  read(offset: number, nowNs: number): number {
    if (offset >= Apic.ISR && offset < Apic.ESR) {
      const set = offset < Apic.TMR ? this.isr : offset < Apic.IRR ? this.tmr : this.irr;
      return set.word((offset & 0x7f) >>> 4);
    }
    switch (offset) {
      case Apic.ID:
        return this.x2apic ? this.id : (this.id << 24) >>> 0;
      case Apic.PPR:
        return this.processorPriority();
      case Apic.TMICT:
        return this.timer.initialCount;
      case Apic.TMCCT:
        return this.timer.currentCount(nowNs);
      case Apic.LDR:
        // SDM "Determining IPI Destination", x2APIC: cluster = id[31:4], bit = id[3:0]; xAPIC: as written.
        return this.x2apic
          ? (((this.id >>> 4) << 16) | (1 << (this.id & 15))) >>> 0
          : this.#values.get(offset)!;
      default:
        return this.#values.get(offset) ?? 0;
    }
  }

  /** Takes a message for `vector` into the IRR; a disabled APIC takes none. Returns whether it was taken. */
  accept(vector: number, level = false): boolean {
    if (!this.#enabled || vector < 16) return false;
    this.irr.add(vector);
    if (level) this.tmr.add(vector);
    else this.tmr.delete(vector);
    if (vector > this.#highestIrr) this.#highestIrr = vector;
    return true;
  }

  /** PPR: the higher class of TPR and of the highest vector in service (SDM, "Task and Processor Priorities"). */
  processorPriority(): number {
    const inService = this.#highestIsr & 0xf0;
    return this.#highestIsr < 0 || (this.#tpr & 0xf0) >= inService ? this.#tpr : inService;
  }

  /** The vector the processor would be interrupted with, or -1: highest request whose class exceeds the PPR's. */
  pendingVector(): number {
    const vector = this.#highestIrr;
    return vector >= 0 && (vector & 0xf0) > (this.processorPriority() & 0xf0) ? vector : -1;
  }

  /** The processor takes `vector`: from IRR to ISR. */
  acknowledge(vector: number): void {
    this.irr.delete(vector);
    this.isr.add(vector);
    this.#highestIrr = this.irr.highest();
    if (vector > this.#highestIsr) this.#highestIsr = vector;
  }

  /** Takes `vector` back out of the request register: a level-triggered line that fell, a virtual one revoked. */
  withdraw(vector: number): void {
    this.irr.delete(vector);
    this.#highestIrr = this.irr.highest();
  }

  /** Whether anything is in service. */
  get inService(): boolean {
    return this.#highestIsr >= 0;
  }

  /** Whether a message to `destination` means this APIC (SDM, "Determining IPI Destination"). */
  matches(destination: number, logical: boolean): boolean {
    if (destination === (this.x2apic ? 0xffff_ffff : 0xff)) return true; // broadcast, of either kind
    if (!logical) return destination === this.id;
    if (this.x2apic) {
      const ldr = this.read(Apic.LDR, 0);
      return destination >>> 16 === ldr >>> 16 && (destination & ldr & 0xffff) !== 0;
    }
    const ldr = this.#values.get(Apic.LDR)! >>> 24;
    if ((this.#values.get(Apic.DFR)! >>> 28) === 0xf) return (ldr & destination) !== 0;
    return ldr >>> 4 === destination >>> 4 && (ldr & destination & 0xf) !== 0;
  }

  #endOfInterrupt(): ApicEffect {
    const vector = this.#highestIsr;
    this.#eoi.vector = vector;
    if (vector >= 0) {
      this.isr.delete(vector);
      this.#highestIsr = this.isr.highest();
    }
    return this.#eoi;
  }

  #decodeIcr(value: number): Ipi {
    // In x2APIC form the destination is in bits 63:32 of one register; values up to 2^53 hold 21 bits of it.
    const low = value % 0x1_0000_0000;
    const destination = this.x2apic ? Math.floor(value / 0x1_0000_0000) : this.#values.get(Apic.ICR2)! >>> 24;
    return {
      mode: (low >>> 8) & 7,
      vector: low & 0xff,
      destination,
      logical: (low & 0x800) !== 0,
      shorthand: (low >>> 18) & 3,
    };
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.id).flag(this.x2apic);
    for (const set of [this.irr, this.isr, this.tmr]) for (let i = 0; i < 8; i++) hash.word(set.word(i));
    for (const value of this.#values.values()) hash.word(value);
    this.timer.hashInto(hash);
  }
}
