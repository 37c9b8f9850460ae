/**
 * The tables that lead an interrupt from a device to a handler: MSI-X tables and MSI, vector maps, interrupt descriptor tables.
 *
 * Layouts: the flags of an MSI-X table are `lspci`'s, entry points have the names of Linux 3.5 `arch/x86/kernel/{entry_64.S,irqinit.c}`.
 *
 * @module
 */

import { decodeMsi, type MsiXTable, remappableIndex } from "../../../hw/msi.ts";
import type { MsiCapability } from "../../../hw/msi_capability.ts";
import type { Irqs } from "../../linux/irq/irq.ts";
import type { Kernel } from "../../linux/kernel.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { Vector } from "../../linux/irq/vectors.ts";

const hex = (value: number, digits = 2): string => (value >>> 0).toString(16).padStart(digits, "0");

// ---- MSI-X ----

/** The MSI-X table of a device: entries that are as a reset leaves them are counted only. */
export function msiXLines(name: string, table: MsiXTable, irqs: Irqs): string[] {
  const lines = [
    `${name} MSI-X: Enable${table.enabled ? "+" : "-"} Count=${table.size} Masked${
      table.functionMasked ? "+" : "-"
    }`,
    "entry  address           data      mask  pending  leads to",
  ];
  let empty = 0;
  for (let entry = 0; entry < table.size; entry++) {
    const { address, addressHigh, data } = table.message(entry);
    const [isMasked, isPending] = [table.masked(entry), table.pending(entry)];
    if (address === 0 && data === 0 && isMasked && !isPending) {
      empty++;
      continue;
    }
    lines.push(
      `${String(entry).padStart(5)}  ${hex(addressHigh, 8)}${hex(address, 8)}  ${hex(data, 8)}  ` +
        `${isMasked ? "yes" : "no"}`.padEnd(6) + `${isPending ? "yes" : "no"}`.padEnd(9) +
        destinationOf(address, data, irqs),
    );
  }
  if (empty > 0) lines.push(`${empty} ${empty === 1 ? "entry is" : "entries are"} empty and masked`);
  return lines;
}

/** The MSI capability of a device, in the same words. */
export function msiLines(name: string, msi: MsiCapability, irqs: Irqs): string[] {
  const { layout: { address64, maskable }, message: { address, addressHigh, data } } = msi;
  const sign = (set: boolean) => set ? "+" : "-";
  return [
    `${name} MSI: Enable${sign(msi.enabled)} Count=1/1 Maskable${sign(maskable)} 64bit${sign(address64)}`,
    "entry  address           data      mask  pending  leads to",
    `    0  ${hex(addressHigh, 8)}${hex(address, 8)}  ${hex(data, 8)}  ` +
    `${msi.masked ? "yes" : "no"}`.padEnd(6) + `${msi.pending ? "yes" : "no"}`.padEnd(9) +
    destinationOf(address, data, irqs),
  ];
}

/** Where a message goes. */
function destinationOf(address: number, data: number, irqs: Irqs): string {
  const index = remappableIndex(address, data);
  if (index !== undefined) {
    const descriptor = irqs.list().find(({ remapIndex }) => remapIndex === index);
    const entry = `remapping entry ${index}`;
    return descriptor === undefined
      ? entry
      : `${entry}: vector 0x${hex(descriptor.vector)} of cpu${descriptor.cpu}, IRQ ${descriptor.irq}`;
  }
  const message = decodeMsi(address, data);
  if (message === undefined) return "no interrupt";
  const { vector, destination, destinationMode, deliveryMode } = message;
  return `vector 0x${hex(vector)}, ${destinationMode} 0x${hex(destination)}, ${deliveryMode}`;
}

// ---- vectors ----

/** System vectors of a kernel, with their entry points and what `/proc/interrupts` calls them. */
const SYSTEM: readonly (readonly [vector: number, entry: string, title: string])[] = [
  [Vector.LocalTimer, "apic_timer_interrupt", "Local timer interrupts"],
  [Vector.CallFunctionSingle, "call_function_single_interrupt", "Function call interrupts"],
  [Vector.Reschedule, "reschedule_interrupt", "Rescheduling interrupts"],
  [Vector.Error, "error_interrupt", "APIC errors"],
  [Vector.Spurious, "spurious_interrupt", "Spurious interrupts"],
];

/** The vectors of each CPU that lead to an interrupt: `vector_irq`, then the system's own. */
export function vectorLines(cpus: readonly KernelCpu[]): string[] {
  return cpus.flatMap((cpu, i) => [
    ...(i === 0 ? [] : [""]),
    `${cpu.kernel.name} cpu${cpu.id} (${cpu.state})`,
    "vector  IRQ  name",
    ...[...cpu.vectorIrq].map(([vector, { irq, name }]) => vectorLine(vector, irq, name)),
    ...SYSTEM.map(([vector, , title]) => vectorLine(vector, "-", title)),
  ]);
}

function vectorLine(vector: number, irq: number | "-", name: string): string {
  return `  0x${hex(vector)}  ${String(irq).padStart(3)}  ${name}`;
}

/** The gates of a kernel, and on which CPU what is behind a device's. All of its CPUs share the table. */
export function idtLines({ name, cpus }: Kernel): string[] {
  const lines = [
    `${name}: interrupt descriptor table ${cpus.length === 1 ? "of its CPU" : `of all ${cpus.length} CPUs`}`,
    "vector     entry point",
  ];
  const gate = (vectors: string, entry: string) => lines.push(`  ${vectors.padEnd(9)}${entry}`);
  gate("0x02", "nmi");
  gate("0x0d", "general_protection");
  let from: number = Vector.FirstExternal;
  for (const [vector, entry] of SYSTEM) {
    if (from < vector) {
      gate(from === vector - 1 ? `0x${hex(from)}` : `0x${hex(from)}-${hex(vector - 1)}`, "common_interrupt");
    }
    gate(`0x${hex(vector)}`, entry);
    from = vector + 1;
  }
  for (const cpu of cpus) {
    for (const [vector, action] of cpu.vectorIrq) {
      lines.push(`  0x${hex(vector)} on cpu${cpu.id}: do_IRQ, IRQ ${action.irq} (${action.name})`);
    }
  }
  return lines;
}
