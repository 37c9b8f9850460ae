/**
 * The state of processors, local APICs and control structures at one instant, as plain values for programs: what `show`
 * prints, field by field. Taking it changes nothing, and nothing changes it afterwards.
 *
 * *Document*: Intel SDM vol. 3A, "Local APIC"; vol. 3C, "Virtual Machine Control Structures".
 *
 * @module
 */

import { Apic, type LocalApic } from "../../../hw/lapic.ts";
import { Pin, Primary, type Vmcs } from "../../../hw/vmx.ts";
import type { Lab } from "../lab.ts";
import { layerName } from "./cpus.ts";
import { exitReasonName } from "./exits.ts";

/** A local APIC, of a processor or of a virtual CPU. Registers have the manual's short names. */
export interface LapicState {
  /** Its APIC id. */
  readonly id: number;
  /** Its form, as IA32_APIC_BASE says. */
  readonly form: "xapic" | "x2apic" | "disabled";
  /** Interrupts requested and not yet taken: vectors, ascending. */
  readonly irr: readonly number[];
  /** Interrupts in service, for which no EOI has come yet: vectors, ascending. */
  readonly isr: readonly number[];
  /** Vectors of the level-triggered ones. */
  readonly tmr: readonly number[];
  /** Task priority. */
  readonly tpr: number;
  /** Processor priority. */
  readonly ppr: number;
  /** Spurious-interrupt vector register; bit 8: the APIC is enabled by software. */
  readonly svr: number;
  /** LVT timer entry: vector, bit 16 mask, bits 18:17 mode. */
  readonly lvtt: number;
  /** The timer's initial count. */
  readonly tmict: number;
  /** The timer's current count. */
  readonly tmcct: number;
  /** The timer's divide configuration. */
  readonly tdcr: number;
}

/** The control structure of a virtual CPU. */
export interface VmcsState {
  /** Pin-based VM-execution controls. */
  readonly pinBased: number;
  /** Primary processor-based VM-execution controls. */
  readonly primary: number;
  /** Pin-based bit 0: external interrupts exit; false: they go through the guest's IDT. */
  readonly externalInterruptExiting: boolean;
  /** Pin-based bit 3: NMIs exit. */
  readonly nmiExiting: boolean;
  /** Primary bit 2: it exits as soon as the guest takes interrupts. */
  readonly interruptWindowExiting: boolean;
  /** Primary bit 7: HLT exits. */
  readonly hltExiting: boolean;
  /** MSRs that the guest reaches without an exit, with the accesses that are open; x2APIC's EOI is 0x80b. */
  readonly openMsrs: ReadonlyMap<number, "r" | "w" | "rw">;
  /** VM-entry interruption information: bit 31 valid, bits 10:8 type, bits 7:0 vector of what the next entry injects. */
  readonly entryInterruptionInfo: number;
  /** Reason of the last exit, by the names of `kvm_stat`. */
  readonly exitReason: string;
  /** Its qualification. */
  readonly exitQualification: number;
  /** VM-exit interruption information, in the form of the one of the entry. */
  readonly exitInterruptionInfo: number;
  /** The guest's RFLAGS.IF. */
  readonly interruptFlag: boolean;
  /** The guest's activity state is HLT. */
  readonly halted: boolean;
}

/** A processor of the host. */
export interface CpuState {
  /** Its number. */
  readonly id: number;
  /** For Linux: `online`, `offline`, or `slave`, a dedicated CPU of the patched KVM. */
  readonly state: string;
  /** Where it executes: root operation, guest mode, or not at all. */
  readonly mode: "root" | "guest" | "stopped";
  /** RFLAGS.IF of what it executes. */
  readonly interruptFlag: boolean;
  /** It waits in HLT. */
  readonly halted: boolean;
  /** A non-maskable interrupt. */
  readonly nmi: "none" | "pending" | "blocked";
  /** VM exits so far. */
  readonly exits: number;
  /** Name of the step in flight. */
  readonly does: string | undefined;
  /** The virtual CPU for which it is the dedicated one, `vm0.0`. */
  readonly dedicatedTo: string | undefined;
  /** Time by layer so far, ns: `hardware`, `host kernel`, `KVM`, `guest kernel`, … */
  readonly layerNs: Readonly<Record<string, number>>;
  /** Its local APIC. */
  readonly lapic: LapicState;
}

