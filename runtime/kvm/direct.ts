/**
 * Direct mode: the register settings with which a dedicated CPU delivers interrupts straight to its guest.
 *
 * The talk's slides 12, 19 and 21, and patches 14, 19 and 20 of the series: bit 0 of the pin-based controls is
 * cleared, and the MSR-bitmap address points to a bitmap in which EOI, TMICT and TMCCT are open. Both are switched
 * together. There are four bitmaps: of either kind one for guests in long mode, in which KERNEL_GS_BASE is open too. What
 * follows from that is decided by the processor; nothing else in KVM asks whether an interrupt was "direct".
 *
 * @module
 */

import { BaseMsr } from "../../hw/base_msrs.ts";
import { Apic, MSR_TSC_DEADLINE, x2apicMsr } from "../../hw/lapic.ts";
import { MsrBitmap, Pin } from "../../hw/vmx.ts";
import type { Kvm } from "./kvm.ts";
import type { Vcpu } from "./vcpu.ts";

/** EFER: SCE, LME, LMA, NXE. */
const EFER_LMA = 1n << 10n;
/** EFER as a 64-bit kernel has it. */
export const EFER_LONG_MODE = 0xd01n;

/** What a patched KVM can do; a system's row. Read when registers are set up, never while they are in use. */
export interface DirectCapabilities {
  /** `KVM_CAP_SLAVE_CPU`: a vCPU can have a CPU of its own, offline for Linux. */
  readonly slaveCpu: boolean;
  /** External interrupts do not exit on a slave CPU. */
  readonly delivery: boolean;
  /** The EOI register is open. */
  readonly eoi: boolean;
  /** The timer's registers are open. */
  readonly timer: boolean;
  /** TDCR is open too: so the slides say; the patches trap it. */
  readonly divideConfiguration: boolean;
  /** Direct mode comes back with each emulated EOI ("each", as in the patches) or with the last ("last", as told). */
  readonly enableAt: "each" | "last";
  /**
   * What it goes off for: any injection ("any", patch 14; after an exception or an NMI no EOI brings it back), or that of an
   * interrupt, which has an EOI ("interrupt", slide 19).
   */
  readonly disableAt: "any" | "interrupt";
  /**
   * Where a device's interrupts go in a machine of several: to any of its slave CPUs ("any", as patch 18 has it), or to that
   * of the vCPU which the guest has chosen ("chosen": no other has a handler).
   */
  readonly leadsTo: "any" | "chosen";
  /**
   * More than one vCPU of a machine can have a CPU of its own. The first series has no SMP guests (slide 29); what becomes of
   * a second vCPU there nobody says. Here it is refused, and stays with Linux.
   */
  readonly smp: boolean;
}

/**
 * Which capability needs which, and why a register setting without the other makes no sense.
 *
 * @returns what is wrong with `capabilities`; `undefined`: nothing
 */
export function contradiction(capabilities: DirectCapabilities): string | undefined {
  const { slaveCpu, delivery, eoi, timer, divideConfiguration } = capabilities;
  if (delivery && !slaveCpu) {
    return "direct delivery without CPU isolation: the host's interrupts on that CPU would go to the guest";
  }
  if (eoi && !delivery) {
    return "direct EOI without direct delivery: the host has taken and ended the interrupt, the guest would end another";
  }
  if (timer && !delivery) {
    return "direct timer without direct delivery: its interrupt would exit, and every virtual one is emulated anyway";
  }
  if (divideConfiguration && !timer) return "TDCR exposed without the timer that it divides";
}

/** What is open to every guest (`vmx_disable_intercept_for_msr()`): each has its own. One of them in long mode only. */
const OPEN_TO_ALL = [
  BaseMsr.SysenterCs,
  BaseMsr.SysenterEsp,
  BaseMsr.SysenterEip,
  BaseMsr.FsBase,
  BaseMsr.GsBase,
];

/** A bitmap for guests in long mode and one for others, `vmx_msr_bitmap_longmode` and `_legacy`. */
export interface BitmapPair {
  readonly longMode: MsrBitmap;
  readonly legacy: MsrBitmap;
}

function pair(name: string): BitmapPair {
  const openToAll = (name: string) => {
    const bitmap = new MsrBitmap(name);
    for (const msr of OPEN_TO_ALL) bitmap.open(msr, "rw");
    return bitmap;
  };
  return {
    longMode: openToAll(name).open(BaseMsr.KernelGsBase, "rw"),
    legacy: openToAll(`${name}, legacy`),
  };
}

/** Those that are used while no vCPU is in direct mode. */
export function normalBitmaps(): BitmapPair {
  return pair("normal");
}

/** Those of direct mode. @param exposesDeadline whether IA32_TSC_DEADLINE is open where the timer is the guest's */
export function slaveBitmaps(capabilities: DirectCapabilities, exposesDeadline = false): BitmapPair {
  const bitmaps = pair("slave");
  for (const bitmap of [bitmaps.longMode, bitmaps.legacy]) {
    if (capabilities.eoi) bitmap.open(x2apicMsr(Apic.EOI), "rw");
    if (capabilities.timer) bitmap.open(x2apicMsr(Apic.TMICT), "rw").open(x2apicMsr(Apic.TMCCT), "rw");
    if (capabilities.divideConfiguration) bitmap.open(x2apicMsr(Apic.TDCR), "rw");
    if (capabilities.timer && exposesDeadline) bitmap.open(MSR_TSC_DEADLINE, "rw");
  }
  return bitmaps;
}

/** `setup_msrs()`: the guest's mode has changed, or where its interrupts go. */
export function selectBitmap(
  { vmcs, state, vm: { kvm } }: Vcpu,
  direct = !vmcs.externalInterruptExiting,
): void {
  const { longMode, legacy } = direct ? kvm.slaveBitmaps : kvm.normalBitmaps;
  vmcs.msrBitmap = (state.sregs.big("efer") & EFER_LMA) === 0n ? legacy : longMode;
}

/** Whether direct mode gives the guest the processor's own timer: the bitmap of slaves opens its initial count. */
export function ownsTimer({ slaveBitmaps }: Kvm): boolean {
  return !slaveBitmaps.longMode.intercepts(x2apicMsr(Apic.TMICT), true);
}

/**
 * Switches direct mode of `vcpu`: bit 0 and the bitmap, as `vmx_set_direct_interrupt()` does.
 *
 * @param closesEoi whether the bitmap follows when it is switched off
 */
export function setDirectMode(vcpu: Vcpu, enabled: boolean, closesEoi = true): void {
  const { vmcs, vm } = vcpu;
  if (!vm.kvm.capabilities.delivery) return;
  if (vmcs.externalInterruptExiting !== enabled) return; // already so
  if (enabled) {
    vmcs.pinBased &= ~Pin.ExternalInterruptExiting;
    selectBitmap(vcpu, true);
  } else {
    vmcs.pinBased |= Pin.ExternalInterruptExiting;
    if (closesEoi) selectBitmap(vcpu, false);
  }
  vcpu.directSwitches++;
  vcpu.tracepoint("kvm_set_direct_interrupt", { vcpu: vcpu.id, enabled });
}
