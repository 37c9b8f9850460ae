/**
 * The local APIC's registers as a table: where they are, what a write may change, what it must not contain.
 *
 * *Document*: Intel SDM vol. 3A, "Local APIC Register Address Map", "Local Vector Table", "x2APIC Register Address
 * Space", "Reserved Bit Checking".
 *
 * An implementation is a set of {@linkcode ApicRules}: {@linkcode INTEL_RULES} is the manual's. Software that emulates
 * a local APIC has rules of its own, and leaves the manual where they differ.
 *
 * @module
 */

/** Register offsets in the xAPIC page; the x2APIC MSR of a register is {@linkcode x2apicMsr}. */
export const Apic = Object.freeze({
  /** Local APIC ID. */
  ID: 0x020,
  /** Version. */
  VERSION: 0x030,
  /** Task priority. */
  TPR: 0x080,
  /** Arbitration priority (not in this family: reads 0 where it is implemented at all). */
  APR: 0x090,
  /** Processor priority (read-only). */
  PPR: 0x0a0,
  /** End of interrupt (write-only). */
  EOI: 0x0b0,
  /** Logical destination. */
  LDR: 0x0d0,
  /** Destination format (xAPIC only). */
  DFR: 0x0e0,
  /** Spurious-interrupt vector; bit 8 enables the APIC, bit 12 suppresses EOI broadcasts. */
  SVR: 0x0f0,
  /** In service, 8 registers. */
  ISR: 0x100,
  /** Trigger mode, 8 registers. */
  TMR: 0x180,
  /** Interrupt request, 8 registers. */
  IRR: 0x200,
  /** Error status. */
  ESR: 0x280,
  /** LVT corrected machine check. */
  LVTCMCI: 0x2f0,
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
});

/** The x2APIC MSR of the register at `offset`: 0x800 + offset/16. */
export function x2apicMsr(offset: number): number {
  return 0x800 + (offset >>> 4);
}

/** The register offset of an x2APIC MSR. */
export function x2apicOffset(msr: number): number {
  return (msr - 0x800) << 4;
}

/** LDR in x2APIC form: cluster from id bits 31:4, one bit of 16 from bits 3:0 (SDM, "Logical Destination Mode"). */
export function x2apicLogicalId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0;
}

/** The x2APIC's EOI register. */
export const EOI_MSR = x2apicMsr(Apic.EOI);
/** IA32_TIME_STAMP_COUNTER. */
export const MSR_TSC = 0x10;
/** IA32_TSC_DEADLINE. */
export const MSR_TSC_DEADLINE = 0x6e0;

/** Delivery modes of a message (ICR and MSI data, bits 10:8). */
export const DeliveryMode = Object.freeze({
  Fixed: 0,
  LowestPriority: 1,
  Smi: 2,
  Nmi: 4,
  Init: 5,
  Startup: 6,
  ExtInt: 7,
});

/** Bits of the error status register (SDM, "Error Handling"). */
export const ApicError = Object.freeze({
  /** A message was to be sent with a vector below 16. */
  SendIllegalVector: 1 << 5,
  /** A message arrived with a vector below 16, or the LVT holds one. */
  ReceiveIllegalVector: 1 << 6,
  /** Software touched a register that is not there (xAPIC form; the x2APIC raises #GP). */
  IllegalRegisterAddress: 1 << 7,
});

/** SVR bit 8: software enables the APIC. */
export const SVR_ENABLE = 1 << 8;
/** SVR bit 12: no EOI is broadcast. */
export const SVR_SUPPRESS_BROADCAST = 1 << 12;
/** LVT bit 16: masked. */
export const LVT_MASKED = 1 << 16;
/** LVT bit 15 of LINT0 and LINT1: level-triggered. */
export const LVT_LEVEL = 1 << 15;
/** LVT bit 14 of LINT0 and LINT1: a level-triggered interrupt waits for its EOI. */
export const LVT_REMOTE_IRR = 1 << 14;

/** The local vector table, in the order of the registers' addresses behind the timer's; CMCI has come last. */
export const LVT_OFFSETS: readonly number[] = [
  Apic.LVTT,
  Apic.LVTTHMR,
  Apic.LVTPC,
  Apic.LVT0,
  Apic.LVT1,
  Apic.LVTERR,
  Apic.LVTCMCI,
];

/** What follows from a register write, or from an event at the APIC. */
export type ApicEffect =
  /** Nothing beyond the register itself. */
  | { readonly kind: "none" }
  /** Vector `vector` left service (-1: nothing was in service); a level-triggered one is broadcast to the I/O APICs. */
  | { readonly kind: "eoi"; readonly vector: number; readonly broadcast: boolean }
  /** The timer was started, stopped or its mode changed: its `expiresNs` says when it is due. */
  | { readonly kind: "timer" }
  /** An interprocessor interrupt is to be sent. */
  | { readonly kind: "ipi"; readonly ipi: Ipi }
  /** A local source has reached its own processor, with a delivery mode that is not a vector's: NMI, SMI, INIT, ExtINT. */
  | { readonly kind: "local"; readonly mode: number; readonly vector: number }
  /** The register does not exist or the value has reserved bits set: #GP in x2APIC form. */
  | { readonly kind: "fault"; readonly reason: string };

/** A write of the register at `offset` is refused. */
export function fault(offset: number): ApicEffect {
  return { kind: "fault", reason: `write of APIC register 0x${offset.toString(16)}` };
}

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
  /** Level bit: assert. An INIT that is not asserted and level-triggered is the de-assert of old processors. */
  readonly assert: boolean;
  /** Trigger mode bit: level. */
  readonly level: boolean;
}

