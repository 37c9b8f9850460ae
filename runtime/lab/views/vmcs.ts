/**
 * A virtual-machine control structure, field by field and bit by bit.
 *
 * *Document*: Intel SDM vol. 3C, "VM-Execution Control Fields", "VM-Entry Control Fields", "VM-Exit Information Fields".
 *
 * @module
 */

import { BaseMsr } from "../../../hw/base_msrs.ts";
import { apicRegisterName, x2apicOffset } from "../../../hw/lapic.ts";
import {
  BLOCKING_BY_NMI,
  decodeInterruptionInfo,
  ENABLE_EPT,
  EventType,
  PAUSE_LOOP_EXITING,
  Pin,
  Primary,
  type Vmcs,
} from "../../../hw/vmx.ts";
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
  [Pin.VirtualNmis, "virtual NMIs", "blocking by NMI is the guest's own", "off"],
  [Pin.PreemptionTimer, "activate VMX-preemption timer", "counts in guest mode", "off"],
];

const PRIMARY_BITS: readonly Bit[] = [
  [
    Primary.InterruptWindowExiting,
    "interrupt-window exiting",
    "exits as soon as the guest takes interrupts",
    "off",
  ],
  [
    Primary.UseTscOffsetting,
    "use TSC offsetting",
    "the guest's counter is the processor's plus the offset",
    "off",
  ],
  [Primary.HltExiting, "HLT exiting", "HLT causes a VM exit", "HLT halts the CPU in guest mode"],
  [Primary.InvlpgExiting, "INVLPG exiting", "INVLPG causes a VM exit", "off"],
  [Primary.Cr3LoadExiting, "CR3-load exiting", "MOV to CR3 causes a VM exit", "CR3 is the guest's own"],
  [Primary.Cr3StoreExiting, "CR3-store exiting", "MOV from CR3 causes a VM exit", "off"],
  [Primary.UseTprShadow, "use TPR shadow", "task priority is the virtual-APIC page's", "off"],
  [
    Primary.NmiWindowExiting,
    "NMI-window exiting",
    "exits as soon as the guest takes NMIs",
    "off",
  ],
  [Primary.UseMsrBitmaps, "use MSR bitmaps", "the bitmap decides", "every RDMSR and WRMSR exits"],
];

const SECONDARY_BITS: readonly Bit[] = [
  [ENABLE_EPT, "enable EPT", "a missing page is an EPT violation", "a missing page is a page fault"],
  [PAUSE_LOOP_EXITING, "PAUSE-loop exiting", "loops of PAUSE cause VM exits", "off"],
];

/** As the SDM has them, without IA32_. */
const BASE_NAMES: ReadonlyMap<number, string> = new Map([
  [BaseMsr.SysenterCs, "SYSENTER_CS"],
  [BaseMsr.SysenterEsp, "SYSENTER_ESP"],
  [BaseMsr.SysenterEip, "SYSENTER_EIP"],
  [BaseMsr.FsBase, "FS_BASE"],
  [BaseMsr.GsBase, "GS_BASE"],
  [BaseMsr.KernelGsBase, "KERNEL_GS_BASE"],
]);

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
    `secondary controls            ${hex(vmcs.secondary)}`,
    ...bitLines(vmcs.secondary, SECONDARY_BITS),
    `exception bitmap              ${hex(vmcs.exceptionBitmap)}`,
    `CR0 guest/host mask, shadow   ${hex(vmcs.cr0Mask)} ${hex(vmcs.cr0Shadow)}`,
    `CR4 guest/host mask, shadow   ${hex(vmcs.cr4Mask)} ${hex(vmcs.cr4Shadow)}`,
    `MSR bitmap                    ${vmcs.msrBitmap.name}: ${
      open.length === 0 ? "every access exits" : `${open.length} open, all others exit`
    }`,
    ...open.map(({ msr, access }) => `  ${hex(msr, 3)} ${access.padEnd(2)} ${msrName(msr)}`),
    `VM-entry interruption info    ${hex(vmcs.entryInterruptionInfo)}${
      eventText(vmcs.entryInterruptionInfo)
    }`,
    `VMX-preemption timer value    ${vmcs.preemptionTimerValue}`,
    `TPR threshold                 ${vmcs.tprThreshold}`,
    `TSC offset                    ${vmcs.tscOffset}`,
    `exit reason                   ${vmcs.exitReason} ${exitReasonName(vmcs.exitReason)}`,
    `exit qualification            ${hex(vmcs.exitQualification)}`,
    `VM-exit interruption info     ${hex(vmcs.exitInterruptionInfo)}${eventText(vmcs.exitInterruptionInfo)}`,
    `IDT-vectoring info            ${hex(vmcs.idtVectoringInfo)}${eventText(vmcs.idtVectoringInfo)}`,
    `guest CR0, CR3, CR4           ${hex(guest.cr0)} ${hex(guest.cr3)} ${hex(guest.cr4)}`,
    `guest RFLAGS.IF               ${guest.interruptFlag ? 1 : 0}`,
    `guest interruptibility        ${hex(vmcs.interruptibility)}${
      (vmcs.interruptibility & BLOCKING_BY_NMI) === 0 ? "" : " (blocking by NMI)"
    }`,
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
  if (msr >= 0x800 && msr < 0x900) return `x2APIC ${apicRegisterName(x2apicOffset(msr))}`;
  return BASE_NAMES.get(msr) ?? "";
}

function eventText(info: number): string {
  const { valid, type, vector } = decodeInterruptionInfo(info);
  return valid ? ` (${EVENT_TYPES[type] ?? `type ${type}`}, vector ${vector})` : " (not valid)";
}
