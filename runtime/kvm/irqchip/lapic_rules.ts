/**
 * How KVM's local APIC leaves Intel's manual, and how that changed between kernel versions, as data.
 *
 * *Document*: Linux 3.5, 3.6 and 6.18 `arch/x86/kvm/lapic.c` (`apic_reg_read()`, `apic_reg_write()`, `kvm_lapic_reset()`,
 * later with the prefix `kvm_lapic_`), `arch/x86/kvm/ioapic.c` (before 3.10 `virt/kvm/ioapic.c`).
 *
 * Common to all of them: vectors 0 to 15 are taken, ESR keeps what it is given and reports nothing, the pins LINT0 and
 * LINT1 are no inputs, bits that the manual reserves are masked without a fault except where a row says otherwise.
 *
 * *Deviations*: in 3.5 a write of SELF IPI leaves its value in the ICR, ICR2 of an x2APIC keeps its low bits, and the
 * ID register those that no id uses; nobody reads them, and here they are as in later versions.
 *
 * @module
 */

import {
  Apic,
  type ApicRules,
  LVT_MASKED,
  type RegisterRule,
  registerRule,
} from "../../../hw/lapic_registers.ts";

/** What differs between versions, beside the register rules. */
export interface ApicVersion {
  /** Register rules, by what the guest's CPUID shows. */
  rules(features: ApicFeatures): ApicRules;
  /** `struct kvm_apic_map` (3.8): messages find their targets by table where the APICs' modes allow it. */
  readonly destinationMap: boolean;
  /** The redirection hint of an MSI address selects lowest-priority delivery (4.1). */
  readonly redirectionHint: boolean;
  /** A vector that is requested already counts as coalesced; later every accepted message counts as delivered (3.12). */
  readonly coalesces: boolean;
  /** x2APIC destinations have 32 bits, and clusters (4.8). Before, 8 bits are compared, whatever the cluster. */
  readonly wideDestinations: boolean;
  /** LDR of an x2APIC; 3.5 shifted the cluster to the wrong place. */
  logicalId(id: number): number;
  /** INIT and SIPI wait until the vCPU looks at them (3.10); before, they changed its state where they arrived. */
  readonly latchesEvents: boolean;
  /** A remote read (delivery mode 3) is a wake-up for a halted vCPU (3.12), and counts as delivered. */
  readonly remoteReadWakes: boolean;
  /** IA32_APIC_BASE refuses reserved bits and illegal changes (3.14), those of user space excepted that restore state. */
  readonly checksBase: boolean;
  /** TSC_DEADLINE reads 0 once the timer has fired (3.15). */
  readonly deadlineCleared: boolean;
  /** A deadline that has passed is pending at once; before, it takes a host timer that expires immediately. */
  readonly pastDeadlineAtOnce: boolean;
  /** `min_timer_period_us`, ns. */
  readonly minimumPeriodNs: number;
  /** Only the vCPU of the boot processor finds LINT0 open for the 8259 after reset (3.15). */
  readonly lint0OnlyOnBsp: boolean;
  /** The 8259 goes before the APIC where both have an interrupt (3.9), as the manual has it. */
  readonly extIntFirst: boolean;
  /** Bits of TPR that a write of CR8 keeps; those that it does not hold should all go. */
  readonly cr8KeepsTpr: number;
  /** Of an APIC without page of registers, the page swallows writes and reads all ones (KVM_X86_QUIRK_LAPIC_MMIO_HOLE, 4.20). */
  readonly pageHole: boolean;
  /** The page is there in x2APIC form as well (until 4.20). */
  readonly pageInX2apic: boolean;
  /** The LVT entry of the performance counters is masked when it delivers (6.10). */
  readonly masksLvtpc: boolean;
  /** The emulated I/O APIC. */
  readonly ioapic: IoapicVersion;
}

