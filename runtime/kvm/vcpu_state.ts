/**
 * The architectural state of a vCPU that no model of hardware holds: what user space reads and writes between two
 * `KVM_RUN`.
 *
 * *Document*: Intel SDM vol. 3A, table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT"; Linux
 * 3.5 `arch/x86/kvm/{x86,vmx}.c`: `vmx_vcpu_reset()`, `kvm_arch_vcpu_reset()`.
 *
 * *Modelled*: reset values, and what has been set.
 *
 * *Deviations*: guests are programs of the model, which compute with no general register, no segment and no page table:
 * those hold what user space has put there. RFLAGS.IF, CR0, CR3 and CR4, the local APIC, the activity state and events that
 * are about to be injected are live; they are the vCPU's and its VMCS's own.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { CpuidView } from "./cpuid.ts";
import type { TscStart } from "./tsc.ts";
import { Debugregs, Fpu, Regs, Segment, Sregs, Xsave } from "./uapi/structures.ts";

/** Code segment type: execute, read, accessed; and data segment type: read, write, accessed. */
const [CODE, DATA] = [0xb, 0x3];
/** Types of the system segments that a reset loads. */
const [LDT, BUSY_TSS] = [0x2, 0xb];
/** CR0 with caches off: CD, NW, ET. */
const CR0_RESET = 0x6000_0010;
/** The values of x87 and SSE control after a reset. */
const [FCW_RESET, MXCSR_RESET] = [0x37f, 0x1f80];

/** See the module. */
export class VcpuState {
  /** General registers; RFLAGS.IF is the register file's. */
  readonly regs = Regs.make();
  /** Segments, control registers, EFER. CR8 and IA32_APIC_BASE are the local APIC's where the kernel has one. */
  readonly sregs = Sregs.make();
  /** x87 and SSE. */
  readonly fpu = Fpu.make();
  /** Debug registers. */
  readonly debugregs = Debugregs.make();
  /** The XSAVE area. */
  readonly xsave = Xsave.make();
  /** XCR0: x87 only. */
  xcr0 = 1n;
  /** What CPUID shows. */
  cpuid: readonly CpuidView[] = [];
  /** MSRs that are registers and nothing else, where they have been set. */
  readonly msrs = new Map<number, bigint>();
  /** Rate of the guest's TSC, kHz. */
  tscKhz: number;
  /** That rate is above the processor's: before each entry the counter catches up with it (`tsc_always_catchup`). */
  tscCatchesUp = false;
  /** The write from which it counts (`this_tsc_write`, `this_tsc_nsec`). */
  tscStart: TscStart = { value: 0n, atNs: 0 };
  /** IA32_MCG_CAP. */
  mcgCap = 32n;
  /** Status registers of the machine-check banks that have been set. */
  readonly mcBanks = new Map<number, bigint>();
  /** Signals that are blocked while it runs (`KVM_SET_SIGNAL_MASK`); `null`: those of the thread. */
  signalMask: bigint | null = null;

  /** @param tscKhz rate of the host's TSC */
  constructor(tscKhz: number) {
    this.tscKhz = tscKhz;
    this.reset();
  }

  /** Registers to their values after a reset. What CPUID shows and the rate of the TSC stay, and so does a signal mask. */
  reset(): void {
    for (const { bytes } of [this.regs, this.sregs, this.fpu, this.debugregs, this.xsave]) bytes.fill(0);
    this.xcr0 = 1n;
    this.msrs.clear();
    this.regs.set("rip", 0xfff0).set("rflags", 2).set("rdx", 0x600);
    const { sregs } = this;
    sregs.set("cr0", CR0_RESET);
    for (const name of ["cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt"] as const) {
      const system = name === "tr" || name === "ldt";
      sregs.part(name, Segment).set("limit", 0xffff).set("present", 1).set("s", system ? 0 : 1)
        .set("type", name === "cs" ? CODE : name === "ldt" ? LDT : name === "tr" ? BUSY_TSS : DATA);
    }
    sregs.part("cs", Segment).set("selector", 0xf000).set("base", 0xffff_0000);
    this.fpu.set("fcw", FCW_RESET).set("mxcsr", MXCSR_RESET);
    this.debugregs.set("dr6", 0xffff_0ff0).set("dr7", 0x400);
  }

  /** Adds it to `hash`. */
  hashInto(hash: StateHash): void {
    for (const { bytes } of [this.regs, this.sregs, this.fpu, this.debugregs, this.xsave, ...this.cpuid]) {
      for (const byte of bytes) if (byte !== 0) hash.word(byte);
    }
    for (const [index, value] of [...this.msrs, ...this.mcBanks]) hash.word(index).text(String(value));
    hash.text(`${this.xcr0} ${this.mcgCap} ${this.signalMask}`).number(this.tscKhz).flag(this.tscCatchesUp);
    if (this.tscCatchesUp) hash.text(String(this.tscStart.value)).number(this.tscStart.atNs);
  }
}

/** Rate of a clock, kHz. */
export function hostTscKhz({ ticks, ns }: { readonly ticks: number; readonly ns: number }): number {
  return Math.round((ticks * 1_000_000) / ns);
}
