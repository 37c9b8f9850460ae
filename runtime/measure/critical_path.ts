/**
 * The critical path of one latency sample: from the point in time that a task asked for to its reading of the clock,
 * every nanosecond is given to the piece of work, on whichever processor, that the sample waited for just then.
 *
 * The path is walked backward, from effect to cause. A task runs because it was switched to; it was switched to because
 * it had been woken; it was woken by a handler; the handler runs because its interrupt was requested, by a timer or by
 * a message; a message was sent by software on another processor, and an injected interrupt accepted by software: there
 * the walk goes on. What a processor does between a cause and its effect belongs to the sample, whether it serves it or
 * stands in its way; what it does before, while another processor has the matter in hand, does not. So the parts follow
 * each other without gap or overlap, and their sum is the latency, exactly.
 *
 * A timer that was set before the sample began may still ring late: its delay was computed first and counted from the
 * end of the register write, which may exit. That time has been spent, step by step, when the timer was set; it is
 * given to those steps (`late`), in the order in which they were done.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";
import {
  type Activity,
  type Handler,
  machineOf,
  type Situation,
  type Slice,
  type Switch,
  TraceIndex,
} from "./trace_index.ts";

/** What a part of a sample is made of. */
export type PartKind =
  /** A step that serves the sample. */
  | "work"
  /** A step of something else, which the sample has to wait for. */
  | "wait"
  /** A step that was done when the timer was set, and by which the timer rings late. */
  | "late"
  /** A step of something else, for which the setting of the timer had to wait. */
  | "late wait"
  /** A timer counts. */
  | "timer"
  /** A message is on its way between processors, or from a device. */
  | "message"
  /** The processor does nothing, and no cause is known. */
  | "idle";

/** A part of a sample. */
export interface Part {
  readonly kind: PartKind;
  /** Since the sample's expiry, ns. */
  readonly startNs: number;
  readonly ns: number;
  /** The processor. */
  readonly cpu: number;
  /** Whose time it is; the hardware's (0) where no step is done. */
  readonly layer: number;
  /** The step; of a message what it requests: `0xfd`, `NMI`; "" where the processor does nothing. */
  readonly name: string;
  /** An instruction's address operand. */
  readonly address: number | null;
  /** On whose behalf. */
  readonly activity: Activity | null;
  /** The event with which it began; 0: before the trace. */
  readonly event: number;
}

/** The hardware's own layer. */
const HARDWARE = 0;
/** What a kernel does beside the work at hand; such a step is waiting even inside a handler on the path. */
const BESIDE = / section$|^slow handler$/;
/** Initial count of the local APIC's timer, as KVM's tracepoint calls it. */
const TIMER_COUNT = "APIC_TMICT";

/**
 * The parts of the sample that asked for `expiryNs` and was taken in the last event of `records`, oldest first.
 *
 * @param records from before the expiry; the earlier they begin, the more causes are known @param situation at the first
 */
export function criticalPath(
  records: readonly TraceRecord[],
  situation: Situation,
  expiryNs: number,
): Part[] {
  const walk = new Walk(new TraceIndex(records, situation), expiryNs);
  walk.fromEnd();
  return walk.inOrder();
}

/** Steps by which a timer was set. */
interface Setting {
  readonly cpu: number;
  /** When the delay was computed. */
  readonly beginNs: number;
  /** From when on the timer counts. */
  readonly endNs: number;
  /** Software did it after an exit: others may have come in between. */
  readonly emulated: boolean;
}

class Walk {
  /** From here on, in time, everything has been given to parts. */
  #atNs: number;
  readonly #parts: (Part & { slice: Slice | null })[] = [];
  /** Handlers and tasks on the path; what others do is waiting. */
  readonly #handlers = new Set<Handler>();
  readonly #tasks = new Set<string>();
  /** The virtual CPU whose timer is at the bottom of the path. */
  #vcpu: string | null = null;
  /** Register writes that set the timer themselves. */
  readonly #native = new Set<Slice>();
  /** Where the walk stands among the records: it must get nearer to their beginning. */
  #index: number;
  /** Requests that ended a sleep and have been followed; each is once. */
  readonly #followed = new Set<number>();

  constructor(readonly trace: TraceIndex, readonly expiryNs: number) {
    this.#index = trace.records.length;
    this.#atNs = trace.records.at(-1)?.timeNs ?? expiryNs;
  }

  /** Walks from the last record: its processor runs the task that has read the clock. */
  fromEnd(): void {
    const last = this.trace.records.length - 1;
    const cpu = this.trace.cpuOf(last);
    if (cpu >= 0) this.#software(cpu, last);
  }

