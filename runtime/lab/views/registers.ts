/**
 * Registers and single facts of a laboratory by name, as conditions and `changed` take them.
 *
 * ```text
 * cpu3.mode  cpu3.state  cpu3.if  cpu3.halted  cpu3.exits  cpu3.does  cpu3.task
 * cpu3.lapic.isr  cpu3.lapic.tpr  vm0.lapic.isr  vm0.1.lapic.irr
 * vm0.vmcs.pin-based  vm0.vmcs.primary  vm0.vmcs.exit-reason  vm0.vmcs.entry-info
 * msr-bitmap 0x80b    1: a guest's write exits; 0: it reaches the register
 * exits.total  exits.hlt  event  time
 * ```
 *
 * @module
 */

import { MSR_APIC_BASE } from "../../../hw/lapic_base.ts";
import { Apic, apicRegisterName, type LocalApic, MSR_TSC_DEADLINE, x2apicMsr } from "../../../hw/lapic.ts";
import { BLOCKING_BY_NMI, type Vmcs } from "../../../hw/vmx.ts";
import type { Lab } from "../lab.ts";
import { closest } from "../spelling.ts";

/** A value by name; undefined: there is none now. */
export type RegisterReader = (lab: Lab) => string | number | undefined;

/** A name that leads nowhere, with what was meant. */
export class RegisterError extends Error {
  override readonly name = "RegisterError";
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const vectors = (list: readonly number[]): string => list.length === 0 ? "none" : list.map(hex).join(" ");

/** What a processor has. */
const CPU: Readonly<Record<string, (lab: Lab, id: number) => string | number | undefined>> = {
  state: ({ host }, id) => host.cpus[id]!.state,
  mode: ({ machine }, id) => machine.cpus[id]!.vmcs === null ? "root" : "guest",
  if: ({ machine }, id) =>
    machine.cpus[id]!.running ? Number(machine.cpus[id]!.registers.interruptFlag) : undefined,
  halted: ({ machine }, id) =>
    machine.cpus[id]!.running ? Number(machine.cpus[id]!.registers.halted) : undefined,
  nmi: ({ machine }, id) =>
    machine.cpus[id]!.nmiBlocked ? "blocked" : machine.cpus[id]!.nmiPending ? "pending" : "none",
  exits: ({ machine }, id) => machine.cpus[id]!.exits,
  does: ({ machine }, id) => machine.cpus[id]!.inFlight?.name,
  task: ({ host }, id) => host.cpus[id]!.current.name,
};

/** What a local APIC has. */
const LAPIC: Readonly<Record<string, (apic: LocalApic, nowNs: number) => string>> = {
  isr: (apic) => vectors(apic.isr.members()),
  irr: (apic) => vectors(apic.irr.members()),
  tmr: (apic) => vectors(apic.tmr.members()),
  tpr: (apic, nowNs) => hex(apic.read(Apic.TPR, nowNs)),
  ppr: (apic, nowNs) => hex(apic.read(Apic.PPR, nowNs)),
  svr: (apic, nowNs) => hex(apic.read(Apic.SVR, nowNs)),
  lvtt: (apic, nowNs) => hex(apic.read(Apic.LVTT, nowNs)),
  tmict: (apic, nowNs) => String(apic.read(Apic.TMICT, nowNs)),
  tdcr: (apic, nowNs) => hex(apic.read(Apic.TDCR, nowNs)),
};

/** What a control structure has. */
const VMCS: Readonly<Record<string, (vmcs: Vmcs) => string | number>> = {
  "pin-based": ({ pinBased }) => hex(pinBased),
  primary: ({ primary }) => hex(primary),
  "entry-info": ({ entryInterruptionInfo }) => hex(entryInterruptionInfo),
  "exit-reason": ({ exitReason }) => exitReason,
  "exit-qualification": ({ exitQualification }) => hex(exitQualification),
  "guest-nmi": ({ interruptibility }) => (interruptibility & BLOCKING_BY_NMI) === 0 ? "none" : "blocked",
  "guest-if": ({ guest }) => Number(guest.interruptFlag),
  "guest-halted": ({ guest }) => Number(guest.halted),
};

/** MSRs of the model by number, with their names. */
export const MSRS: ReadonlyMap<number, string> = new Map([
  [MSR_APIC_BASE, "APIC_BASE"],
  [MSR_TSC_DEADLINE, "TSC_DEADLINE"],
  ...Object.values(Apic).filter((offset) => offset !== Apic.ICR2 && offset !== Apic.DFR).map((offset) =>
    [x2apicMsr(offset), apicRegisterName(offset)] as [number, string]
  ),
]);

/** The number of an MSR, `0x80b` or `EOI`. @throws RegisterError for one that the model has not */
export function msrNumber(text: string): number {
  const number = /^(0x[\da-f]+|\d+)$/i.test(text) ? Number(text) : undefined;
  if (number !== undefined && MSRS.has(number)) return number;
  const names = new Map(
    [...MSRS].flatMap(([msr, name]) => [[name.toLowerCase(), msr], [hex(msr), msr]] as [string, number][]),
  );
  const named = names.get(text.toLowerCase());
  if (named !== undefined) return named;
  const meant = closest(number === undefined ? text.toLowerCase() : hex(number), [...names.keys()]);
  const msr = meant === undefined ? undefined : names.get(meant)!;
  throw new RegisterError(
    `unknown register "${text}": ${
      msr === undefined
        ? "expected an MSR of the model, like 0x80b or EOI"
        : `did you mean ${hex(msr)} (${MSRS.get(msr)})?`
    }`,
  );
}

/** `0x80b (EOI)`. */
export function msrText(msr: number): string {
  const name = MSRS.get(msr);
  return name === undefined ? hex(msr) : `${hex(msr)} (${name})`;
}

/** What reads the value of that name; undefined: the name is of another kind. @throws RegisterError if it is near one */
export function registerNamed(text: string, lab: Lab): RegisterReader | undefined {
  const bitmap = /^msr-bitmap\s+(\S+)(?:\s+(\S+))?$/.exec(text);
  if (bitmap !== null) {
    const msr = msrNumber(bitmap[1]!);
    return vcpuReader(bitmap[2] ?? "vm0", ({ vmcs }) => Number(vmcs.msrWriteExits(msr)));
  }
  const cpu = /^cpu(\d+)\.(?:(lapic)\.)?([\w-]+)$/.exec(text);
  if (cpu !== null) {
    const id = Number(cpu[1]);
    if (id >= lab.machine.cpus.length) {
      throw new RegisterError(`cpu${id}: there are ${lab.machine.cpus.length}, from 0`);
    }
    if (cpu[2] === undefined) {
      const read = field(CPU, cpu[3]!, `cpu${id}`, ["lapic.isr"]);
      return (now) => read(now, id);
    }
    const read = field(LAPIC, cpu[3]!, `cpu${id}.lapic`);
    return ({ machine, engine }) => read(machine.cpus[id]!.apic, engine.nowNs);
  }
  const vcpu = /^(\w+(?:\.\d+)?)\.(lapic|vmcs)\.([\w-]+)$/.exec(text);
  if (vcpu === null) return undefined;
  const [, name = "", part, register = ""] = vcpu;
  if (part === "vmcs") {
    const read = field(VMCS, register, `${name}.vmcs`);
    return vcpuReader(name, ({ vmcs }) => read(vmcs));
  }
  const read = field(LAPIC, register, `${name}.lapic`);
  return vcpuReader(name, ({ apic }, { engine }) => read(apic, engine.nowNs));
}

/** Every name that leads to a value now, and the bitmap's first word. */
export function registerNames({ machine, guests }: Lab): string[] {
  const of = (name: string, table: Readonly<Record<string, unknown>>) =>
    Object.keys(table).map((field) => `${name}.${field}`);
  return [
    ...machine.cpus.flatMap((_, id) => [...of(`cpu${id}`, CPU), ...of(`cpu${id}.lapic`, LAPIC)]),
    ...[...guests.values()].flatMap(({ name, machine: { file } }) =>
      file.vm.vcpus.flatMap((_, id) => {
        const vcpu = id === 0 ? name : `${name}.${id}`;
        return [...of(`${vcpu}.lapic`, LAPIC), ...of(`${vcpu}.vmcs`, VMCS)];
      })
    ),
    "msr-bitmap",
  ];
}

function vcpuReader(
  which: string,
  read: (vcpu: { vmcs: Vmcs; apic: LocalApic }, lab: Lab) => string | number | undefined,
): RegisterReader {
  const [name = "", number = "0"] = which.split(".");
  return (lab) => {
    const vcpu = lab.guests.get(name)?.machine.file.vm.vcpus[Number(number)];
    return vcpu && read(vcpu, lab);
  };
}

function field<T>(
  table: Readonly<Record<string, T>>,
  name: string,
  of: string,
  more: readonly string[] = [],
): T {
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found !== undefined) return found;
  const known = [...Object.keys(table), ...more];
  const meant = closest(name, known);
  throw new RegisterError(
    `unknown register "${of}.${name}": ${
      meant === undefined ? `expected one of ${known.join(", ")}` : `did you mean ${of}.${meant}?`
    }`,
  );
}
