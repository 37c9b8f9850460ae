/**
 * The one table from what a trace records to the boxes of the talk's figures, for all systems.
 *
 * A row is a step of the trace and the box that it begins or goes on with; `null`: it is part of the box around it, and the
 * figures do not draw it. A step without a row is nobody's: whoever draws a figure is told.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";

/** Who works in a box; a crossing belongs to the lane it leads to. */
export type Lane = "guest" | "host";

/** A box of the figures. */
export interface Box {
  readonly lane: Lane;
  /** What the slides call it. */
  readonly text: string;
  /** Two of them in a row are two: not one that goes on. */
  readonly separate?: true;
}

const guest = (text: string): Box => ({ lane: "guest", text });
const host = (text: string): Box => ({ lane: "host", text });
/** A handler in each lane. */
const handlers = (vector: string, text: string): [string, Box][] => [
  [`injection ${vector}`, { lane: "guest", text, separate: true }],
  [`interrupt guest ${vector}`, { lane: "guest", text, separate: true }],
  [`interrupt root ${vector}`, { lane: "host", text, separate: true }],
];
const parts = (prefix: string, names: string): [string, null][] =>
  names.trim().split(/\s+/).map((name) => [`${prefix} ${name.replaceAll("__", " ")}`, null]);

/** Numbers of exit reasons and of MSRs are the Intel manual's, names of steps those of the model's costs. */
export const BOXES: ReadonlyMap<string, Box | null> = new Map<string, Box | null>([
  // What makes the guest leave. The crossing follows.
  ["exit 0", guest("NMI")],
  ["exit 1", guest("interrupt")],
  ["exit 12", guest("HLT")],
  ["exit 32", guest("APIC access")],
  ["exit 32 0x80b", guest("EOI")],
  ["exit 32 0x838", guest("set APIC timer")],
  // Windows, CPUID, INVLPG, ports, RDMSR, memory-mapped registers, missing pages, the preemption timer.
  ...parts("exit", "7 8 10 14 28 30 31 40 43 44 48 49 52"),
  ["entry", null],

  // What the guest does without leaving.
  ["instruction guest wrmsr", guest("APIC access")],
  ["instruction guest wrmsr 0x80b", guest("direct EOI")],
  ["instruction guest wrmsr 0x838", guest("set APIC timer")],
  ["instruction guest hlt", guest("HLT")],
  ...parts("instruction guest", "rdmsr cpuid out in store load"),
  ...parts("instruction root", "wrmsr rdmsr hlt out in store load vmentry cpuid"),

  // Handlers, begun by an interrupt or an injected event.
  ...handlers("0xef", "timer handler"),
  ...handlers("*", "IRQ handler"),
  ["iret", null],

  // What KVM does.
  ["tracepoint kvm_inj_virq", host("vIRQ injection")],
  ["tracepoint kvm_set_direct_interrupt off", host("disable direct EOI")],
  ["tracepoint kvm_set_direct_interrupt on", host("re-enable direct EOI")],
  ["work root eoiHandle", host("emulate APIC access")],
  ["work root timerWriteHandle", host("emulate APIC access")],
  ["work root msrHandle", host("emulate APIC access")],
  ["work root mmioHandle", host("emulate APIC access")],
  ...parts(
    "work root",
    `externalInterruptHandle interruptWindowHandle nmiHandle timerFunction haltHandle unblock vcpuSwitch
    assignedInterrupt cpuidHandle pageFaultHandle userExit slaveEntry slaveLoad handOff`,
  ),

  // What any kernel does within a handler, or on the way between boxes.
  ...parts(
    "work root",
    `irqEntry hrtimerWake tick nohzStop nohzRestart contextSwitch nanosleep wakeUp ipiHandler deviceHandler raiseSoftirq
    irqoff__section preemptoff__section heavy__section slow__handler endless__loop`,
  ),

  // The guest, outside of its handlers: the figures do not ask what it runs. Within them it is part of the handler.
  ...[
    "endless loop",
    "guest runs",
    "timer handler",
    "slow handler",
    ..."irqEntry hrtimerWake tick nohzStop nohzRestart contextSwitch nanosleep wakeUp ipiHandler deviceHandler raiseSoftirq"
      .split(" "),
  ].map((name): [string, Box] => [`work guest ${name}`, guest("guest runs")]),

  // The processor's own work belongs to what it leads to.
  ...["interrupt delivery", "event injection", "C1 exit", "VM exit"].flatMap((name): [string, null][] => [
    [`transition root ${name}`, null],
    [`transition guest ${name}`, null],
  ]),
]);

/** Kinds of records that say nothing of their own: an alarm of the engine, and what other watchers look at. */
const SILENT = new Set(["alarm", "request"]);

/** What a record is called in the table: the most precise name first. */
export function stepNames({ kind, name, fields }: TraceRecord): string[] {
  const mode = fields.mode ?? "root";
  const hex = (value: unknown) => `0x${Number(value).toString(16)}`;
  switch (kind) {
    case "exit":
      return [`exit ${fields.reason} ${hex(fields.operand)}`, `exit ${fields.reason}`];
    case "entry":
    case "iret":
      return [kind];
    case "injection":
      return [`injection ${hex(fields.vector)}`, "injection *"];
    case "interrupt":
      return [`interrupt ${mode} ${hex(fields.vector)}`, `interrupt ${mode} *`];
    case "instruction":
      return [`instruction ${mode} ${name} ${hex(fields.address)}`, `instruction ${mode} ${name}`];
    case "tracepoint":
      return name === "kvm_set_direct_interrupt"
        ? [`tracepoint ${name} ${fields.enabled === true ? "on" : "off"}`]
        : [`tracepoint ${name}`];
    default:
      return [`${kind} ${mode} ${name}`];
  }
}

/** The row of a record; undefined: there is none. */
export function boxOf(record: TraceRecord): Box | null | undefined {
  if (SILENT.has(record.kind)) return null;
  for (const name of stepNames(record)) {
    const box = BOXES.get(name);
    if (box !== undefined) return box;
  }
  // Tracepoints that no figure draws tell of work that has steps of its own.
  return record.kind === "tracepoint" ? null : undefined;
}
