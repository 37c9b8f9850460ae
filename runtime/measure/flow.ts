/**
 * Flows as the talk draws them: a trace, reduced to boxes in a guest's and a host's lane and the crossings between.
 *
 * Slides 7, 18, 20 and 22; which step is which box says the table in `flow_boxes.ts`. Linux acknowledges a timer interrupt
 * before it runs its timers, so the box of a handler stands where the handler begins, and appears once an interrupt.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";
import { type Box, boxOf, type Lane, stepNames } from "./flow_boxes.ts";

export type { Lane };

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

/** Reads the records of one processor into boxes and crossings; equal neighbours are one box, but for two interrupts. */
export class FlowReader {
  /** Oldest first. */
  readonly items: FlowItem[] = [];
  /** Steps that the table does not know, by their names there. */
  readonly unknown = new Set<string>();
  #inHandler = false;

  /** Of processor `where`: `cpu3`. */
  constructor(readonly where: string) {}

  /** Reads the next record. */
  read(record: TraceRecord): void {
    if (record.where !== this.where) return;
    const { kind, fields: { mode }, timeNs } = record;
    const box = boxOf(record);
    if (box === undefined) this.unknown.add(stepNames(record).at(-1)!);
    switch (kind) {
      case "interrupt":
        if (mode === "guest") this.#put("box", { lane: "guest", text: "interrupt" }, timeNs);
        this.#inHandler = true;
        break;
      case "injection":
        this.#inHandler = true;
        break;
      case "iret":
        this.#inHandler = false;
        break;
      case "work":
        if (mode !== "guest") break;
        if (!this.#inHandler) this.#put("box", box ?? GUEST_RUNS, timeNs); // also where nobody knows what it runs
        return;
    }
    if (box !== null && box !== undefined) this.#put("box", box, timeNs);
    if (kind === "exit") this.#put("crossing", { lane: "host", text: "VM exit" }, timeNs);
    if (kind === "entry") this.#put("crossing", { lane: "guest", text: "VM entry" }, timeNs);
  }

  #put(kind: FlowItem["kind"], { lane, text, separate }: Box, timeNs: number): void {
    const last = this.items.at(-1);
    if (separate || last?.text !== text || last.lane !== lane) this.items.push({ kind, lane, text, timeNs });
  }
}

const GUEST_RUNS: Box = { lane: "guest", text: "guest runs" };

/** The boxes of `records` on processor `where` (`cpu3`), oldest first; equal neighbours are one box. */
export function flowOf(records: readonly TraceRecord[], where: string): FlowItem[] {
  const reader = new FlowReader(where);
  for (const record of records) reader.read(record);
  return reader.items;
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