/** What differs between versions of the emulated I/O APIC. */
export interface IoapicVersion {
  /** An asserted line is low where the entry's polarity says so (until 3.15). */
  readonly polarity: boolean;
  /** Line 0 always goes to the boot processor, whatever its entry says (until 3.15). */
  readonly line0ToBsp: boolean;
  /** A level-triggered line whose interrupt waits for its EOI is reported as coalesced; later as ignored (3.15). */
  readonly waitingIsCoalesced: boolean;
  /** A write of an entry's low half clears remote IRR; later only that of an edge-triggered one (4.14). */
  readonly writeClearsRemoteIrr: boolean;
  /** Each vCPU has a set of vectors whose EOI it forwards, renewed at the next entry (3.10); before, there is one set. */
  readonly handledPerVcpu: boolean;
  /** Interrupts of line 8 count as coalesced until every vCPU has ended the last one (3.10). */
  readonly tracksRtc: boolean;
}

/** What a guest's CPUID shows of its local APIC. */
export interface ApicFeatures {
  /** CPUID.1:ECX.x2APIC. */
  readonly x2apic: boolean;
  /** CPUID.1:ECX.TSC_Deadline. */
  readonly tscDeadline: boolean;
  /** CPUID.80000008H:EAX, physical address bits. */
  readonly physicalAddressBits: number;
}

/** APIC_LVT_MASKED, APIC_SEND_PENDING and the vector; a delivery mode; a pin's polarity, remote IRR and trigger. */
const LVT = LVT_MASKED | 0x10ff;
const LVT_MODE = LVT | 0x700;
const LINT = LVT_MODE | 0xe000;
/** The timer's mode: with TSC-deadline mode two bits, else one. */
const TIMER_MODES = 3 << 17;
const TIMER_PERIODIC = 1 << 17;
/** X2APIC_ICR_RESERVED_BITS: 31:20, 17:16, 13. */
const ICR_RESERVED = 0xfff3_2000;
/** Version 0x14 with six LVT entries. */
const VERSION = 0x0005_0014;
/** APIC_LVR_DIRECTED_EOI, and the bit of SVR that it offers. */
const DIRECTED_EOI = 1 << 24;
const SUPPRESS_BROADCAST = 1 << 12;

const FREE = Object.freeze({ reserved: 0 });

/**
 * Rows of 3.5 and 3.6. What nobody masks is stored as it comes. With x2APIC the version register offers to suppress EOI
 * broadcasts, although the emulated I/O APIC has no EOI register (until 4.16).
 */
function rows3({ tscDeadline, x2apic }: ApicFeatures): Map<number, RegisterRule> {
  const lvtt = LVT | (tscDeadline ? TIMER_MODES : TIMER_PERIODIC);
  const reset = LVT_MASKED;
  return new Map([
    [Apic.ID, registerRule("ID", { ...FREE, mask: 0xff00_0000, readOnlyInX2apic: true })],
    [Apic.VERSION, registerRule("VERSION", { access: "ro", reset: VERSION + (x2apic ? DIRECTED_EOI : 0) })],
    [Apic.TPR, registerRule("TPR", { ...FREE, mask: 0xff })],
    [Apic.APR, registerRule("APR", { access: "ro" })],
    [Apic.PPR, registerRule("PPR", { access: "ro" })],
    [Apic.EOI, registerRule("EOI", { ...FREE, access: "wo" })],
    [Apic.LDR, registerRule("LDR", { ...FREE, mask: 0xff00_0000, readOnlyInX2apic: true })],
    [
      Apic.DFR,
      registerRule("DFR", {
        mask: 0xf000_0000,
        ones: 0x0fff_ffff,
        reset: 0xffff_ffff,
        readOnlyInX2apic: true,
      }),
    ],
    [
      Apic.SVR,
      registerRule("SVR", { ...FREE, mask: 0x3ff | (x2apic ? SUPPRESS_BROADCAST : 0), reset: 0xff }),
    ],
    [Apic.ESR, registerRule("ESR", { mask: 0 })],
    [Apic.ICR, registerRule("ICR", { ...FREE, mask: 0xffff_efff })],
    [Apic.ICR2, registerRule("ICR2", { ...FREE, mask: 0xff00_0000 })],
    [Apic.LVTT, registerRule("LVTT", { ...FREE, mask: lvtt, reset })],
    [Apic.LVTTHMR, registerRule("LVTTHMR", { ...FREE, mask: LVT_MODE, reset })],
    [Apic.LVTPC, registerRule("LVTPC", { ...FREE, mask: LVT_MODE, reset })],
    [Apic.LVT0, registerRule("LVT0", { ...FREE, mask: LINT, reset })],
    [Apic.LVT1, registerRule("LVT1", { ...FREE, mask: LINT, reset })],
    [Apic.LVTERR, registerRule("LVTERR", { ...FREE, mask: LVT, reset })],
    [Apic.TMICT, registerRule("TMICT", {})],
    [Apic.TMCCT, registerRule("TMCCT", { access: "ro" })],
    [Apic.TDCR, registerRule("TDCR", FREE)],
    [Apic.SELF_IPI, registerRule("SELF_IPI", { ...FREE, access: "wo", mask: 0xff, form: "x2apic" })],
  ]);
}

