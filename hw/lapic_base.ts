/**
 * IA32_APIC_BASE: where the local APIC is, whether it is there, and which form it has.
 *
 * *Document*: Intel SDM vol. 3A, "Relocating the Local APIC Registers", "x2APIC State Transitions".
 *
 * *Modelled*: the four states of the bits EN and EXTD, which changes between them are legal, reserved bits.
 *
 * @module
 */

/** IA32_APIC_BASE. */
export const MSR_APIC_BASE = 0x1b;

/** Where the registers are after reset. */
export const APIC_DEFAULT_BASE = 0xfee0_0000;

/** Bit 8: this processor has booted the machine. */
export const APIC_BASE_BSP = 1 << 8;
/** Bit 10, EXTD: x2APIC form. */
export const APIC_BASE_X2APIC = 1 << 10;
/** Bit 11, EN: the APIC is there. */
export const APIC_BASE_ENABLE = 1 << 11;

/** Bits 7:0 and 9. */
const RESERVED_LOW = 0x2ff;

/** The states of EN and EXTD; `invalid` is EXTD without EN. */
export type ApicState = "disabled" | "xapic" | "x2apic" | "invalid";

/** The state that a value of the register stands for. */
export function apicState(value: number): ApicState {
  const enabled = (value & APIC_BASE_ENABLE) !== 0;
  if ((value & APIC_BASE_X2APIC) !== 0) return enabled ? "x2apic" : "invalid";
  return enabled ? "xapic" : "disabled";
}

/** Whether the manual's diagram has an arrow between two states: x2APIC form is left by disabling only. */
export function isLegalTransition(from: ApicState, to: ApicState): boolean {
  if (to === "invalid") return false;
  return !(from === "x2apic" && to === "xapic") && !(from === "disabled" && to === "x2apic");
}

/** Whether `value` has bits set that are reserved: with `addressBits` of physical address, with or without x2APIC form. */
export function hasReservedBits(value: number, addressBits: number, x2apic: boolean): boolean {
  return value >= 2 ** addressBits || (value & RESERVED_LOW) !== 0 ||
    (!x2apic && (value & APIC_BASE_X2APIC) !== 0);
}

/** The address of the registers. */
export function apicBaseAddress(value: number): number {
  return Math.floor(value / 0x1000) * 0x1000;
}
