/**
 * The interrupt controllers of a PC's board, as a kernel sets them up before it has a clock.
 *
 * *Document*: Linux 3.5 `arch/x86/kernel/i8259.c` (`init_8259A()`), `arch/x86/kernel/apic/apic.c` (`setup_local_APIC()`),
 * `arch/x86/kernel/apic/io_apic.c` (`check_timer()`).
 *
 * *Modelled*: both 8259 initialised and masked, because every line comes by the I/O APIC; LINT0 and LINT1 of each local
 * APIC: the first masked, the second the NMI of the processor that boots.
 *
 * *Deviations*: these accesses take no time, on no computer, and do not exit: the model's programs begin behind them.
 *
 * @module
 */

import { Apic, DeliveryMode } from "../../hw/lapic.ts";
import { LVT_MASKED, SVR_ENABLE } from "../../hw/lapic_registers.ts";
import { Vector } from "./irq/vectors.ts";

/** What a processor's instructions reach of the board's controllers. */
export interface Board {
  /** A load of 32 bits. */
  load(address: number): number;
  /** A store of 32 bits. */
  store(address: number, value: number): void;
  /** OUT of a byte. */
  out(port: number, value: number): void;
}

/** The board of a computer. @param ports its registers, by address; an 8259 it has none: every line comes by the I/O APIC */
export function computerBoard(
  ports: ReadonlyMap<number, { read(): number; write(value: number): void }>,
): Board {
  return {
    load: (address) => ports.get(address)?.read() ?? 0xffff_ffff,
    store: (address, value) => ports.get(address)?.write(value),
    out: (port, value) => ports.get(port)?.write(value),
  };
}

/** Command and mask ports of the two 8259. */
const FIRST = { command: 0x20, data: 0x21 }, SECOND = { command: 0xa0, data: 0xa1 };
/** ICW1: edge-triggered, in cascade, ICW4 follows. */
const ICW1 = 0x11;
/** ICW3: which line of the first chip the second one drives, as a bit and as a number. */
const CASCADE = 2;
/** ICW4: 8086 mode; the first chip with automatic EOI. */
const ICW4 = 0x01, AUTOMATIC_EOI = 0x02;

/** `init_8259A(1)`: the ISA lines at vectors 0x30 to 0x3f, all masked. */
export function setUpLegacyPic(board: Board): void {
  const chips = [
    { ...FIRST, vector: Vector.Isa, cascade: 1 << CASCADE, icw4: ICW4 | AUTOMATIC_EOI },
    { ...SECOND, vector: Vector.Isa + 8, cascade: CASCADE, icw4: ICW4 },
  ];
  for (const { command, data, vector, cascade, icw4 } of chips) {
    board.out(command, ICW1);
    for (const word of [vector, cascade, icw4, 0xff]) board.out(data, word);
  }
}

/** Where a hypervisor tells a processor for how long it has been waiting (`struct kvm_steal_time`). */
export interface StealRecord {
  /** Guest-physical address. */
  readonly address: number;
  /** So far, ns. */
  stealNs: number;
}

/** A word of memory by whose bit 0 a hypervisor lets a processor end its interrupt (KVM_PV_EOI_ENABLED). */
export interface EoiWord {
  /** Guest-physical address. */
  readonly address: number;
  /** Bit 0: the processor clears it in the place of an EOI. */
  set: boolean;
}

/** A write of a local APIC's register. */
export type ApicWrite = readonly [offset: number, value: number];

/** What `setup_local_APIC()` writes of the pins, with the APIC enabled, which alone lets an entry be unmasked. */
export function lintWrites(bootProcessor: boolean): readonly ApicWrite[] {
  const nmi = DeliveryMode.Nmi << 8;
  return [
    [Apic.SVR, SVR_ENABLE | Vector.Spurious],
    [Apic.LVT0, LVT_MASKED | (DeliveryMode.ExtInt << 8)],
    [Apic.LVT1, bootProcessor ? nmi : LVT_MASKED | nmi],
    [Apic.LVTERR, Vector.Error],
  ];
}
