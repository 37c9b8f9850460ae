/**
 * Address spaces: which page tables a CPU has loaded.
 *
 * *Document*: Linux 3.4 `arch/x86/include/asm/mmu_context.h` (`switch_mm()`), `kernel/sched/core.c` (`context_switch()`),
 * `arch/x86/include/asm/tlbflush.h` (`__native_flush_tlb()`), `arch/x86/mm/tlb.c` (`leave_mm()`); Intel SDM vol. 3A,
 * "Control Registers".
 *
 * *Modelled*: CR3 is written where the next task has another address space than the one that is loaded; the idle task and
 * threads of the kernel keep it. A flush of one's own address space loads CR3 anew, that of a page is an INVLPG.
 *
 * *Not modelled*: page tables. An address stands for them.
 *
 * *Deviations*: a CPU that is told of another's flush loads CR3 without an instruction. What a load costs is part of the
 * context switch.
 *
 * @module
 */

import { type Activity, INVLPG, Routine, type Step } from "../../hw/sim/activity.ts";
import type { KernelCpu } from "./kernel_cpu.ts";
import type { Task } from "./sched/task.ts";

/** Where the kernel's own page tables are (`swapper_pg_dir`); those of its processes are behind, a page for each. */
const KERNEL_TABLES = 0x0100_0000, PAGE = 0x1000;
/** Control registers as a 64-bit kernel has them: PE, MP, ET, NE, WP, AM, PG; PSE, PAE, MCE, PGE, OSFXSR, OSXMMEXCPT. */
const CR0 = 0x8005_0033, CR4 = 0x0000_06f0;

/** The top page table of the process of that tgid; 0: the kernel's. */
export function pageTableOf(tgid: number): number {
  return KERNEL_TABLES + tgid * PAGE;
}

/** What the first instructions of a kernel have made of a processor's control registers. */
export function setUpControlRegisters({ registers }: KernelCpu): void {
  registers.cr0 = CR0;
  registers.cr3 = pageTableOf(0);
  registers.cr4 = CR4;
}

/**
 * `yield switchTo(cpu, from, tgid)`: the context switch that {@linkcode KernelCpu.schedule} has decided on, from a task to
 * another process.
 */
export function switchTo(cpu: KernelCpu, from: Task, tgid: number): Step {
  cpu.addressSpace = tgid;
  const last = from.switchAway;
  const away = last !== null && last.over ? last : from.switchAway = new SwitchMm();
  return cpu.registers.call(away.begin(cpu, tgid));
}

/**
 * With interrupts off, as everything between the decision and the switch. It is over when its task runs again; switches come by
 * the thousand, so it serves that task's next one then.
 */
export class SwitchMm extends Routine {
  #cpu!: KernelCpu;
  #tgid = 0;
  #at: 0 | 1 | 2 | 3 = 3;
  #flag = false;

  /** Whether it can begin: that of a task that was killed meanwhile never can. */
  get over(): boolean {
    return this.#at === 3;
  }

  /** `cpu` switches to the process of that tgid. */
  begin(cpu: KernelCpu, tgid: number): this {
    this.#cpu = cpu;
    this.#tgid = tgid;
    this.#at = 0;
    return this;
  }

  override next(): Step | null {
    const { registers, kernel } = this.#cpu;
    switch (this.#at) {
      case 0:
        this.#at = 1;
        this.#flag = registers.interruptFlag;
        registers.interruptFlag = false;
        return registers.movToCr(3, pageTableOf(this.#tgid));
      case 1:
        this.#at = 2;
        registers.interruptFlag = this.#flag;
        return kernel.steps.contextSwitch;
      default:
        this.#at = 3;
        return null;
    }
  }
}

/** Forgets what the TLB holds of the address space that is loaded: `local_flush_tlb()`. */
export function* flushOwn({ registers }: KernelCpu): Activity {
  const tables = yield registers.movFromCr(3);
  yield registers.movToCr(3, tables);
}

/** Forgets what it holds of one page of it: `__flush_tlb_one()`. */
export function* flushPage({ registers }: KernelCpu, address: number): Activity {
  registers.address = address;
  yield INVLPG;
}

/** exit_mm() of the last one: the CPU has nobody's address space any more (`leave_mm()`). */
export function* leaveMm(cpu: KernelCpu): Activity {
  cpu.addressSpace = 0;
  yield cpu.registers.movToCr(3, pageTableOf(0));
}
