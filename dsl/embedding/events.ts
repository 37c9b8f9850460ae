/**
 * What happens in a laboratory, as values whose type `kind` tells: steps and interrupts of processors, and the
 * tracepoints of KVM and of the scheduler, by their names in the kernel.
 *
 * @module
 */

import type { TraceRecord, TraceSink } from "../../hw/sim/trace.ts";
import { layerName } from "../../runtime/lab/views/cpus.ts";
import { exitReasonName } from "../../runtime/lab/views/exits.ts";

/** What a processor's step says beside its name. */
export interface StepFields {
  /** Its name: `irq entry`, `wrmsr`. */
  readonly name: string;
  /** Whose time it is: `hardware`, `host kernel`, `KVM`, `guest kernel`, … */
  readonly layer: string;
  /** How long it takes, ns. */
  readonly ns: number;
  /** Root operation or guest mode. */
  readonly mode: "root" | "guest";
}

/** The fields of each kind of event, beside those of every event. */
export interface EventFields {
  /** An alarm of the engine has fired: `name` is whose. */
  readonly alarm: { readonly name: string };
  /** Software begins to compute. */
  readonly work: StepFields;
  /** The processor begins something of its own: delivers an interrupt, exits, enters. */
  readonly transition: StepFields;
  /** An instruction that reaches a device or a register begins. */
  readonly instruction: StepFields & { readonly address: number; readonly value: number };
  /** An interrupt is requested of the local APIC in `where`, `lapic3`. */
  readonly request: { readonly vector: number; readonly by: "timer" | "message" };
  /** A processor takes an interrupt, or an NMI (vector 2). */
  readonly interrupt: { readonly vector: number; readonly mode: "root" | "guest" };
  /** A VM entry injects an event; `type` is the manual's: 0 external interrupt, 2 NMI, 3 exception. */
  readonly injection: { readonly vector: number; readonly type: number };
  /** The processor enters the guest; `info` is the VM-entry interruption-information field. */
  readonly vm_entry: { readonly info: number };
  /** The processor leaves the guest. */
  readonly kvm_exit: {
    /** The reason, by the names of `kvm_stat`. */
    readonly reason: string;
    /** Its number in the manual. */
    readonly basicReason: number;
    readonly qualification: number;
    /** What the instruction names that exits: an MSR, a port, an address; else 0. */
    readonly operand: number;
    /** The VM-exit interruption-information field. */
    readonly info: number;
  };
  /** An instruction is answered with #GP. */
  readonly fault: { readonly name: string; readonly vector: number };
  /** A handler returns. */
  readonly iret: Record<never, never>;
  /** A call that was typed has returned. */
  readonly syscall: { readonly name: string; readonly args: string; readonly result: number | string };
  /** KVM is about to enter. */
  readonly kvm_entry: { readonly vcpu: string };
  /** KVM has put a virtual interrupt into the entry field. */
  readonly kvm_inj_virq: { readonly irq: number };
  /** KVM has put an exception there. */
  readonly kvm_inj_exception: { readonly vector: number };
  /** The guest has written a register of its APIC, by an exit. */
  readonly kvm_apic: { readonly rw: "write"; readonly reg: string; readonly val: number };
  /** The emulated APIC has taken a request. */
  readonly kvm_apic_accept_irq: {
    readonly vcpu: string;
    readonly apicid: number;
    readonly vec: number;
    /** Delivery mode: 0 fixed, 1 lowest priority. */
    readonly mode: number;
    readonly level: boolean;
    /** It was requested already, and nothing follows. */
    readonly coalesced: boolean;
  };
  /** The guest has sent an interrupt by its APIC, which KVM emulates; as the ICR has it. */
  readonly kvm_apic_ipi: {
    readonly mode: number;
    readonly vector: number;
    readonly destination: number;
    readonly logical: boolean;
    readonly shorthand: number;
    readonly assert: boolean;
    readonly level: boolean;
  };
  /** A line of a machine changes; `source` says who drives it. */
  readonly kvm_set_irq: { readonly gsi: number; readonly level: number; readonly source: number };
  /** What the emulated I/O APIC makes of it; the halves of the pin's entry. */
  readonly kvm_ioapic_set_irq: {
    readonly pin: number;
    readonly low: number;
    readonly high: number;
    readonly coalesced: boolean;
  };
  /** What the 8259s make of it. */
  readonly kvm_pic_set_irq: {
    readonly chip: number;
    readonly pin: number;
    readonly elcr: number;
    readonly imr: number;
    readonly coalesced: boolean;
  };
  /** A message for a machine's local APICs. */
  readonly kvm_msi_set_irq: {
    readonly addressLow: number;
    readonly addressHigh: number;
    readonly data: number;
  };
  /** The guest has ended the interrupt of a chip's pin: 0 and 1 are the 8259s, 2 the I/O APIC. */
  readonly kvm_ack_irq: { readonly irqchip: number; readonly pin: number };
  /** The emulated APIC has seen an EOI; vector -1: nothing was in service. */
  readonly kvm_eoi: { readonly apicid: number; readonly vector: number };
  /** KVM has seen that the guest has ended an interrupt by PV EOI. */
  readonly kvm_pv_eoi: { readonly apicid: number; readonly vector: number };
  /** The guest has accessed an MSR that it may not. */
  readonly kvm_msr: {
    readonly rw: "read" | "write";
    readonly index: number;
    readonly data: number;
    readonly fault: boolean;
  };
  /** A port access of the guest's is emulated; `val` of a read is known since 3.16. */
  readonly kvm_pio: {
    readonly rw: "read" | "write";
    readonly port: number;
    readonly size: number;
    readonly count: number;
    readonly val: number;
  };
  /** An access of the guest's to memory that is none: a read that begins, what was read, or a write. */
  readonly kvm_mmio: {
    readonly type: "read" | "write" | "unsatisfied-read";
    readonly len: number;
    readonly gpa: number;
    readonly val: number;
  };
  /** The guest has executed CPUID; what it is shown. */
  readonly kvm_cpuid: {
    readonly func: number;
    readonly rax: number;
    readonly rbx: number;
    readonly rcx: number;
    readonly rdx: number;
    readonly found: boolean;
  };
  /** The guest has touched a page that its page tables at the host do not have; `error` says how. */
  readonly kvm_page_fault: { readonly vcpu: number; readonly address: number; readonly error: number };
  /** `KVM_RUN` returns: the number of a `KVM_EXIT_…`, and its errno. */
  readonly kvm_userspace_exit: { readonly reason: number; readonly error: number };
  /** Direct delivery is switched for a vCPU. */
  readonly kvm_set_direct_interrupt: { readonly vcpu: number; readonly enabled: boolean };
  /** A task has become runnable. */
  readonly sched_wakeup: { readonly comm: string; readonly pid: number; readonly target_cpu: number };
  /** A CPU goes from one task to the next. */
  readonly sched_switch: {
    readonly prev_comm: string;
    readonly prev_pid: number;
    readonly next_comm: string;
    readonly next_pid: number;
  };
  /** A CPU of the host's has taken an object from the slab, for KVM's page tables. */
  readonly kmem_cache_alloc: {
    readonly bytes_req: number;
    readonly bytes_alloc: number;
    readonly gfp_flags: string;
  };
}

