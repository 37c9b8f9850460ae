/**
 * `/proc/interrupts` and the sums of it that `/proc/stat` shows.
 *
 * *Document*: Linux 3.5 and 6.18 `kernel/irq/proc.c` (`show_interrupts`), `arch/x86/kernel/irq.c`
 * (`arch_show_interrupts`).
 *
 * A chip whose interrupts are remapped has a prefix: `IR-IO-APIC`, `IR-PCI-MSI`.
 *
 * @module
 */

import type { KernelInterfaces } from "../../interfaces.ts";
import type { IrqDescriptor, Irqs } from "../../irq/irq.ts";
import type { Kernel } from "../../kernel.ts";
import type { KernelCpu } from "../../kernel_cpu.ts";

/** A row of interrupts that are the processor's own. One without text has a number for all CPUs together. */
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
  { name: "TLB", text: "TLB shootdowns", count: (cpu) => cpu.tlbInterrupts },
  { name: "TRM", text: "Thermal event interrupts", count: none },
  { name: "THR", text: "Threshold APIC interrupts", count: none },
  { name: "DFR", text: "Deferred Error APIC interrupts", count: none },
  { name: "MCE", text: "Machine check exceptions", count: none },
  { name: "MCP", text: "Machine check polls", count: none },
  { name: "HYP", text: "Hypervisor callback interrupts", count: none },
  { name: "ERR", text: "", count: none },
  { name: "MIS", text: "", count: none },
  { name: "PIN", text: "Posted-interrupt notification event", count: none },
  { name: "NPI", text: "Nested posted-interrupt event", count: none },
  { name: "PIW", text: "Posted-interrupt wakeup event", count: none },
];

/** The text of `/proc/interrupts`: a column for each CPU online, a row for each interrupt in use. */
export function procInterrupts(kernel: Kernel, irqs: Irqs, interfaces: KernelInterfaces): string {
  kernel.settle();
  const online = kernel.cpus.filter((cpu) => cpu.state === "online");
  const width = Math.max(3, String(irqs.limit - 1).length);
  const columns = (count: (cpu: KernelCpu) => number) =>
    online.map((cpu) => `${String(count(cpu)).padStart(10)} `).join("");
  const lines = [" ".repeat(width + 8) + online.map(({ id }) => `CPU${String(id).padEnd(8)}`).join("")];
  for (const descriptor of irqs.list()) {
    const { irq, name } = descriptor;
    const counts = kernel.interruptCounts(irq);
    const row = columns(({ id }) => counts[id]!);
    lines.push(`${String(irq).padStart(width)}: ${row}${flowOf(descriptor, width, interfaces)}  ${name}`);
  }
  for (const { name, text, count } of OWN_ROWS) {
    if (!interfaces.ownInterrupts.includes(name)) continue;
    const head = `${name.padStart(width)}: `;
    lines.push(text === "" ? head + "0".padStart(10) : `${head}${columns(count)}  ${text}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** Chip and flow, and in later kernels which of the chip's interrupts it is: ` PCI-MSI-edge    `, `IO-APIC   1-edge    `. */
function flowOf(
  { irq, chip, source, remapIndex }: IrqDescriptor,
  width: number,
  interfaces: KernelInterfaces,
): string {
  const { flow } = chip;
  const prefix = remapIndex >= 0 ? "IR-" : "";
  const name = prefix + chip.name;
  if (!interfaces.namesMsiDevices) return ` ${name.padStart(8)}-${flow.padEnd(8)}`;
  // The counts end with no blank there, and a message-signalled interrupt has a domain for its device.
  const domain = source === undefined
    ? name
    : `${prefix}PCI-${source.kind === "MSI" ? "MSI" : "MSIX"}-${source.device}`;
  return `${domain.padStart(8)} ${String(source?.entry ?? irq).padStart(width)}-${flow.padEnd(8)}`;
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
