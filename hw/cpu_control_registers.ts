/**
 * Control registers as instructions reach them where that does not exit. What paging and the FPU do with them is not computed.
 *
 * @module
 */

import { Op } from "./sim/activity.ts";
import type { LogicalCpu } from "./cpu.ts";
import { Apic } from "./lapic_registers.ts";
import { Cr0, STATUS_WORD, visible } from "./vmx_control_registers.ts";

/**
 * Executes an access to a control register that does not exit, with the operands in the register file.
 *
 * @returns what the destination register receives (0 for a write)
 */
export function accessControl(cpu: LogicalCpu, op: number): number {
  const { registers, vmcs } = cpu;
  const { address, value } = registers;
  const mask0 = vmcs?.cr0Mask ?? 0, mask4 = vmcs?.cr4Mask ?? 0;
  switch (op) {
    case Op.Clts:
      registers.cr0 = (registers.cr0 & ~(Cr0.TS & ~mask0)) >>> 0;
      return 0;
    case Op.Lmsw: {
      const kept = mask0 | ~STATUS_WORD, word = value | (registers.cr0 & Cr0.PE);
      registers.cr0 = ((registers.cr0 & kept) | (word & ~kept)) >>> 0;
      return 0;
    }
    case Op.MovFromCr:
      if (address === 0) return visible(registers.cr0, mask0, vmcs?.cr0Shadow ?? 0);
      if (address === 3) return registers.cr3;
      if (address === 4) return visible(registers.cr4, mask4, vmcs?.cr4Shadow ?? 0);
      return taskPriorityOf(cpu).register(Apic.TPR) >>> 4;
    default:
      if (address === 0) registers.cr0 = ((registers.cr0 & mask0) | (value & ~mask0)) >>> 0;
      else if (address === 3) registers.cr3 = value;
      else if (address === 4) registers.cr4 = ((registers.cr4 & mask4) | (value & ~mask4)) >>> 0;
      else setTaskPriority(cpu, (value & 0xf) << 4);
      return 0;
  }
}

/** Whose TPR software on `cpu` sees: its own local APIC's, or the virtual-APIC page's. */
function taskPriorityOf({ vmcs, apic }: LogicalCpu) {
  return vmcs?.shadowsTpr ? vmcs.virtualApic! : apic;
}

/** Sets the task priority as software on `cpu` sees it. */
export function setTaskPriority(cpu: LogicalCpu, priority: number): void {
  taskPriorityOf(cpu).setRegister(Apic.TPR, priority);
  cpu.signal();
}