/** The kinds of events. */
export type EventKind = keyof EventFields;

/** What every event has. */
export interface EventBase {
  /** Its number, counted from the machine's start; what happens in one event of the engine shares it. */
  readonly event: number;
  /** Number of the event that caused it; 0: none. */
  readonly cause: number;
  /** When, ns of virtual time. */
  readonly timeNs: number;
  /** Where: `cpu3`, `lapic3`, a kernel's CPU like `vm0.0`. */
  readonly where: string;
}

/** An event; `kind` tells which fields it has. */
export type LabEvent<K extends EventKind = EventKind> = {
  readonly [E in K]: EventBase & { readonly kind: E } & EventFields[E];
}[K];

/** Which events are wanted. */
export interface EventFilter<K extends EventKind = EventKind> {
  /** Of this kind, or of one of these; of all where absent. */
  readonly kind?: K | readonly K[];
  /** Only there: `cpu3`. */
  readonly where?: string;
  /** Only those after the event of this number: {@linkcode Lab.event} as it was. */
  readonly after?: number;
}

/** Every kind. */
export const EVENT_KINDS: readonly EventKind[] = [
  ...["alarm", "work", "transition", "instruction", "request", "interrupt", "injection"] as const,
  ...["vm_entry", "kvm_exit", "fault", "iret", "syscall", "kvm_entry", "kvm_inj_virq"] as const,
  ...["kvm_inj_exception", "kvm_apic", "kvm_apic_accept_irq", "kvm_eoi", "kvm_pv_eoi", "kvm_msr"] as const,
  ...["kvm_pio", "kvm_mmio", "kvm_apic_ipi", "kvm_cpuid", "kvm_page_fault", "kvm_userspace_exit"] as const,
  ...["kvm_set_irq", "kvm_ioapic_set_irq", "kvm_pic_set_irq", "kvm_msi_set_irq", "kvm_ack_irq"] as const,
  ...["kvm_set_direct_interrupt", "sched_wakeup", "sched_switch", "kmem_cache_alloc"] as const,
];

