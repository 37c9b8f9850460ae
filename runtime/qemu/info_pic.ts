/**
 * `info pic`: the interrupt controllers.
 *
 * *Document*: QEMU 7.2 `hw/intc/ioapic_common.c` (`ioapic_print_redtbl()`), `hw/intc/i8259_common.c` (`pic_print_info()`);
 * QEMU 1.1 `hw/i8259.c` (`pic_info()`), which knows of no I/O APIC.
 *
 * *Deviations*: upstream's 1.1 prints nothing of chips in the kernel; here they are printed in 2012 too.
 *
 * @module
 */

import { type IoApic, IOAPIC_PINS } from "../kvm/user_space.ts";
import type { VmFile } from "../kvm/ioctl/vm_file.ts";
import type { QemuEra } from "./era.ts";

const hex = (value: number, digits = 2): string => (value >>> 0).toString(16).padStart(digits, "0");

/** The controllers of a machine, as the release prints them. */
export function infoPic({ vm: { chips } }: VmFile, era: QemuEra): string[] {
  if (chips === null) return [];
  const { ioapic, pic } = chips;
  return [
    ...era === "2012" ? [] : ioApicLines("ioapic0", ioapic.core),
    ...[0, 1].map((chip) => picLine(chip)),
  ];

  function picLine(chip: number): string {
    const { irr, imr, isr, priorityAdd, vectorBase, readIsr, elcr, specialFullyNested } = pic.core.state(
      chip,
    );
    return `pic${chip}: irr=${hex(irr)} imr=${hex(imr)} isr=${hex(isr)} hprio=${priorityAdd} ` +
      `irq_base=${hex(vectorBase)} rr_sel=${readIsr} elcr=${hex(elcr)} fnm=${specialFullyNested}`;
  }
}

const DELIVERY_MODES = ["fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT"];

/** Index of the first register of the redirection table. */
const TABLE_INDEX = 0x10;

/** A redirection table as QEMU prints it. */
export function ioApicLines(name: string, chip: IoApic): string[] {
  const { select, id } = chip;
  const redirection = select === 0 ? "" : ` (redir[${((select - TABLE_INDEX) >>> 0) >>> 1}])`;
  const pins = Array.from({ length: IOAPIC_PINS }, (_, pin) => pin);
  return [
    `${name}: ver=0x11 id=0x${hex(id)} sel=0x${hex(select)}${select < TABLE_INDEX ? "" : redirection}`,
    ...pins.map((pin) => pinLine(chip, pin)),
    bitsLine("  IRR", pins.filter((pin) => chip.asserted(pin))),
    bitsLine("  Remote IRR", pins.filter((pin) => chip.remoteIrr(pin))),
  ];
}

function pinLine(chip: IoApic, pin: number): string {
  const { low, high } = chip.entry(pin);
  const { vector, destination, mode, logical, level } = chip.message(pin);
  const polarity = (low & 0x2000) === 0 ? "active-hi" : "active-lo";
  return `  pin ${String(pin).padEnd(2)} 0x${hex(high, 8)}${hex(low, 8)} ` +
    `dest=${(destination & (logical ? 0xff : 0xf)).toString(16)} vec=${
      String(vector).padEnd(3)
    } ${polarity} ` +
    `${(level ? "level" : "edge").padEnd(5)} ${(chip.masked(pin) ? "masked" : "").padEnd(6)} ` +
    `${DELIVERY_MODES[mode]!.padEnd(6)} ${logical ? "logical" : "physical"}`;
}

function bitsLine(name: string, pins: readonly number[]): string {
  return `${name.padEnd(10)} ${pins.length === 0 ? "(none)" : pins.join(" ")}`;
}
