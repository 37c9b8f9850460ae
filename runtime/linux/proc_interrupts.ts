/**
 * `/proc/interrupts` and the sums of it that `/proc/stat` shows.
 *
 * *Document*: Linux 3.5 `kernel/irq/proc.c` (`show_interrupts`), `arch/x86/kernel/irq.c` (`arch_show_interrupts`).
 *
 * @module
 */

import type { Irqs } from "./irq.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/** A row of interrupts that are the processor's own. */
interface OwnRow {
  readonly name: string;
  readonly text: string;
  count(cpu: KernelCpu): number;
}

const none = () => 0;

/** The rows behind the devices', with what the model counts; the others exist and never happen here. */
const OWN_ROWS: readonly OwnRow[] = [
  { name: "NMI", text: "Non-maskable interrupts", count: (cpu) => cpu.nonMaskableInterrupts },
  { name: "LOC", text: "Local timer interrupts", count: (cpu) => cpu.localTimerInterrupts },
  { name: "SPU", text: "Spurious interrupts", count: none },
  { name: "PMI", text: "Performance monitoring interrupts", count: none },
  { name: "IWI", text: "IRQ work interrupts", count: none },
  { name: "RTR", text: "APIC ICR read retries", count: none },
  { name: "RES", text: "Rescheduling interrupts", count: (cpu) => cpu.rescheduleInterrupts },
  { name: "CAL", text: "Function call interrupts", count: (cpu) => cpu.callFunctionInterrupts },
  { name: "TLB", text: "TLB shootdowns", count: none },
  { name: "TRM", text: "Thermal event interrupts", count: none },
  { name: "THR", text: "Threshold APIC interrupts", count: none },
  { name: "MCE", text: "Machine check exceptions", count: none },
  { name: "MCP", text: "Machine check polls", count: none },
];

/** The text of `/proc/interrupts`: a column for each CPU online, a row for each interrupt in use. */
export function procInterrupts(kernel: Kernel, irqs: Irqs): string {
  kernel.settle();
  const online = kernel.cpus.filter((cpu) => cpu.state === "online");
  const width = Math.max(3, String(irqs.limit - 1).length);
  const columns = (count: (cpu: KernelCpu) => number) =>
    online.map((cpu) => `${String(count(cpu)).padStart(10)} `).join("");
  const lines = [" ".repeat(width + 8) + online.map(({ id }) => `CPU${String(id).padEnd(8)}`).join("")];
  for (const { irq, name, chip } of irqs.list()) {
    const counts = kernel.interruptCounts(irq);
    const row = columns(({ id }) => counts[id]!);
    const flow = `${chip.name.padStart(8)}-${chip.flow.padEnd(8)}`;
    lines.push(`${String(irq).padStart(width)}: ${row} ${flow}  ${name}`);
  }
  for (const { name, text, count } of OWN_ROWS) {
    lines.push(`${name.padStart(width)}: ${columns(count)}  ${text}`);
  }
  for (const name of ["ERR", "MIS"]) lines.push(`${name.padStart(width)}: ${"0".padStart(10)}`);
  return lines.map((line) => `${line}\n`).join("");
}

/** All interrupts that were taken: the first number of `intr` in `/proc/stat`. */
export function interruptTotal(kernel: Kernel, irqs: Irqs): number {
  kernel.settle();
  let total = 0;
  for (const cpu of kernel.cpus) for (const { count } of OWN_ROWS) total += count(cpu);
  for (const { irq } of irqs.list()) total += sum(kernel.interruptCounts(irq));
  return total;
}

/** The sum of an interrupt's counts on all CPUs. */
export function sum(counts: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i]!;
  return total;
}
