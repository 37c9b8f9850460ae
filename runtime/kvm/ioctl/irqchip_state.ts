/**
 * The states of the interrupt controllers, as `KVM_GET_IRQCHIP` and `KVM_SET_IRQCHIP` carry them.
 *
 * *Document*: `arch/x86/include/uapi/asm/kvm.h`: `struct kvm_pic_state`, `struct kvm_ioapic_state`; Linux 3.5
 * `arch/x86/kvm/x86.c`: `kvm_vm_ioctl_get_irqchip()`.
 *
 * @module
 */

import { IOAPIC_PINS } from "../../../hw/ioapic.ts";
import type { PicState } from "../../../hw/i8259.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { Irqchip as ChipNumber } from "../irqchip/irq_routing.ts";
import type { View } from "../uapi/structure.ts";
import { Chip, IoapicState, PicState as PicLayout } from "../uapi/structures.ts";
import type { Vm } from "../vm.ts";

type Chips = NonNullable<Vm["chips"]>;
type ChipView = View<"chip_id" | "pad" | "chip">;

/** Field of the structure, and of the chip's state. */
const PIC_FIELDS = [
  ["last_irr", "lastIrr"],
  ["irr", "irr"],
  ["imr", "imr"],
  ["isr", "isr"],
  ["priority_add", "priorityAdd"],
  ["irq_base", "vectorBase"],
  ["read_reg_select", "readIsr"],
  ["poll", "poll"],
  ["special_mask", "specialMask"],
  ["init_state", "initState"],
  ["auto_eoi", "autoEoi"],
  ["rotate_on_auto_eoi", "rotateOnAutoEoi"],
  ["special_fully_nested_mode", "specialFullyNested"],
  ["init4", "needsIcw4"],
  ["elcr", "elcr"],
  ["elcr_mask", "levelCapable"],
] as const satisfies readonly (readonly [string, keyof PicState])[];

/** Writes the state of the controller that `view` names into it. @returns whether there is such a one */
export function readChip({ ioapic, pic }: Chips, view: ChipView): boolean {
  const number = view.get("chip_id");
  const chip = view.part("chip", Chip);
  if (number === ChipNumber.PicMaster || number === ChipNumber.PicSlave) {
    const state = pic.core.state(number);
    const target = chip.part("pic", PicLayout);
    for (const [field, name] of PIC_FIELDS) target.set(field, Number(state[name]));
    return true;
  }
  if (number !== ChipNumber.Ioapic) return false;
  const { base, select, id, irr, entries } = ioapic.state();
  const target = chip.part("ioapic", IoapicState);
  target.set("base_address", base).set("ioregsel", select).set("id", id).set("irr", irr);
  entries.forEach(({ low, high }, pin) => target.set("redirtbl", (BigInt(high) << 32n) | BigInt(low), pin));
  return true;
}

/** Gives the controller that `view` names its state. @param from whose software does it @returns whether there is such a one */
export function writeChip({ ioapic, pic }: Chips, view: ChipView, from: KernelCpu): boolean {
  const number = view.get("chip_id");
  const chip = view.part("chip", Chip);
  if (number === ChipNumber.PicMaster || number === ChipNumber.PicSlave) {
    const given = chip.part("pic", PicLayout);
    const state = Object.fromEntries(PIC_FIELDS.map(([field, name]) => [name, given.get(field)]));
    pic.setState(number, state as Record<keyof PicState, number>, from);
    return true;
  }
  if (number !== ChipNumber.Ioapic) return false;
  const given = chip.part("ioapic", IoapicState);
  ioapic.setState({
    base: given.get("base_address"),
    select: given.get("ioregsel"),
    id: given.get("id"),
    irr: given.get("irr"),
    entries: Array.from({ length: IOAPIC_PINS }, (_, pin) => {
      const entry = given.big("redirtbl", pin);
      return { low: Number(entry & 0xffff_ffffn), high: Number(entry >> 32n) };
    }),
  }, from);
  return true;
}
