/**
 * A virtual-machine control structure, field by field and bit by bit; and what its settings mean for the guest.
 *
 * *Document*: Intel SDM vol. 3C, "VM-Execution Control Fields", "VM-Entry Control Fields", "VM-Exit Information Fields".
 *
 * @module
 */

import { Apic, apicRegisterName, x2apicMsr, x2apicOffset } from "../../../hw/lapic.ts";
import { decodeInterruptionInfo, EventType, Pin, Primary, type Vmcs } from "../../../hw/vmx.ts";
import type { Guest } from "../lab.ts";
import { exitReasonName } from "./exits.ts";

const hex = (value: number, digits = 8): string => `0x${(value >>> 0).toString(16).padStart(digits, "0")}`;

/** A control bit: its number's mask, its name in the manual, what it means set and clear. */
type Bit = readonly [mask: number, name: string, set: string, clear: string];

const PIN_BITS: readonly Bit[] = [
  [
    Pin.ExternalInterruptExiting,
    "external-interrupt exiting",
    "interrupts cause VM exits",
    "interrupts go through the guest's IDT",
  ],
  [Pin.NmiExiting, "NMI exiting", "NMIs cause VM exits", "NMIs go through the guest's IDT"],
  [Pin.PreemptionTimer, "activate VMX-preemption timer", "counts in guest mode", "off"],
];

const PRIMARY_BITS: readonly Bit[] = [
  [
    Primary.InterruptWindowExiting,
    "interrupt-window exiting",
    "exits as soon as the guest takes interrupts",
    "off",
  ],
  [Primary.HltExiting, "HLT exiting", "HLT causes a VM exit", "HLT halts the CPU in guest mode"],
  [Primary.UseMsrBitmaps, "use MSR bitmaps", "the bitmap decides", "every RDMSR and WRMSR exits"],
];

const EVENT_TYPES: Readonly<Record<number, string>> = {
  [EventType.ExternalInterrupt]: "external interrupt",
  [EventType.Nmi]: "NMI",
  [EventType.HardwareException]: "hardware exception",
};

/** The lines of one control structure. */
export function vmcsLines(vmcs: Vmcs): string[] {
  const { guest } = vmcs;
  const open = vmcs.msrBitmap.opened();
  return [
    `pin-based controls            ${hex(vmcs.pinBased)}`,
    ...bitLines(vmcs.pinBased, PIN_BITS),
    `primary controls              ${hex(vmcs.primary)}`,
    ...bitLines(vmcs.primary, PRIMARY_BITS),
    `MSR bitmap                    ${vmcs.msrBitmap.name}: ${
      open.length === 0 ? "every access exits" : `${open.length} open, all others exit`
    }`,
    ...open.map(({ msr, access }) => `  ${hex(msr, 3)} ${access.padEnd(2)} ${msrName(msr)}`),
    `VM-entry interruption info    ${hex(vmcs.entryInterruptionInfo)}${
      eventText(vmcs.entryInterruptionInfo)
    }`,
    `VMX-preemption timer value    ${vmcs.preemptionTimerValue}`,
    `exit reason                   ${vmcs.exitReason} ${exitReasonName(vmcs.exitReason)}`,
    `exit qualification            ${hex(vmcs.exitQualification)}`,
    `VM-exit interruption info     ${hex(vmcs.exitInterruptionInfo)}${eventText(vmcs.exitInterruptionInfo)}`,
    `guest RFLAGS.IF               ${guest.interruptFlag ? 1 : 0}`,
    `guest activity state          ${guest.halted ? "HLT" : "active"}`,
  ];
}

function bitLines(field: number, bits: readonly Bit[]): string[] {
  return bits.map(([mask, name, whenSet, whenClear]) => {
    const isSet = (field & mask) !== 0;
    const number = 31 - Math.clz32(mask);
    return `  bit ${String(number).padStart(2)} = ${isSet ? 1 : 0}  ${name}: ${isSet ? whenSet : whenClear}`;
  });
}

function msrName(msr: number): string {
  return msr >= 0x800 && msr < 0x900 ? `x2APIC ${apicRegisterName(x2apicOffset(msr))}` : "";
}

function eventText(info: number): string {
  const { valid, type, vector } = decodeInterruptionInfo(info);
  return valid ? ` (${EVENT_TYPES[type] ?? `type ${type}`}, vector ${vector})` : " (not valid)";
}

/** Which of the talk's features a control structure has switched on at this instant. */
export interface DirectFeatures {
  /** Pin-based bit 0 is clear: interrupts reach the guest without an exit. */
  readonly delivery: boolean;
  /** Bit 0 is clear, and EOI is open in the MSR bitmap. */
  readonly eoi: boolean;
  /** Bit 0 is clear, and the timer's initial count is open in the MSR bitmap. */
  readonly timer: boolean;
}

/** Reads {@linkcode DirectFeatures} off the registers; EOI and timer are open only to a guest in x2APIC form. */
export function directFeatures(vmcs: Vmcs, x2apic: boolean): DirectFeatures {
  const delivery = (vmcs.pinBased & Pin.ExternalInterruptExiting) === 0;
  const open = (offset: number) => delivery && x2apic && !vmcs.msrBitmap.intercepts(x2apicMsr(offset), true);
  return { delivery, eoi: open(Apic.EOI), timer: open(Apic.TMICT) };
}

/** A guest in a line: `vm0: 1 vCPU, vcpu0 on slave cpu3: direct-irq on, direct-eoi on, direct-timer on`. */
export function guestLine(guest: Guest): string {
  const vcpus = guest.vcpus.map((vcpu) => {
    const { delivery, eoi, timer } = directFeatures(vcpu.vmcs, vcpu.apic.x2apic);
    const on = (is: boolean) => is ? "on" : "off";
    const allowed = vcpu.thread?.allowed ?? 0;
    const pinned = allowed !== 0 && (allowed & (allowed - 1)) === 0;
    const where = vcpu.slaveCpu >= 0
      ? `on slave cpu${vcpu.slaveCpu}`
      : pinned
      ? `thread pinned to cpu${31 - Math.clz32(allowed)}`
      : "thread not pinned";
    const features = `direct-irq ${on(delivery)}, direct-eoi ${on(eoi)}, direct-timer ${on(timer)}`;
    return `vcpu${vcpu.id} ${where}: ${features}${
      vcpu.apic.x2apic ? "" : " (no x2APIC: EOI and timer are trapped)"
    }`;
  });
  const { length } = guest.vcpus;
  return `${guest.name}: ${length} vCPU${length === 1 ? "" : "s"}, ${vcpus.join("; ")}`;
}
