/**
 * VT-x and the control registers: what exits by masks, shadows and controls, and with which qualification.
 *
 * *Document*: Intel SDM vol. 3A, "Control Registers"; vol. 3C, "Guest/Host Masks and Read Shadows for CR0 and CR4",
 * "Instructions That Cause VM Exits Conditionally", "Changes to Instruction Behavior in VMX Non-Root Operation", table "Exit
 * Qualification for Control-Register Accesses".
 *
 * *Modelled*: MOV to and from CR0, CR3, CR4 and CR8, CLTS, LMSW, each by masks, shadows and controls.
 *
 * *Not modelled*: CR2 and the debug registers; CR3-target values (their count is 0); faults because of reserved or
 * contradictory bits.
 *
 * *Deviations*: the operand in memory of LMSW, and registers other than RAX: a program of the model has none.
 *
 * @module
 */

import { Op } from "./sim/activity.ts";
import type { RegisterFile } from "./register_file.ts";
import type { Vmcs } from "./vmx.ts";

/** Bits of CR0. */
export const Cr0 = Object.freeze({ PE: 1 << 0, MP: 1 << 1, TS: 1 << 3 });
/** The bits that LMSW reaches. */
export const STATUS_WORD = 0xf;
/** Access types of the exit qualification, bits 5:4. */
const Access = Object.freeze({ MovTo: 0, MovFrom: 1 << 4, Clts: 2 << 4, Lmsw: 3 << 4 });

/** Primary processor-based controls of control registers. */
export const CrExiting = Object.freeze({
  /** Bit 15: MOV to CR3 causes a VM exit. */
  Cr3Load: 1 << 15,
  /** Bit 16: MOV from CR3 does. */
  Cr3Store: 1 << 16,
  /** Bit 19: MOV to CR8 does. */
  Cr8Load: 1 << 19,
  /** Bit 20: MOV from CR8 does. */
  Cr8Store: 1 << 20,
});

/** Whether an access to a control register exits: `op`, with its operands in the guest's registers. */
export function controlAccessExits(vmcs: Vmcs, op: number): boolean {
  const { cr0Mask, cr0Shadow, cr4Mask, cr4Shadow, primary } = vmcs;
  const { address, value } = vmcs.guest;
  switch (op) {
    case Op.MovToCr:
      switch (address) {
        case 0:
          return ((value ^ cr0Shadow) & cr0Mask) !== 0;
        case 3:
          return (primary & CrExiting.Cr3Load) !== 0;
        case 4:
          return ((value ^ cr4Shadow) & cr4Mask) !== 0;
        case 8:
          return (primary & CrExiting.Cr8Load) !== 0;
      }
      break;
    case Op.MovFromCr:
      switch (address) {
        case 0:
        case 4:
          return false;
        case 3:
          return (primary & CrExiting.Cr3Store) !== 0;
        case 8:
          return (primary & CrExiting.Cr8Store) !== 0;
      }
      break;
    case Op.Clts:
      return (cr0Mask & cr0Shadow & Cr0.TS) !== 0;
    case Op.Lmsw: {
      const others = STATUS_WORD & ~Cr0.PE;
      return (value & ~cr0Shadow & cr0Mask & Cr0.PE) !== 0 || ((value ^ cr0Shadow) & cr0Mask & others) !== 0;
    }
  }
  throw new Error(`CR${address} is not modelled`);
}

/** The exit qualification of such an access: bits 3:0 the register, 5:4 what it is, 11:8 RAX, 31:16 LMSW's source. */
export function controlQualification(op: number, { address, value }: RegisterFile): number {
  switch (op) {
    case Op.MovFromCr:
      return Access.MovFrom | (address & 0xf);
    case Op.Clts:
      return Access.Clts;
    case Op.Lmsw:
      return (Access.Lmsw | (value << 16)) >>> 0;
    default:
      return Access.MovTo | (address & 0xf);
  }
}

/** What CR0 or CR4 reads as: of the masked bits the shadow. In root operation nothing is masked. */
export function visible(value: number, mask: number, shadow: number): number {
  return ((value & ~mask) | (shadow & mask)) >>> 0;
}
