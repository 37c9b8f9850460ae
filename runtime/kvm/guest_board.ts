/**
 * The board of a machine, as the first instructions of its kernel reach it: KVM's 8259s and I/O APIC, without the exits
 * that the accesses would be.
 *
 * @module
 */

import type { Board } from "../linux/board.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { Vm } from "./vm.ts";

/** The board of `vm`. @param from the CPU of the host whose software carries what an access leads to */
export function guestBoard(vm: Vm, from: () => KernelCpu): Board {
  const { ioapic, pic } = vm.chips!;
  return {
    load: (address) => ioapic.core.read(ioapic.memoryOffset(address)),
    store: (address, value) => ioapic.write(ioapic.memoryOffset(address), value, from()),
    out: (port, value) => pic.write(port, value, from()),
  };
}
