/**
 * Where the registers of an 82599's physical function are.
 *
 * *Document*: Intel 82599 10 GbE Controller Datasheet, "Interrupt Registers".
 *
 * @module
 */

import { PF_VECTORS } from "./nic_82599_function.ts";
import { field, register, reserved } from "./registers.ts";

/** Registers of the physical function, byte offsets in BAR 0. */
export const Pf = Object.freeze({
  ctrl: 0x0_0000,
  status: 0x0_0008,
  eicr: 0x0_0800,
  eics: 0x0_0808,
  eiac: 0x0_0810,
  eitrLow: 0x0_0820,
  eims: 0x0_0880,
  eimc: 0x0_0888,
  eiam: 0x0_0890,
  gpie: 0x0_0898,
  ivar: 0x0_0900,
  ivarMisc: 0x0_0a00,
  eicsEx: 0x0_0a90,
  eimsEx: 0x0_0aa0,
  eimcEx: 0x0_0ab0,
  eiamEx: 0x0_0ad0,
  eitrHigh: 0x1_2300,
});

/** General Purpose Interrupt Enable. */
export const GPIE = register("GPIE", Pf.gpie, 0, 32, [
  field("sdpEnable", 4, "unmodelled"),
  field("multipleMsiX", 1),
  field("otherClearDisable", 1),
  field("immediate", 1),
  reserved(4),
  field("rscDelay", 3, "unmodelled"),
  field("virtualizationMode", 2, "unmodelled"),
  field("lowLatencyInterval", 4, "unmodelled"),
  reserved(10),
  field("autoMask", 1),
  field("pendingBitSupport", 1),
]);

/** The vector whose EITR stands at `offset`: those of vectors 0 to 23 and of 24 to 63 lie apart. */
export function throttleVector(offset: number): number | undefined {
  if (offset >= Pf.eitrLow && offset < Pf.eitrLow + 4 * 24) return (offset - Pf.eitrLow) >>> 2;
  if (offset >= Pf.eitrHigh && offset < Pf.eitrHigh + 4 * (PF_VECTORS - 24)) {
    return 24 + ((offset - Pf.eitrHigh) >>> 2);
  }
  return undefined;
}
