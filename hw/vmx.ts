/**
 * VT-x: the virtual-machine control structure, as far as interrupts, NMIs, HLT, MSRs and I/O are concerned.
 *
 * *Document*: Intel SDM vol. 3C, "Virtual Machine Control Structures", "VM Entries", "VM Exits".
 *
 * *Modelled*: pin-based controls (external-interrupt exiting, NMI exiting, virtual NMIs, preemption timer), primary
 * processor-based controls (interrupt-window and NMI-window exiting, TSC offsetting, HLT exiting, MSR bitmaps), the MSR
 * bitmap, the VM-entry interruption-information field, exit reasons and qualification, the IDT-vectoring information field, guest
 * RFLAGS.IF, blocking by NMI and activity state HLT.
 *
 * The TPR shadow: CR8, and TPR in the APIC's page, are those of the virtual-APIC page, and a value below the threshold
 * exits. PAUSE-loop exiting.
 *
 * Control registers: see `vmx_control_registers.ts`. INVLPG exiting, the exception bitmap as far as page faults go.
 *
 * *Not modelled*: EPT structures (an access to memory-mapped APIC registers exits by its address), page tables, linear
 * addresses (the qualification of a page fault is 0), VM-entry checks beyond those on event injection. An IRET never faults, so that "NMI unblocking due to IRET" is clear
 * in every exit.
 *
 * *Deviations*: an access to an I/O port has no width of its own: it is as wide as its value needs.
 *
 * @module
 */

import { controlAccessExits, controlQualification, CrExiting } from "./vmx_control_registers.ts";
import { accessBytes, Op, type Step } from "./sim/activity.ts";
import type { StateHash } from "./sim/state_hash.ts";
import type { RegisterFile } from "./register_file.ts";

/** Pin-based VM-execution controls. */
export const Pin = Object.freeze({
  /** Bit 0: external interrupts cause VM exits; clear: they go through the guest's IDT. */
  ExternalInterruptExiting: 1 << 0,
  /** Bit 3: NMIs cause VM exits. */
  NmiExiting: 1 << 3,
  /** Bit 5: NMIs are never blocked in guest mode; "blocking by NMI" is the guest's own. */
  VirtualNmis: 1 << 5,
  /** Bit 6: the VMX-preemption timer counts in guest mode. */
  PreemptionTimer: 1 << 6,
});

/** Primary processor-based VM-execution controls. */
export const Primary = Object.freeze({
  /** Bit 2: exit as soon as the guest could take an interrupt. */
  InterruptWindowExiting: 1 << 2,
  /** Bit 3: what the guest reads of the time-stamp counter is the processor's plus the TSC offset. */
  UseTscOffsetting: 1 << 3,
  /** Bit 7: HLT causes a VM exit. */
  HltExiting: 1 << 7,
  /** Bit 9: INVLPG causes a VM exit. */
  InvlpgExiting: 1 << 9,
  /** Bits 15, 16, 19 and 20. */
  Cr3LoadExiting: CrExiting.Cr3Load,
  Cr3StoreExiting: CrExiting.Cr3Store,
  Cr8LoadExiting: CrExiting.Cr8Load,
  Cr8StoreExiting: CrExiting.Cr8Store,
  /** Bit 21: TPR is that of the virtual-APIC page. */
  UseTprShadow: 1 << 21,
  /** Bit 22: exit as soon as there is no virtual-NMI blocking. */
  NmiWindowExiting: 1 << 22,
  /** Bit 28: the MSR bitmap decides; clear: every RDMSR and WRMSR exits. */
  UseMsrBitmaps: 1 << 28,
});

/** Controls that ask for an exit as soon as the guest can take an event. */
export const EVENT_WINDOWS = Primary.InterruptWindowExiting | Primary.NmiWindowExiting;

