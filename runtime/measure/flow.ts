/**
 * Flows as the talk draws them: a trace, reduced to boxes in a guest's and a host's lane and the crossings between.
 *
 * Slides 7, 18, 20 and 22. Linux acknowledges a timer interrupt before it runs its timers, so the box of a handler
 * stands where the handler begins, and appears once an interrupt.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";

/** Who works in a box; a crossing belongs to the lane it leads to. */
export type Lane = "guest" | "host";

/** A box of work or a crossing between the lanes. */
export interface FlowItem {
  /** `crossing`: a VM exit or entry. */
  readonly kind: "box" | "crossing";
  /** Whose lane. */
  readonly lane: Lane;
  /** What the slide calls it. */
  readonly text: string;
  /** When it begins, ns. */
  readonly timeNs: number;
}

/** x2APIC MSRs of the registers that the slides name (SDM vol. 3A, "x2APIC Register Address Space"). */
const EOI = 0x80b;
const TMICT = 0x838;
/** Linux's vector of the local APIC timer. */
const LOCAL_TIMER = 0xef;
/** Exit reasons. */
const EXTERNAL_INTERRUPT = 1;
const HLT = 12;
const MSR_WRITE = 32;
const NMI = 0;

/** KVM's steps that emulate an access to the local APIC. */
const APIC_EMULATION = new Set(["eoiHandle", "timerWriteHandle", "msrHandle", "mmioHandle"]);

/** Reads the records of one processor into boxes and crossings; equal neighbours are one box, but for two interrupts. */
export class FlowReader {
  /** Oldest first. */
  readonly items: FlowItem[] = [];
  #inHandler = false;

  /** Of processor `where`: `cpu3`. */
  constructor(readonly where: string) {}

  /** Reads the next record. */
  read(record: TraceRecord): void {
    if (record.where !== this.where) return;
    const { kind, name, fields, timeNs } = record;
    const lane: Lane = fields.mode === "guest" ? "guest" : "host";
    switch (kind) {
      case "exit":
        if (fields.reason === MSR_WRITE) this.#put("box", "guest", access(fields.operand), timeNs);
        if (fields.reason === EXTERNAL_INTERRUPT) this.#put("box", "guest", "interrupt", timeNs);
        if (fields.reason === HLT) this.#put("box", "guest", "HLT", timeNs);
        if (fields.reason === NMI) this.#put("box", "guest", "NMI", timeNs);
        this.#put("crossing", "host", "VM exit", timeNs);
        break;
      case "entry":
        this.#put("crossing", "guest", "VM entry", timeNs);
        break;
      case "tracepoint":
        if (name === "kvm_inj_virq") this.#put("box", "host", "vIRQ injection", timeNs);
        if (name === "kvm_set_direct_interrupt") {
          this.#put(
            "box",
            "host",
            fields.enabled === true ? "re-enable direct EOI" : "disable direct EOI",
            timeNs,
          );
        }
        break;
      case "injection":
        this.#put("box", "guest", handler(fields.vector), timeNs, true);
        this.#inHandler = true;
        break;
      case "interrupt":
        if (lane === "guest") this.#put("box", "guest", "interrupt", timeNs);
        this.#put("box", lane, handler(fields.vector), timeNs, true);
        this.#inHandler = true;
        break;
      case "iret":
        this.#inHandler = false;
        break;
      case "instruction":
        if (lane === "guest" && name === "hlt") this.#put("box", "guest", "HLT", timeNs);
        if (lane === "guest" && name === "wrmsr") {
          this.#put("box", "guest", access(fields.address, true), timeNs);
        }
        break;
      case "work":
        if (APIC_EMULATION.has(name)) this.#put("box", "host", "emulate APIC access", timeNs);
        else if (lane === "guest" && !this.#inHandler) this.#put("box", "guest", "guest runs", timeNs);
        break;
    }
  }

  #put(kind: FlowItem["kind"], lane: Lane, text: string, timeNs: number, isAnother = false): void {
    const last = this.items.at(-1);
    if (isAnother || last?.text !== text || last.lane !== lane) this.items.push({ kind, lane, text, timeNs });
  }
}

/** The boxes of `records` on processor `where` (`cpu3`), oldest first; equal neighbours are one box. */
export function flowOf(records: readonly TraceRecord[], where: string): FlowItem[] {
  const reader = new FlowReader(where);
  for (const record of records) reader.read(record);
  return reader.items;
}

/** What a guest's write of an APIC register is called. */
function access(msr: unknown, native = false): string {
  if (msr === EOI) return native ? "direct EOI" : "EOI";
  if (msr === TMICT) return "set APIC timer";
  return "APIC access";
}

/** What the handler of a vector is called. */
function handler(vector: unknown): string {
  return vector === LOCAL_TIMER ? "timer handler" : "IRQ handler";
}

/** How many VM exits a flow has. */
export function exitsOf(items: readonly FlowItem[]): number {
  return items.filter(({ kind, lane }) => kind === "crossing" && lane === "host").length;
}

/** The part of a flow from its first box called `text` up to the next one; empty where there are not two. */
export function periodOf(items: readonly FlowItem[], text: string): FlowItem[] {
  const from = items.findIndex((item) => item.text === text);
  const to = items.findIndex((item, i) => i > from && item.text === text);
  return from < 0 || to < 0 ? [] : items.slice(from, to);
}

/**
 * A flow without the exits that concern the host alone: an interrupt that ends in no injection is one of its own
 * timers or devices, and the talk's figures leave it out.
 *
 * @returns the rest, and how many exits were taken out
 */
export function withoutHostInterrupts(items: readonly FlowItem[]): { items: FlowItem[]; removed: number } {
  const rest: FlowItem[] = [];
  let removed = 0;
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!;
    if (item.text === "interrupt" && items[i + 1]?.text === "VM exit") {
      const entry = items.findIndex(({ text }, at) => at > i && text === "VM entry");
      if (entry > 0 && !items.slice(i, entry).some(({ text }) => text === "vIRQ injection")) {
        i = entry;
        removed++;
        continue;
      }
    }
    const last = rest.at(-1);
    if (last?.text !== item.text || last.lane !== item.lane) rest.push(item);
  }
  return { items: rest, removed };
}