/** One row of a register table. */
export interface RegisterRule {
  /** The manual's short name. */
  readonly name: string;
  /** What software may do. */
  readonly access: "ro" | "wo" | "rw";
  /** Bits that a write replaces. */
  readonly mask: number;
  /** Bits that a write always sets. */
  readonly ones: number;
  /** Bits that make a write in x2APIC form fault. */
  readonly reserved: number;
  /** The value after reset. */
  readonly reset: number;
  /** Which form has it: both where absent. */
  readonly form?: "xapic" | "x2apic";
  /** Only the xAPIC's can be written. */
  readonly readOnlyInX2apic?: boolean;
}

/** How an implementation of the local APIC behaves where implementations differ. */
export interface ApicRules {
  /** Its registers by offset. */
  readonly rows: ReadonlyMap<number, RegisterRule>;
  /** The lowest vector that it takes: 16 by the manual. */
  readonly lowestVector: number;
  /** Errors are collected in ESR, and cause the interrupt of the LVT error entry. */
  readonly reportsErrors: boolean;
  /** LINT0 and LINT1 are pins: the remote IRR of a level-triggered one follows its interrupt. */
  readonly lintPins: boolean;
  /** Bits 63:32 of every x2APIC register but the ICR are reserved: a write that sets one faults. */
  readonly upperHalfReserved: boolean;
  /** While software has disabled the APIC, requests are not presented to the processor. */
  readonly disabledHoldsBack: boolean;
  /**
   * Which changes of the timer's mode stop it: all of them (SDM, "APIC Timer"), or only those to and from TSC-deadline
   * mode, while the initial count survives the others.
   */
  readonly timerStopsOn: "modeChange" | "deadlineChange";
  /** A stopped timer forgets initial count and deadline. */
  readonly stopForgets: boolean;
  /** A new divisor rescales the count that runs; otherwise it counts from the next start on. */
  readonly divisorRescales: boolean;
}

type Row = Partial<Omit<RegisterRule, "name">>;

/** Makes a row: what is not said is a readable and writable register of 32 bits that is 0 after reset. */
export function registerRule(name: string, row: Row): RegisterRule {
  const access = row.access ?? "rw";
  const mask = row.mask ?? (access === "ro" ? 0 : 0xffff_ffff);
  return { ones: 0, reserved: ~mask >>> 0, reset: 0, ...row, name, access, mask };
}

/** The manual's table: what is not replaced by a write is reserved. */
const INTEL_ROWS: ReadonlyMap<number, RegisterRule> = new Map<number, RegisterRule>([
  [Apic.ID, registerRule("ID", { mask: 0xff00_0000, readOnlyInX2apic: true })],
  [Apic.VERSION, registerRule("VERSION", { access: "ro", reset: 0x0106_0015 })],
  [Apic.TPR, registerRule("TPR", { mask: 0xff })],
  [Apic.PPR, registerRule("PPR", { access: "ro" })],
  [Apic.EOI, registerRule("EOI", { access: "wo", reserved: 0xffff_ffff })],
  [Apic.LDR, registerRule("LDR", { mask: 0xff00_0000, readOnlyInX2apic: true })],
  [
    Apic.DFR,
    registerRule("DFR", { mask: 0xf000_0000, ones: 0x0fff_ffff, reset: 0xffff_ffff, form: "xapic" }),
  ],
  [Apic.SVR, registerRule("SVR", { mask: 0x13ff, reset: 0xff })],
  [Apic.ESR, registerRule("ESR", { mask: 0 })],
  [Apic.LVTCMCI, registerRule("LVTCMCI", { mask: 0x0001_07ff, reset: LVT_MASKED })],
  [Apic.ICR, registerRule("ICR", { mask: 0x000c_cfff })],
  [Apic.ICR2, registerRule("ICR2", { mask: 0xff00_0000, form: "xapic" })],
  [Apic.LVTT, registerRule("LVTT", { mask: 0x0007_00ff, reset: LVT_MASKED })],
  [Apic.LVTTHMR, registerRule("LVTTHMR", { mask: 0x0001_07ff, reset: LVT_MASKED })],
  [Apic.LVTPC, registerRule("LVTPC", { mask: 0x0001_07ff, reset: LVT_MASKED })],
  [Apic.LVT0, registerRule("LVT0", { mask: 0x0001_a7ff, reset: LVT_MASKED })],
  [Apic.LVT1, registerRule("LVT1", { mask: 0x0001_a7ff, reset: LVT_MASKED })],
  [Apic.LVTERR, registerRule("LVTERR", { mask: 0x0001_00ff, reset: LVT_MASKED })],
  [Apic.TMICT, registerRule("TMICT", {})],
  [Apic.TMCCT, registerRule("TMCCT", { access: "ro" })],
  [Apic.TDCR, registerRule("TDCR", { mask: 0xb })],
  [Apic.SELF_IPI, registerRule("SELF_IPI", { access: "wo", mask: 0xff, form: "x2apic" })],
]);

/** The manual's local APIC. */
export const INTEL_RULES: ApicRules = {
  rows: INTEL_ROWS,
  lowestVector: 16,
  reportsErrors: true,
  lintPins: true,
  upperHalfReserved: true,
  disabledHoldsBack: false,
  timerStopsOn: "modeChange",
  stopForgets: true,
  divisorRescales: false,
};

/** The manual's short name of the register at `offset`, as tracepoints print it. */
export function apicRegisterName(offset: number): string {
  if (offset >= Apic.ISR && offset < Apic.ESR) {
    return offset < Apic.TMR ? "ISR" : offset < Apic.IRR ? "TMR" : "IRR";
  }
  return INTEL_ROWS.get(offset)?.name ?? `0x${offset.toString(16)}`;
}