/** Secondary processor-based controls: bit 1, the EPT pointer is in use. */
export const ENABLE_EPT = 1 << 1;
/** Secondary processor-based controls: bit 10, exits from a loop of PAUSE that is longer than the window. */
export const PAUSE_LOOP_EXITING = 1 << 10;

/** Basic exit reasons (SDM vol. 3D, appendix "VMX Basic Exit Reasons"). */
export const ExitReason = Object.freeze({
  ExceptionOrNmi: 0,
  ExternalInterrupt: 1,
  InterruptWindow: 7,
  NmiWindow: 8,
  Cpuid: 10,
  Hlt: 12,
  Invlpg: 14,
  CrAccess: 28,
  IoInstruction: 30,
  MsrRead: 31,
  MsrWrite: 32,
  InvalidGuestState: 33,
  Pause: 40,
  TprBelowThreshold: 43,
  ApicAccess: 44,
  EptViolation: 48,
  EptMisconfig: 49,
  PreemptionTimer: 52,
});

/** Where the local APIC's registers are mapped (IA32_APIC_BASE after reset). */
const APIC_PAGE = 0xfee0_0000;
/** TPR in that page. */
const TPR = 0x080, TPR_ADDRESS = APIC_PAGE + TPR;

/** Event types of interruption-information fields, bits 10:8. */
export const EventType = Object.freeze({ ExternalInterrupt: 0, Nmi: 2, HardwareException: 3 });

/** Bit 3 of the guest's interruptibility state: blocking by NMI. */
export const BLOCKING_BY_NMI = 1 << 3;

/** Exit qualification of an EPT violation: a read, or an instruction fetch, of a linear address that is valid. */
export const EptAccess = Object.freeze({ Read: 0x181, Fetch: 0x184 });

/** Bit 31 of an interruption-information field: the field is valid. */
const VALID = 0x8000_0000;

/** Composes an interruption-information field: valid, `type`, `vector`. */
export function interruptionInfo(type: number, vector: number): number {
  return (VALID | (type << 8) | vector) >>> 0;
}

/** The vector of page faults. */
export const PAGE_FAULT = 14;
/** Bit 11: an error code comes with the event. */
const WITH_ERROR_CODE = 1 << 11;
/** The interruption information of a page fault that exits. */
export const PAGE_FAULT_INFO =
  (interruptionInfo(EventType.HardwareException, PAGE_FAULT) | WITH_ERROR_CODE) >>> 0;

/** Takes an interruption-information field apart. */
export function decodeInterruptionInfo(info: number): { valid: boolean; type: number; vector: number } {
  return { valid: info >>> 31 === 1, type: (info >>> 8) & 7, vector: info & 0xff };
}

/**
 * The exit qualification of an instruction that exits (SDM, "Basic VM-Exit Information"): direction, width and port of
 * an I/O instruction; offset and kind of an access to the APIC's page. HLT, CPUID and accesses to MSRs have none.
 */
export function instructionQualification(
  reason: number,
  step: Step,
  registers: RegisterFile,
): number {
  const { address } = registers;
  switch (reason) {
    case ExitReason.IoInstruction:
      return ((address << 16) | (step.op === Op.In ? 8 : 0) | (accessBytes(step) - 1)) >>> 0;
    case ExitReason.CrAccess:
      return controlQualification(step.op, registers);
    case ExitReason.Invlpg:
      return address;
    case ExitReason.ApicAccess:
      return (address & 0xfff) | (step.op === Op.Store ? 1 << 12 : 0);
    default:
      return 0;
  }
}

/** The MSRs that an MSR bitmap has bits for, in two ranges of this size; others exit. */
const BITMAP_RANGE = 0x2000, HIGH_MSRS = 0xc000_0000;

/** An MSR bitmap: 4 KiB, a bit for each MSR of 0 … 0x1fff and of 0xc0000000 …, and for each direction; set: the access exits. */
export class MsrBitmap {
  readonly #read = new Uint8Array(2048).fill(0xff);
  readonly #write = new Uint8Array(2048).fill(0xff);

