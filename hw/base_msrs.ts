/**
 * MSRs that hold where segments and system calls begin: the guest-state area has them, so that a guest and its host have
 * their own.
 *
 * *Document*: Intel SDM vol. 3C, "Guest Register State"; vol. 4; vol. 2B, "WRMSR" (non-canonical addresses).
 *
 * *Deviations*: KERNEL_GS_BASE is no field of the control structure: software below swaps it at entries and exits, for which no
 * step is taken here. Nobody computes with any of them.
 *
 * @module
 */

import type { RegisterFile } from "./register_file.ts";

/** IA32_SYSENTER_CS, _ESP and _EIP, IA32_FS_BASE, IA32_GS_BASE and IA32_KERNEL_GS_BASE. */
export const BaseMsr = Object.freeze({
  SysenterCs: 0x174,
  SysenterEsp: 0x175,
  SysenterEip: 0x176,
  FsBase: 0xc000_0100,
  GsBase: 0xc000_0101,
  KernelGsBase: 0xc000_0102,
});
const ALL: ReadonlySet<number> = new Set(Object.values(BaseMsr));
/** The lowest address that is not canonical: of 48 bits, the sign is the upper one. */
const NOT_CANONICAL = 2 ** 47;

/** Whether `msr` is one of them. */
export function isBaseMsr(msr: number): boolean {
  return ALL.has(msr);
}

/** RDMSR of what executes with `registers`; undefined: it is none of these. */
export function readBase({ bases }: RegisterFile, msr: number): number | undefined {
  return ALL.has(msr) ? Number(bases.get(msr) ?? 0n) : undefined;
}

/** WRMSR; false: it faults. */
export function writeBase({ bases }: RegisterFile, msr: number, value: number): boolean {
  if (!ALL.has(msr) || (msr !== BaseMsr.SysenterCs && value >= NOT_CANONICAL)) return false;
  bases.set(msr, BigInt(value));
  return true;
}