  /** The parts, oldest first. */
  inOrder(): Part[] {
    return this.#parts.reverse().map(({ slice, ...part }) =>
      slice !== null && !(part.kind === "late" && this.#native.has(slice)) && this.#foreign(slice)
        ? { ...part, kind: part.kind === "late" ? "late wait" : "wait" }
        : part
    );
  }

  /** Whether a slice stands in the sample's way: another's handler, another's task, or what a kernel does beside it. */
  #foreign({ name, activity: { handler, task, world } }: Slice): boolean {
    if (BESIDE.test(name)) return true;
    if (handler !== null) return !this.#handlers.has(handler);
    return task !== null && task.pid !== 0 && !this.#tasks.has(`${machineOf(world)} ${task.pid}`);
  }

  // ---- causes ----

  /** What `cpu` does at record `index` matters: why does it do it? */
  #software(cpu: number, index: number): void {
    if (!this.#nearer(index)) return this.#rest(cpu);
    const activity = this.trace.activityAt(index);
    if (activity?.handler) this.#handler(activity.handler);
    else this.#task(cpu, activity?.world ?? "", index);
  }

  /** The task of `world` runs on `cpu` at record `index`: because it was switched to, because it was woken. */
  #task(cpu: number, world: string, index: number): void {
    const here = this.#lastSwitch(cpu, world, index);
    this.#serves(world, index);
    this.#serves(`host.${cpu}`, index); // in guest mode: the thread of the virtual CPU
    if (here === undefined || here.next.pid === 0) return this.#rest(cpu);
    const { wake, left } = this.#readiness(here);
    if (wake !== undefined) {
      if (this.#back(cpu, here.index, wake)) this.#software(this.trace.cpuOf(wake), wake);
    } else if (left !== undefined) {
      // It was preempted and has waited since: then it is what it did before that counts.
      if (!this.#back(cpu, here.index, left.index)) return;
      if (this.#nearer(left.index)) this.#task(left.cpu, left.world, left.index);
      else this.#rest(left.cpu);
    } else this.#rest(cpu);
  }

  /** A handler runs because its interrupt was requested, or injected after somebody had accepted it. */
  #handler(handler: Handler): void {
    const { cpu, index, world } = handler;
    if (!this.#nearer(index)) return this.#rest(cpu);
    this.#handlers.add(handler);
    if (!handler.injected) {
      const request = this.#requestOf(handler);
      if (request === undefined) return this.#rest(cpu);
      if (this.#back(cpu, index, request)) this.#requested(request);
      return;
    }
    this.#vcpu = world;
    const accepted = this.#acceptedFor(handler);
    const thread = this.#lastSwitch(cpu, `host.${cpu}`, index);
    const woken = thread === undefined ? undefined : this.#readiness(thread).wake;
    if (accepted === undefined || (woken !== undefined && this.#eventOf(woken) >= this.#eventOf(accepted))) {
      return this.#task(cpu, `host.${cpu}`, index); // the virtual CPU's thread had to be woken for it
    }
    this.#serves(`host.${cpu}`, index);
    if (this.#back(cpu, index, accepted)) this.#software(this.trace.cpuOf(accepted), accepted);
  }

  /** An interrupt was requested at record `index`: by a timer that was set, or a message that was sent. */
  #requested(index: number): void {
    const { records } = this.trace;
    const { cause, fields, name } = records[index]!;
    const cpu = this.trace.cpuOf(index);
    const isTimer = fields.by === "timer";
    const sent = this.trace.alarmOf(cause);
    const sentNs = sent === undefined ? -Infinity : records[sent]!.timeNs;
    const write = sent === undefined ? undefined : this.#endingAt(cpu, sentNs);
    if (isTimer) {
      const virtual = this.#virtualWrite(index);
      if (virtual !== undefined && virtual.beginNs <= this.expiryNs) {
        // The processor's timer may have been set anew since; it rings when the virtual one says so.
        const lateNs = virtual.endNs - virtual.beginNs + (write?.ns ?? 0);
        if (sentNs <= this.expiryNs || this.#atNs - this.expiryNs <= lateNs) return this.#late(cpu, virtual);
      }
      if (sentNs <= this.expiryNs) return this.#late(cpu, write);
    }
    this.#give(isTimer ? "timer" : "message", cpu, Math.max(sentNs, this.expiryNs), null, name);
    if (sent === undefined || this.#done) return;
    const sender = this.trace.cpuOf(sent);
    if (sender < 0) this.#rest(cpu); // a device
    else this.#software(sender, sent);
  }

  /** The timer of `cpu` was set in time, by the steps `setting`, and has rung late. */
  #late(cpu: number, setting: Setting | undefined): void {
    if (setting !== undefined) {
      const slices = this.trace.slices[setting.cpu] ?? [];
      const shift = this.#atNs - setting.endNs;
      let last = slices.findLastIndex(({ startNs }) => startNs < setting.endNs);
      for (; last >= 0 && !this.#done; last--) {
        const slice = slices[last]!;
        if (slice.endNs <= setting.beginNs) break;
        this.#give("late", setting.cpu, Math.max(slice.startNs, setting.beginNs) + shift, slice);
        if (!setting.emulated) this.#native.add(slice);
      }
    }
    this.#give("timer", cpu, this.expiryNs, null);
  }

  /**
   * The last emulated write of the virtual timer at the bottom of the path, before record `index`. The timer counts from
   * the write's end; the guest had computed the delay before the exit.
   */
  #virtualWrite(index: number): Setting | undefined {
    if (this.#vcpu === null) return undefined;
    const { records } = this.trace;
    const written = this.trace.tracepoints("kvm_apic").findLast((i) =>
      i < index && records[i]!.fields.reg === TIMER_COUNT && this.#worldEntered(i) === this.#vcpu
    );
    if (written === undefined) return undefined;
    const cpu = this.trace.cpuOf(written), endNs = records[written]!.timeNs;
    const exit = records.findLastIndex((record, i) =>
      i < written && record.kind === "exit" && this.trace.cpuOf(i) === cpu
    );
    return exit < 0 ? undefined : { cpu, beginNs: records[exit]!.timeNs, endNs, emulated: true };
  }

  /** The step of `cpu` that ends at `endNs`: a register write. */
  #endingAt(cpu: number, endNs: number): (Setting & { ns: number }) | undefined {
    const slice = this.trace.slices[cpu]?.find((each) => each.endNs === endNs);
    if (slice === undefined) return undefined;
    return { cpu, beginNs: slice.startNs, endNs, emulated: false, ns: endNs - slice.startNs };
  }

  // ---- look-ups ----

  /** The task that runs in `world` at record `index` is on the path. */
  #serves(world: string, index: number): void {
    const task = this.trace.taskAt(world, index);
    if (task !== undefined) this.#tasks.add(`${machineOf(world)} ${task.pid}`);
  }

  #lastSwitch(cpu: number, world: string, before: number): Switch | undefined {
    return this.trace.switches.findLast((s) => s.index < before && s.cpu === cpu && s.world === world);
  }

  /** Since when the task of a switch had been ready: woken at record `wake`, or preempted at switch `left`. */
  #readiness({ index, world, next }: Switch): { wake?: number; left?: Switch } {
    const { records, switches } = this.trace;
    const machine = machineOf(world);
    const left = switches.findLast((s) =>
      s.index < index && s.prev.pid === next.pid && machineOf(s.world) === machine
    );
    const wake = this.trace.tracepoints("sched_wakeup").findLast((i) =>
      i < index && i > (left?.index ?? -1) && records[i]!.fields.pid === next.pid &&
      machineOf(this.trace.activityAt(i)?.world ?? "") === machine
    );
    return { ...(wake === undefined ? {} : { wake }), ...(left === undefined ? {} : { left }) };
  }

  /** The request that made the interrupt pending: the first since the same one was last taken. */
  #requestOf({ cpu, vector, index }: Handler): number | undefined {
    const before = this.trace.handlers.findLast((h) =>
      h.index < index && h.cpu === cpu && h.vector === vector && !h.injected
    );
    return this.trace.requests.find((i) =>
      i < index && i > (before?.index ?? -1) && this.trace.cpuOf(i) === cpu &&
      this.trace.records[i]!.fields.vector === vector
    );
  }

  /** What handles the interrupt that was requested at record `request`. */
  #handlerOf(request: number): Handler | undefined {
    const cpu = this.trace.cpuOf(request), { vector } = this.trace.records[request]!.fields;
    return this.trace.handlers.find((h) =>
      h.index > request && h.cpu === cpu && h.vector === vector && !h.injected
    );
  }

  /** The first message to `cpu`, before record `index`, that `origin` has sent in event `event` or later. */
  #messageFrom(origin: number, event: number, cpu: number, index: number): number | undefined {
    const { records, requests } = this.trace;
    return requests.find((i) => {
      const { cause, fields } = records[i]!;
      const sent = this.trace.alarmOf(cause);
      return i < index && cause >= event && sent !== undefined && fields.by === "message" &&
        this.trace.cpuOf(i) === cpu && this.trace.cpuOf(sent) === origin;
    });
  }

  /** When software accepted an injected interrupt for its virtual CPU: the first time since it was last injected. */
  #acceptedFor({ world, vector, index }: Handler): number | undefined {
    const before = this.trace.handlers.findLast((h) =>
      h.index < index && h.world === world && h.vector === vector && h.injected
    );
    return this.trace.tracepoints("kvm_apic_accept_irq").find((i) => {
      const { fields } = this.trace.records[i]!;
      return i < index && i > (before?.index ?? -1) && fields.vcpu === world && fields.vec === vector;
    });
  }

  /** The virtual CPU that the processor of record `index` had entered last. */
  #worldEntered(index: number): string | null {
    const cpu = this.trace.cpuOf(index);
    const entry = this.trace.tracepoints("kvm_entry").findLast((i) =>
      i < index && this.trace.cpuOf(i) === cpu
    );
    return entry === undefined ? this.#vcpu : String(this.trace.records[entry]!.fields.vcpu);
  }

  #eventOf(index: number): number {
    return this.trace.records[index]!.event;
  }

  // ---- time ----

  get #done(): boolean {
    return this.#atNs <= this.expiryNs;
  }

  /** Steps to record `index`; false where that is no step back, so the walk would not end. */
  #nearer(index: number): boolean {
    if (index >= this.#index) return false;
    this.#index = index;
    return true;
  }

  /**
   * Gives the time before now back to record `to` to what `cpu` did. Where that record was made on another processor
   * and a message came from there, the processor's own time counts from the message's arrival only.
   *
   * @returns false where the walk went another way: the end has been reached, or the processor slept until it was woken
   */
  #back(cpu: number, index: number, to: number): boolean {
    const { records } = this.trace;
    const origin = this.trace.cpuOf(to), toNs = records[to]!.timeNs;
    if (records[to]!.kind !== "request" && origin !== cpu) {
      const request = this.#messageFrom(origin, this.#eventOf(to), cpu, index);
      if (request !== undefined) {
        const handler = this.#handlerOf(request);
        if (handler !== undefined) this.#handlers.add(handler);
        if (!this.#occupy(cpu, records[request]!.timeNs)) return false;
        const sent = this.trace.alarmOf(records[request]!.cause)!;
        this.#give("message", cpu, records[sent]!.timeNs, null, records[request]!.name);
        return !this.#done && this.#occupy(origin, toNs);
      }
    }
    return this.#occupy(cpu, toNs);
  }

  /** Gives the time back to `toNs` to the slices of `cpu`; where it slept, the walk follows what woke it. */
  #occupy(cpu: number, toNs: number): boolean {
    const slices = this.trace.slices[cpu] ?? [];
    let i = slices.findLastIndex(({ startNs }) => startNs < this.#atNs);
    while (this.#atNs > toNs && !this.#done) {
      const slice = slices[i];
      if (slice !== undefined && slice.endNs >= this.#atNs) {
        this.#give("work", cpu, Math.max(slice.startNs, toNs), slice);
        i--;
        continue;
      }
      const woken = this.#wokenBy(cpu);
      if (woken !== undefined && !this.#followed.has(woken)) {
        this.#followed.add(woken);
        this.#index = woken;
        this.#requested(woken);
        return false;
      }
      this.#give("idle", cpu, Math.max(slice?.endNs ?? -Infinity, toNs), null);
    }
    return !this.#done;
  }

  /** The request that ended the sleep of `cpu` which ends now. */
  #wokenBy(cpu: number): number | undefined {
    const { records, requests } = this.trace;
    return requests.findLast((i) => records[i]!.timeNs === this.#atNs && this.trace.cpuOf(i) === cpu);
  }

  /** No further cause is known: the time before belongs to what the processor did. */
  #rest(cpu: number): void {
    this.#occupy(cpu, this.expiryNs);
  }

  /** Gives the time from `fromNs`, not before the expiry, up to now. */
  #give(kind: PartKind, cpu: number, fromNs: number, slice: Slice | null, name = ""): void {
    const startNs = Math.max(fromNs, this.expiryNs);
    const ns = this.#atNs - startNs;
    if (ns <= 0) return;
    this.#atNs = startNs;
    this.#parts.push({
      kind,
      startNs: startNs - this.expiryNs,
      ns,
      cpu,
      layer: slice?.layer ?? HARDWARE,
      name: slice?.name ?? name,
      address: slice?.address ?? null,
      activity: slice?.activity ?? null,
      event: slice === null || slice.index < 0 ? 0 : this.trace.records[slice.index]!.event,
      slice,
    });
  }
}