  /** @param name as `show vmcs` prints it */
  constructor(readonly name: string) {}

  /** Opens `msr` for reading, writing or both: such an access does not exit any more. */
  open(msr: number, access: "r" | "w" | "rw"): this {
    const place = placeOf(msr), bit = ~(1 << (place & 7));
    if (place < 0) throw new RangeError(`MSR 0x${msr.toString(16)} has no bit`);
    if (access !== "w") this.#read[place >>> 3]! &= bit;
    if (access !== "r") this.#write[place >>> 3]! &= bit;
    return this;
  }

  /** Whether a WRMSR (or RDMSR) of `msr` exits. */
  intercepts(msr: number, write: boolean): boolean {
    const place = placeOf(msr);
    return place < 0 || ((write ? this.#write : this.#read)[place >>> 3]! & (1 << (place & 7))) !== 0;
  }

  /** The MSRs that are open, ascending, with the accesses allowed. */
  opened(): { msr: number; access: "r" | "w" | "rw" }[] {
    const list: { msr: number; access: "r" | "w" | "rw" }[] = [];
    for (let place = 0; place < 2 * BITMAP_RANGE; place++) {
      const msr = place < BITMAP_RANGE ? place : HIGH_MSRS + place - BITMAP_RANGE;
      const r = !this.intercepts(msr, false), w = !this.intercepts(msr, true);
      if (r || w) list.push({ msr, access: r && w ? "rw" : r ? "r" : "w" });
    }
    return list;
  }

  /** Adds the open MSRs to `hash`. */
  hashInto(hash: StateHash): void {
    hash.words(this.#read).words(this.#write);
  }
}

/** The number of an MSR's bit; -1: it has none. */
function placeOf(msr: number): number {
  if (msr < BITMAP_RANGE) return msr;
  const high = msr - HIGH_MSRS;
  return high >= 0 && high < BITMAP_RANGE ? BITMAP_RANGE + high : -1;
}

/**
 * The extended page tables, as far as faults go. One page is modelled: the one that the guest touches next. What the
 * processor has cached of the tables it goes on using until an exit (the software below flushes at exits only).
 */
export class Ept {
  /** The page has an entry. Where it has none, the guest's first instruction after an entry exits. */
  mapped = true;
}

/** The virtual-APIC page: registers by their offsets. */
export interface VirtualApicPage {
  /** Reads a register. */
  register(offset: number): number;
  /** Writes one. */
  setRegister(offset: number, value: number): void;
}

/** A virtual-machine control structure. */
export class Vmcs {
  declare guest: RegisterFile;
  /** Pin-based controls, bits of {@linkcode Pin}. */
  pinBased: number = Pin.ExternalInterruptExiting | Pin.NmiExiting;
  /** Primary processor-based controls, bits of {@linkcode Primary}. */
  primary: number = Primary.HltExiting | Primary.UseMsrBitmaps;
  /** What the MSR-bitmap address points to. */
  msrBitmap: MsrBitmap;
  /** Secondary processor-based controls: {@linkcode ENABLE_EPT}, {@linkcode PAUSE_LOOP_EXITING}. */
  secondary = ENABLE_EPT;
  /** Exceptions that exit, a bit for each vector; of those that happen here the page fault. */
  exceptionBitmap = 0;
  /** Bits of CR0 that the guest does not own: a write that wants another value than the shadow's exits. */
  cr0Mask = 0;
  /** What the guest reads of these. */
  cr0Shadow = 0;
  /** The same of CR4. */
  cr4Mask = 0;
  /** See `cr4Mask`. */
  cr4Shadow = 0;
  /** Virtual-APIC address: whose task priority the TPR shadow is; null: none. */
  virtualApic: VirtualApicPage | null = null;
  /** TPR threshold: a class of task priority below it exits. */
  tprThreshold = 0;
  /** PLE_Gap and PLE_Window, ticks: how far apart the turns of one loop are at most, and how long it may take. */
  pleGap = 0;
  /** See `pleGap`. */
  pleWindow = 0;
  /** When the loop of PAUSE began, and when its last turn was; -Infinity: none since the last entry. */
  #loopTsc = -Infinity;
  #pauseTsc = -Infinity;
  /** What the EPT pointer points to. */
  ept: Ept = new Ept();
  /** VM-entry interruption-information field: the event to be injected; cleared by the entry. */
  entryInterruptionInfo = 0;
  /** Guest interruptibility state; of its bits only {@linkcode BLOCKING_BY_NMI}. */
  interruptibility = 0;
  /** The random factor of the path that the injected event begins; 0: the processor's goes on. */
  entryPathFactor = 0;
  /** VMX-preemption timer value at entry. Only 0 ("exit before the first instruction") is modelled. */
  preemptionTimerValue = 0;
  /** TSC offset, ticks. */
  tscOffset = 0n;
  /** Basic reason of the last exit. */
  exitReason = 0;
  /** Qualification of the last exit. */
  exitQualification = 0;
  /** Exit interruption information: says that a reason 0 was an NMI. */
  exitInterruptionInfo = 0;
  /** The event that was being delivered when the exit came; 0: none. */
  idtVectoringInfo = 0;

  /**
   * @param guest the guest-state area @param msrBitmap the MSR bitmap
   */
  constructor(guest: RegisterFile, msrBitmap: MsrBitmap) {
    this.guest = guest;
    this.msrBitmap = msrBitmap;
  }

  /** Whether external interrupts exit. */
  get externalInterruptExiting(): boolean {
    return (this.pinBased & Pin.ExternalInterruptExiting) !== 0;
  }

  /** Whether a WRMSR of `msr` exits. */
  msrWriteExits(msr: number): boolean {
    return (this.primary & Primary.UseMsrBitmaps) === 0 || this.msrBitmap.intercepts(msr, true);
  }

  /**
   * The basic reason with which an instruction exits in guest mode (SDM, "Instructions That Cause VM Exits"), or -1
   * where it does not.
   *
   * @param op the instruction @param address its address operand
   */
  interceptReason(op: number, address: number): number {
    switch (op) {
      case Op.Wrmsr:
        return this.msrWriteExits(address) ? ExitReason.MsrWrite : -1;
      case Op.Rdmsr:
        return (this.primary & Primary.UseMsrBitmaps) === 0 || this.msrBitmap.intercepts(address, false)
          ? ExitReason.MsrRead
          : -1;
      case Op.Hlt:
        return (this.primary & Primary.HltExiting) !== 0 ? ExitReason.Hlt : -1;
      case Op.Out:
      case Op.In:
        return ExitReason.IoInstruction;
      case Op.Store:
      case Op.Load:
        // "Virtualize APIC accesses" is on wherever the processor has it; other device memory has no EPT entry.
        if (address === TPR_ADDRESS && this.shadowsTpr) return -1;
        if (address >>> 12 === APIC_PAGE >>> 12) return ExitReason.ApicAccess;
        return this.usesEpt ? ExitReason.EptMisconfig : ExitReason.ExceptionOrNmi;
      case Op.Cpuid:
        return ExitReason.Cpuid;
      case Op.MovToCr:
      case Op.MovFromCr:
      case Op.Clts:
      case Op.Lmsw:
        return controlAccessExits(this, op) ? ExitReason.CrAccess : -1;
      case Op.Invlpg:
        return (this.primary & Primary.InvlpgExiting) !== 0 ? ExitReason.Invlpg : -1;
      case Op.Pause: // decided when the time is known: see pauses()
        return -1;
      case Op.Rdtsc: // "RDTSC exiting" is clear: nobody here sets it
        return -1;
      default:
        throw new Error(`Operation ${op} is not modelled in guest mode`);
    }
  }

  /**
   * Whether the guest's memory is behind EPT; else its page tables are the software's below, and what is missing there is
   * a page fault.
   */
  get usesEpt(): boolean {
    if ((this.secondary & ENABLE_EPT) !== 0) return true;
    if ((this.exceptionBitmap & (1 << PAGE_FAULT)) === 0) {
      throw new Error("Page faults that a guest takes itself are not modelled");
    }
    return false;
  }

  /** Whether the guest's TPR is the virtual-APIC page's. */
  get shadowsTpr(): boolean {
    return (this.primary & Primary.UseTprShadow) !== 0 && this.virtualApic !== null;
  }

  /** Whether task priority is below the threshold: "TPR virtualization" exits then. */
  get tprBelowThreshold(): boolean {
    return this.tprThreshold > 0 && this.shadowsTpr &&
      (this.virtualApic!.register(TPR) >>> 4) < this.tprThreshold;
  }

  /** Fills the exit-information fields. */
  recordExit(reason: number, info: number, qualification: number, idtVectoringInfo: number): void {
    this.exitReason = reason;
    this.exitQualification = qualification;
    this.exitInterruptionInfo = info;
    this.idtVectoringInfo = idtVectoringInfo;
    this.#pauseTsc = -Infinity; // the first PAUSE after an entry begins a loop
  }

  /** The guest executes PAUSE where the time-stamp counter stands at `tsc`. @returns whether the loop has been long enough */
  pauses(tsc: number): boolean {
    if ((this.secondary & PAUSE_LOOP_EXITING) === 0) return false;
    if (tsc - this.#pauseTsc > this.pleGap) this.#loopTsc = tsc;
    this.#pauseTsc = tsc;
    return tsc - this.#loopTsc > this.pleWindow;
  }

  /** What the guest reads where the processor's time-stamp counter stands at `tsc`. */
  guestTsc(tsc: number): number {
    if ((this.primary & Primary.UseTscOffsetting) === 0) return tsc;
    return Number(BigInt.asUintN(64, BigInt(tsc) + this.tscOffset));
  }

  /** Whether an entry may inject an event of that type: "Checks on Guest RIP and RFLAGS", "… on Guest Non-Register State". */
  takes(type: number): boolean {
    if (type === EventType.ExternalInterrupt) return this.guest.interruptFlag;
    return type !== EventType.Nmi || (this.pinBased & Pin.VirtualNmis) === 0 ||
      (this.interruptibility & BLOCKING_BY_NMI) === 0;
  }

  /**
   * Software has emulated the instruction that exited: the guest goes on behind it, with `result` in its
   * destination register. Without this call the instruction is executed again at the next entry.
   */
  skipInstruction(result = 0): void {
    const frame = this.guest.context.top;
    frame.step = null;
    frame.result = result;
  }

  /** Adds the control fields to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.pinBased).word(this.primary).text(this.msrBitmap.name).word(this.entryInterruptionInfo);
    hash.number(this.entryPathFactor).number(this.preemptionTimerValue).word(this.interruptibility);
    hash.word(this.exceptionBitmap).word(this.cr0Mask).word(this.cr0Shadow).word(this.cr4Mask).word(
      this.cr4Shadow,
    );
    hash.word(this.guest.cr0).number(this.guest.cr3).word(this.guest.cr4);
    hash.word(this.secondary).word(this.tprThreshold).number(this.#loopTsc).number(this.#pauseTsc);
    hash.text(String(this.tscOffset)).flag(this.ept.mapped).word(this.exitReason).number(
      this.exitQualification,
    ).word(
      this.exitInterruptionInfo,
    ).word(this.idtVectoringInfo);
    this.msrBitmap.hashInto(hash);
    for (const [msr, value] of this.guest.bases) hash.word(msr).text(String(value));
  }
}