/** A virtual CPU of a guest. */
export interface VcpuState {
  /** `vm0.0`. */
  readonly name: string;
  /** The processor on which KVM runs it now. */
  readonly loadedOn: number | undefined;
  /** VM exits by basic reason so far. */
  readonly exits: readonly number[];
  /** The local APIC that KVM emulates for it. */
  readonly lapic: LapicState;
  /** Its control structure. */
  readonly vmcs: VmcsState;
}

/** Processor `id` as it is now; undefined: there is none. */
export function cpuState(lab: Lab, id: number): CpuState | undefined {
  const cpu = lab.machine.cpus[id];
  if (cpu === undefined) return undefined;
  lab.host.settle();
  const { running, vmcs, nmiBlocked, nmiPending } = cpu;
  return {
    id,
    state: lab.host.cpus[id]!.state,
    mode: !running ? "stopped" : vmcs === null ? "root" : "guest",
    interruptFlag: running && cpu.registers.interruptFlag,
    halted: running && cpu.registers.halted,
    nmi: nmiBlocked ? "blocked" : nmiPending ? "pending" : "none",
    exits: cpu.exits,
    does: cpu.inFlight?.name,
    dedicatedTo: lab.kvm.slaves.get(id)?.name,
    layerNs: Object.fromEntries(lab.timeByLayer(id).map((ns, layer) => [layerName(layer), ns])),
    lapic: lapicState(cpu.apic, lab.engine.nowNs),
  };
}

/** A virtual CPU of a guest as it is now; undefined: there is none. */
export function vcpuState(lab: Lab, guest: string, id: number): VcpuState | undefined {
  const vcpu = lab.guests.get(guest)?.machine.file.vm.vcpus[id];
  return vcpu && {
    name: vcpu.name,
    loadedOn: vcpu.loadedOn?.id,
    exits: [...vcpu.exits],
    lapic: lapicState(vcpu.apic, lab.engine.nowNs),
    vmcs: vmcsState(vcpu.vmcs),
  };
}

function lapicState(apic: LocalApic, nowNs: number): LapicState {
  const read = (offset: number) => apic.read(offset, nowNs);
  return {
    id: apic.id,
    form: !apic.hardwareEnabled ? "disabled" : apic.x2apic ? "x2apic" : "xapic",
    irr: apic.irr.members(),
    isr: apic.isr.members(),
    tmr: apic.tmr.members(),
    tpr: read(Apic.TPR),
    ppr: read(Apic.PPR),
    svr: read(Apic.SVR),
    lvtt: read(Apic.LVTT),
    tmict: read(Apic.TMICT),
    tmcct: read(Apic.TMCCT),
    tdcr: read(Apic.TDCR),
  };
}

function vmcsState(vmcs: Vmcs): VmcsState {
  const { pinBased, primary, guest } = vmcs;
  const opened = (primary & Primary.UseMsrBitmaps) === 0 ? [] : vmcs.msrBitmap.opened();
  return {
    pinBased,
    primary,
    externalInterruptExiting: vmcs.externalInterruptExiting,
    nmiExiting: (pinBased & Pin.NmiExiting) !== 0,
    interruptWindowExiting: (primary & Primary.InterruptWindowExiting) !== 0,
    hltExiting: (primary & Primary.HltExiting) !== 0,
    openMsrs: new Map(opened.map(({ msr, access }) => [msr, access])),
    entryInterruptionInfo: vmcs.entryInterruptionInfo,
    exitReason: exitReasonName(vmcs.exitReason),
    exitQualification: vmcs.exitQualification,
    exitInterruptionInfo: vmcs.exitInterruptionInfo,
    interruptFlag: guest.interruptFlag,
    halted: guest.halted,
  };
}
