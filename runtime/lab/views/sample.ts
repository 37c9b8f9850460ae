/**
 * A sample that has been looked at, as text and as data: its parts in order of time, and its layers' shares.
 *
 * @module
 */

import { Apic, apicRegisterName, x2apicOffset } from "../../../hw/lapic.ts";
import { ExitReason } from "../../../hw/vmx.ts";
import { LAYER_NAMES } from "../../linux/layers.ts";
import { Vector } from "../../linux/irq/vectors.ts";
import type { Part, PartKind } from "../../measure/critical_path.ts";
import { tableLines } from "../../measure/table.ts";
import type { WatchedSample } from "../sample_watch.ts";
import { exitReasonName } from "./exits.ts";

/** Parts that follow each other on one processor, in one layer and for one cause. */
export interface PartGroup {
  readonly kind: PartKind;
  /** Since the expiry, ns. */
  readonly startNs: number;
  readonly ns: number;
  readonly cpu: number;
  readonly layer: string;
  /** The steps, in order, each once. */
  readonly what: string;
  /** On whose behalf: an interrupt, an exit, a task. */
  readonly cause: string;
  /** The event with which it began; 0: not known. */
  readonly event: number;
}

/** The parts of a sample in groups. */
export function groupsOf(parts: readonly Part[]): PartGroup[] {
  const groups: (PartGroup & { steps: string[] })[] = [];
  for (const part of parts) {
    const { kind, startNs, ns, cpu, event } = part;
    const layer = LAYER_NAMES[part.layer] ?? String(part.layer);
    const cause = causeText(part), step = stepText(part);
    const last = groups.at(-1);
    if (last?.kind === kind && last.cpu === cpu && last.layer === layer && last.cause === cause) {
      const steps = last.steps.includes(step) ? last.steps : [...last.steps, step];
      groups[groups.length - 1] = { ...last, ns: last.ns + ns, steps, what: whatText(kind, steps) };
    } else {
      groups.push({
        kind,
        startNs,
        ns,
        cpu,
        layer,
        cause,
        event,
        steps: [step],
        what: whatText(kind, [step]),
      });
    }
  }
  return groups.map(({ steps: _, ...group }) => group);
}

/** How much of a sample each layer has, ns; those with nothing are left out. */
export function layersOf(parts: readonly Part[]): [layer: string, ns: number][] {
  return LAYER_NAMES
    .map((
      name,
      layer,
    ): [string, number] => [name, parts.reduce((sum, p) => p.layer === layer ? sum + p.ns : sum, 0)])
    .filter(([, ns]) => ns > 0);
}

/** Something that a sample waited for. */
export interface Wait {
  /** The step. */
  readonly what: string;
  /** Whose time it was. */
  readonly layer: string;
  readonly ns: number;
  /** In how many pieces. */
  readonly pieces: number;
  /** It came in between when the timer was set, which rings late by it. */
  readonly atSetting: boolean;
}

/** What a sample waited for, the longest first. */
export function waitsOf(parts: readonly Part[]): Wait[] {
  const waits = new Map<string, Wait>();
  for (const part of parts) {
    if (!isWait(part)) continue;
    const atSetting = part.kind === "late wait";
    const what = stepText(part), layer = LAYER_NAMES[part.layer] ?? String(part.layer);
    const key = `${what}, ${layer}, ${atSetting}`;
    const { ns, pieces } = waits.get(key) ?? { ns: 0, pieces: 0 };
    waits.set(key, { what, layer, ns: ns + part.ns, pieces: pieces + 1, atSetting });
  }
  return [...waits.values()].sort((a, b) => b.ns - a.ns);
}

/** Whether a part is somebody else's. */
export function isWait({ kind }: Pick<Part, "kind">): boolean {
  return kind === "wait" || kind === "late wait";
}

/** `152.031 us = 1.020 hardware + 136.900 host kernel + …`: whole ns, so the sum is exact. */
export function sumText({ latencyNs, parts }: Pick<WatchedSample, "latencyNs" | "parts">): string {
  const sum = layersOf(parts).map(([name, ns]) => `${microseconds(ns)} ${name}`).join(" + ");
  return `${microseconds(latencyNs)} us = ${sum}`;
}

/** So many rows of waiting without a break are shown one by one; more are summed up by step. */
const WAIT_ROWS = 8;