const KINDS: ReadonlySet<string> = new Set(EVENT_KINDS);
/** Kinds of records that have another name here: KVM's tracepoint of an exit is made of the processor's record. */
const RENAMED: Readonly<Record<string, EventKind>> = { exit: "kvm_exit", entry: "vm_entry" };
/** Kinds whose name says nothing that a field does not. */
const NAMED = new Set<EventKind>(["alarm", "work", "transition", "instruction", "fault", "syscall"]);

/** The kind of a record. @throws Error for one that has none: an event would be dropped silently */
function kindOf({ kind, name }: TraceRecord): EventKind {
  const known = kind === "tracepoint" ? name : RENAMED[kind] ?? kind;
  if (!KINDS.has(known)) throw new Error(`The event ${kind} ${name} has no type`);
  return known as EventKind;
}

/** A processor's record of an exit has the number alone. */
function exitReason(basicReason: number): { reason: string; basicReason: number } {
  return { reason: exitReasonName(basicReason), basicReason };
}

/** A record as an event. */
function eventOf(record: TraceRecord, kind: EventKind): LabEvent {
  const { event, cause, timeNs, where, name, fields } = record;
  const { layer, reason, ...rest } = fields;
  return Object.freeze({
    kind,
    event,
    cause,
    timeNs,
    where,
    ...(NAMED.has(kind) ? { name } : {}),
    ...(layer === undefined ? {} : { layer: layerName(Number(layer)) }),
    ...(reason === undefined ? {} : kind === "kvm_exit" ? exitReason(Number(reason)) : { reason }),
    ...rest,
  }) as unknown as LabEvent; // the fields of a kind are those of its records: tests hold every kind against its type
}

/** Keeps what happens, of the kinds that are wanted. */
export class EventRecorder implements TraceSink {
  /** What has happened, oldest first. */
  readonly events: LabEvent[];
  /** What lies behind this event is not certain to happen. */
  #known = Infinity;

  /** @param kinds that it keeps @param before what has been kept already */
  constructor(readonly kinds: ReadonlySet<EventKind>, before: readonly LabEvent[] = []) {
    this.events = [...before];
  }

  /** @inheritdoc */
  record(record: TraceRecord): void {
    const kind = kindOf(record);
    while (this.#known < (this.events.at(-1)?.event ?? 0)) this.events.pop();
    this.#known = Infinity;
    if (this.kinds.has(kind)) this.events.push(eventOf(record, kind));
  }

  /** The machine has come to event `now` by going back or forth: what lies behind happens again, or something else does. */
  travelled(now: number): void {
    this.#known = now;
  }

  /** Those up to event `now` that `filter` wants. */
  *select<K extends EventKind>(
    { kind, where, after = -1 }: EventFilter<K>,
    now: number,
  ): Generator<LabEvent<K>> {
    const kinds = kind === undefined ? undefined : new Set<EventKind>(kindsOf(kind));
    for (const event of this.events) {
      if (event.event > now) return;
      if (event.event <= after || (where !== undefined && event.where !== where)) continue;
      if (kinds === undefined || kinds.has(event.kind)) yield event as LabEvent<K>;
    }
  }
}

/** One kind or several, as a list. */
export function kindsOf<K extends EventKind>(kind: K | readonly K[]): readonly K[] {
  return typeof kind === "string" ? [kind] : kind;
}
