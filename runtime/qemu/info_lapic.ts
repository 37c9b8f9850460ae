/**
 * A local APIC, in the layout of QEMU's monitor command `info lapic`.
 *
 * *Document*: QEMU, `x86_cpu_dump_local_apic_state()`; Intel SDM vol. 3A, "Local Vector Table".
 *
 * @module
 */

import { Apic, DeliveryMode, type LocalApic, timerDivisor, type VectorSet } from "../kvm/user_space.ts";

const hex = (value: number, digits: number): string =>
  `0x${(value >>> 0).toString(16).padStart(digits, "0")}`;

/** Delivery modes as `info lapic` calls them. */
const MODES: ReadonlyMap<number, string> = new Map<number, string>([
  [DeliveryMode.Fixed, "Fixed"],
  [DeliveryMode.Smi, "SMI"],
  [DeliveryMode.Nmi, "NMI"],
  [DeliveryMode.Init, "INIT"],
  [DeliveryMode.ExtInt, "ExtINT"],
]);

/** LVT entries in the order in which they are listed. */
const ENTRIES: readonly (readonly [name: string, offset: number])[] = [
  ["LVT0", Apic.LVT0],
  ["LVT1", Apic.LVT1],
  ["LVTPC", Apic.LVTPC],
  ["LVTERR", Apic.LVTERR],
  ["LVTTHMR", Apic.LVTTHMR],
  ["LVTT", Apic.LVTT],
];

/** Timer modes, bits 18:17. */
const TIMER_MODES = ["one-shot", "periodic", "tsc-deadline"];
const SHORTHANDS = ["no-shorthand", "self", "all-self", "all"];

/** The lines of one local APIC: `number` is its CPU, `nowNs` the time at which the counter is read. */
export function lapicLines(apic: LocalApic, number: number, nowNs: number): string[] {
  const read = (offset: number) => apic.read(offset, nowNs);
  const spurious = read(Apic.SVR);
  const divide = read(Apic.TDCR);
  return [
    `dumping local APIC state for CPU ${String(number).padEnd(2)}`,
    "",
    ...ENTRIES.map(([name, offset]) => entryLine(name, read(offset), offset === Apic.LVTT)),
    `Timer\t DCR=0x${divide.toString(16)} (divide by ${timerDivisor(divide)})` +
    ` initial_count = ${read(Apic.TMICT)} current_count = ${read(Apic.TMCCT)}`,
    `SPIV\t ${hex(spurious, 8)} APIC ${(spurious & 0x100) !== 0 ? "enabled" : "disabled"},` +
    ` focus=${(spurious & 0x200) !== 0 ? "on" : "off"}, spurious vec ${spurious & 0xff}`,
    ...commandLines(apic, read(Apic.ICR), read(Apic.ICR2)),
    `ESR\t ${hex(read(Apic.ESR), 8)}`,
    vectorsLine("ISR", apic.isr, apic.tmr),
    vectorsLine("IRR", apic.irr, apic.tmr),
    "",
    `APR 0x00 TPR ${hex(read(Apic.TPR), 2)} DFR ${hex(apic.x2apic ? 0xf : read(Apic.DFR) >>> 28, 2)}` +
    ` LDR ${hex(apic.x2apic ? read(Apic.LDR) : read(Apic.LDR) >>> 24, 2)} PPR ${hex(read(Apic.PPR), 2)}`,
  ];
}

function entryLine(name: string, value: number, isTimer: boolean): string {
  const mode = isTimer ? DeliveryMode.Fixed : (value >>> 8) & 7; // the timer's entry has no delivery mode
  const fields = [
    (value & 0x2000) !== 0 ? "active-lo" : "active-hi",
    ((value & 0x8000) !== 0 ? "level" : "edge").padEnd(5),
    ((value & 0x1_0000) !== 0 ? "masked" : "").padEnd(6),
    ((value & 0x1000) !== 0 ? "pending" : "").padEnd(7),
    (isTimer ? TIMER_MODES[(value >>> 17) & 3] ?? "" : "").padEnd(12),
    (MODES.get(mode) ?? "...").padEnd(6),
  ];
  const vector = mode === DeliveryMode.Nmi ? "" : ` (vec ${value & 0xff})`;
  return `${name}\t ${hex(value, 8)} ${fields.join(" ")}${vector}`.trimEnd();
}

function commandLines(apic: LocalApic, low: number, high: number): string[] {
  const shorthand = (low >>> 18) & 3;
  const logical = (low & 0x800) !== 0;
  const words = [
    logical ? "logical" : "physical",
    (low & 0x8000) !== 0 ? "level" : "edge",
    (low & 0x4000) !== 0 ? "assert" : "de-assert",
    SHORTHANDS[shorthand],
  ];
  const command = `ICR\t ${hex(low, 8)} ${words.join(" ")}`;
  // In x2APIC form there is one 64-bit register, of which the device keeps the lower half.
  if (apic.x2apic) return [command, "ICR2\t n/a (x2APIC form)"];
  const to = shorthand !== 0
    ? ""
    : logical
    ? ` mask ${hex(high >>> 24, 2)}`
    : ` cpu ${high >>> 24} (APIC ID)`;
  return [command, `ICR2\t ${hex(high, 8)}${to}`];
}

function vectorsLine(name: string, vectors: VectorSet, levels: VectorSet): string {
  const list = vectors.members().map((vector) => `${vector}${levels.has(vector) ? "(level)" : ""}`);
  return `${name}\t ${list.length === 0 ? "(none)" : list.join(" ")}`;
}