/** Rows of 6.18: what 3.5 masks, and faults for the ICR (5.17) and SELF IPI (5.18), and for the xAPIC's own registers. */
function rows6(features: ApicFeatures): Map<number, RegisterRule> {
  const rows = rows3({ ...features, x2apic: false });
  rows.set(Apic.APR, registerRule("APR", { access: "ro", form: "xapic" }));
  rows.set(
    Apic.DFR,
    registerRule("DFR", { mask: 0xf000_0000, ones: 0x0fff_ffff, reset: 0xffff_ffff, form: "xapic" }),
  );
  rows.set(Apic.ICR, registerRule("ICR", { mask: 0xffff_efff, reserved: ICR_RESERVED }));
  rows.set(Apic.ICR2, registerRule("ICR2", { mask: 0xff00_0000, form: "xapic" }));
  rows.set(Apic.TDCR, registerRule("TDCR", { ...FREE, mask: 0xb }));
  rows.set(Apic.SELF_IPI, registerRule("SELF_IPI", { access: "wo", mask: 0xff, form: "x2apic" }));
  return rows;
}

const COMMON = { lowestVector: 0, reportsErrors: false, lintPins: false } as const;

/** The local APIC of Linux 3.5. 3.6 adds EOIs by shared memory, which a guest has to ask for and none here does. */
export const APIC_3_5: ApicVersion = {
  rules: (features) => ({
    ...COMMON,
    rows: rows3(features),
    upperHalfReserved: false,
    disabledHoldsBack: true,
    timerStopsOn: "modeChange",
    stopForgets: false,
    divisorRescales: false,
  }),
  destinationMap: false,
  redirectionHint: false,
  coalesces: true,
  wideDestinations: false,
  logicalId: (id) => (((id & 0xf0) << 16) | (1 << (id & 15))) >>> 0,
  latchesEvents: false,
  remoteReadWakes: false,
  checksBase: false,
  deadlineCleared: false,
  pastDeadlineAtOnce: false,
  minimumPeriodNs: 500_000,
  lint0OnlyOnBsp: false,
  extIntFirst: false,
  cr8KeepsTpr: 4,
  pageHole: false,
  pageInX2apic: true,
  masksLvtpc: false,
  ioapic: {
    polarity: true,
    line0ToBsp: true,
    waitingIsCoalesced: true,
    writeClearsRemoteIrr: true,
    handledPerVcpu: false,
    tracksRtc: false,
  },
};

/** The local APIC of Linux 6.18. */
export const APIC_6_18: ApicVersion = {
  rules: (features) => ({
    ...COMMON,
    rows: rows6(features),
    upperHalfReserved: true,
    disabledHoldsBack: false,
    timerStopsOn: "deadlineChange",
    stopForgets: true,
    divisorRescales: true,
  }),
  destinationMap: true,
  redirectionHint: true,
  coalesces: false,
  wideDestinations: true,
  logicalId: (id) => (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0,
  latchesEvents: true,
  remoteReadWakes: true,
  checksBase: true,
  deadlineCleared: true,
  pastDeadlineAtOnce: true,
  minimumPeriodNs: 200_000,
  lint0OnlyOnBsp: true,
  extIntFirst: true,
  cr8KeepsTpr: 0,
  pageHole: true,
  pageInX2apic: false,
  masksLvtpc: true,
  ioapic: {
    polarity: false,
    line0ToBsp: false,
    waitingIsCoalesced: false,
    writeClearsRemoteIrr: false,
    handledPerVcpu: true,
    tracksRtc: true,
  },
};