/** Groups as rows of a table: a long wait that was interrupted again and again is a row for each kind of step. */
function folded(parts: readonly Part[]): PartGroup[] {
  const rows: PartGroup[] = [];
  for (let i = 0; i < parts.length;) {
    let end = i;
    const waits = parts[i]!.kind === "wait";
    while (end < parts.length && (parts[end]!.kind === "wait") === waits) end++;
    const run = parts.slice(i, end), groups = groupsOf(run);
    if (!waits || groups.length <= WAIT_ROWS) rows.push(...groups);
    else {
      for (const { what, layer, ns, pieces } of waitsOf(run)) {
        const first = run.find((part) => stepText(part) === what && LAYER_NAMES[part.layer] === layer)!;
        const { startNs, cpu, event } = first;
        const cause = pieces === 1 ? causeText(first) : `${pieces} times`;
        rows.push({ kind: "wait", startNs, ns, cpu, layer, what: `waits: ${what}`, cause, event });
      }
    }
    i = end;
  }
  return rows;
}

/** The parts as a table, then what each layer has, then what was waited for. */
export function sampleTable({ latencyNs, parts }: WatchedSample): string[] {
  const rows = folded(parts).map(({ startNs, ns, cpu, layer, what, cause, event }) => [
    microseconds(startNs),
    ns,
    `cpu${cpu}`,
    layer,
    what,
    cause,
    event === 0 ? undefined : event,
  ]);
  const lines = tableLines(
    [
      { title: "us" },
      { title: "ns" },
      { title: "where", align: "left" },
      { title: "layer", align: "left" },
      { title: "what", align: "left" },
      { title: "for", align: "left" },
      { title: "event" },
    ],
    rows,
  );
  const shares = tableLines(
    [{ title: "layer", align: "left" }, { title: "ns" }, { title: "%" }],
    [...layersOf(parts), ["sum", latencyNs] as const].map(([name, ns]) => [
      name,
      ns,
      ((100 * ns) / latencyNs).toFixed(1),
    ]),
  );
  const waits = waitsOf(parts).map(({ what, layer, ns, atSetting }) =>
    `waits: ${what} ${microseconds(ns)} us, ${layer}${atSetting ? ", when the timer was set" : ""}`
  );
  return [...lines, "", ...shares, ...(waits.length > 0 ? ["", ...waits] : [])];
}

/** ns as µs with all their digits. */
export function microseconds(ns: number): string {
  return (ns / 1000).toFixed(3);
}

/** What a row says, before its steps. */
const BEFORE: Readonly<Partial<Record<PartKind, string>>> = {
  "wait": "waits: ",
  "late": "timer set late: ",
  "late wait": "timer set late, waits: ",
};

function whatText(kind: PartKind, steps: readonly string[]): string {
  return (BEFORE[kind] ?? "") + steps.join(", ");
}

/** `hrtimerWake` → `hrtimer wake`; an instruction's register by its name. */
function stepText({ kind, name, address, cpu }: Part): string {
  if (kind === "message") return `${vectorText(name)} on its way to cpu${cpu}`;
  if (kind === "timer") return "timer counts";
  if (kind === "idle") return "nothing";
  if (name === "vmentry") return "VM entry";
  const register = address === null ? null : registerText(name, address);
  if (register !== null) return register;
  return name.replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
}

/** A register access, by what it does. */
function registerText(instruction: string, address: number): string | null {
  const writes = instruction === "wrmsr" || instruction === "store";
  if (!writes && instruction !== "rdmsr" && instruction !== "load") return null;
  const offset = address >= 0x800 && address < 0x900 ? x2apicOffset(address) : address & 0xfff;
  if (writes && offset === Apic.ICR) return "send IPI";
  return `${writes ? "write" : "read"} ${apicRegisterName(offset)}`;
}

/** On whose behalf a part was done. */
function causeText({ kind, activity }: Part): string {
  if (activity === null) return kind === "timer" ? "timer" : "";
  const { exit, handler, task, world } = activity;
  if (handler !== null) {
    return `${vectorText(handler.vector === 2 ? "NMI" : `0x${handler.vector.toString(16)}`)}, ${world}`;
  }
  if (exit !== null) return `exit: ${exitText(exit.reason, exit.operand)}`;
  return task === null ? world : `${task.name}, ${world}`;
}

function exitText(reason: number, operand: number): string {
  const isApic = operand >= 0x800 && operand < 0x900;
  if (reason === ExitReason.ExceptionOrNmi) return "NMI";
  if ((reason === ExitReason.MsrWrite || reason === ExitReason.MsrRead) && isApic) {
    return `${exitReasonName(reason)} ${apicRegisterName(x2apicOffset(operand))}`;
  }
  return exitReasonName(reason);
}

/** What a vector of Linux is for. */
const VECTORS: ReadonlyMap<string, string> = new Map([
  [hex(Vector.LocalTimer), "timer interrupt"],
  [hex(Vector.Reschedule), "reschedule interrupt"],
  [hex(Vector.CallFunctionSingle), "function-call interrupt"],
]);

function hex(vector: number): string {
  return `0x${vector.toString(16)}`;
}

function vectorText(name: string): string {
  return VECTORS.get(name) ?? (name === "NMI" ? name : `interrupt ${name}`);
}
