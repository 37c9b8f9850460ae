/**
 * A trace, ordered for questions: what did a processor do at a time, for whom, and what made it.
 *
 * The records say when a step begins, when a context is switched, when an interrupt is requested and taken. Here they
 * become *slices*, the uninterrupted pieces of steps on one processor, each with the activity it belongs to; and
 * look-ups from an event to the processor on which it happened. The index holds no judgement about what matters.
 *
 * A *world* is what executes on a processor: the host's own CPU, `host.3`, or in guest mode a virtual CPU, `vm0.0`.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";

/** What a trace cannot know, because it was so before its first record. */
export interface Situation {
  /** The processors. */
  readonly cpus: readonly {
    /** Its number. */
    readonly id: number;
    /** It is in guest mode. */
    readonly guestMode: boolean;
    /** The virtual CPU that it runs in guest mode, or ran last: `vm0.0`. */
    readonly vcpu: string | null;
    /** The step in flight. */
    readonly inFlight: { readonly name: string; readonly layer: number } | null;
  }[];
  /** The running task of each world. */
  readonly tasks: ReadonlyMap<string, TaskName>;
  /** When the trace begins, ns. */
  readonly timeNs: number;
}

/** A task, as the scheduler's tracepoints name it. */
export interface TaskName {
  readonly name: string;
  /** 0: an idle task. */
  readonly pid: number;
}

/** An interrupt that was taken, or injected. */
export interface Handler {
  /** Index of the record at which it was taken. */
  readonly index: number;
  /** Where. */
  readonly cpu: number;
  /** Who handles it. */
  readonly world: string;
  /** Its vector. */
  readonly vector: number;
  /** It was written into the entry's field by software; otherwise it came through the local APIC. */
  readonly injected: boolean;
}

/** On whose behalf a processor works. */
export interface Activity {
  /** Who executes. */
  readonly world: string;
  /** The innermost handler that has not returned. */
  readonly handler: Handler | null;
  /** The task that is current, whose stack the handler stands on. */
  readonly task: TaskName | null;
  /** In root operation after an exit: its reason, and for an MSR its number; null once another task runs. */
  readonly exit: { readonly reason: number; readonly operand: number } | null;
}

/** A piece of a step that nothing interrupts. */
export interface Slice {
  readonly startNs: number;
  readonly endNs: number;
  readonly name: string;
  readonly layer: number;
  /** Of an instruction: its address operand, an MSR's number. */
  readonly address: number | null;
  readonly activity: Activity;
  /** Index of the record with which it began; -1: before the first. */
  readonly index: number;
}

/** A change of the running task. */
export interface Switch {
  readonly index: number;
  readonly cpu: number;
  readonly world: string;
  readonly prev: TaskName;
  readonly next: TaskName;
}

/** What is known of one processor while its records are read. */
interface Reading {
  guestMode: boolean;
  vcpu: string | null;
  exit: Activity["exit"];
  open:
    | { name: string; layer: number; ns: number; address: number | null; startNs: number; index: number }
    | null;
  activity: Activity | null;
}

/** Records of a whole trace: every event went through the queue, so each has its alarm's record. */
export class TraceIndex {
  /** Slices by processor, in order of time. */
  readonly slices: Slice[][] = [];
  /** Interrupts taken, in order. */
  readonly handlers: Handler[] = [];
  /** Task switches, in order. */
  readonly switches: Switch[] = [];
  /** Indices of the records of kind `request`. */
  readonly requests: number[] = [];
  /** Indices of tracepoints by name. */
  readonly #tracepoints = new Map<string, number[]>();
  /** The alarm's record of each event. */
  readonly #alarms = new Map<number, number>();
  readonly #activities: (Activity | null)[] = [];
  readonly #cpuOf: Int16Array;
  readonly #stacks = new Map<string, Handler[]>();
  readonly #first: ReadonlyMap<string, TaskName>;
  readonly #tasks: Map<string, TaskName>;
  readonly #readings: Reading[];

  /** @param records oldest first @param situation at the first of them */
  constructor(readonly records: readonly TraceRecord[], situation: Situation) {
    this.#first = situation.tasks;
    this.#tasks = new Map(situation.tasks);
    this.#cpuOf = new Int16Array(records.length).fill(-1);
    this.#readings = situation.cpus.map(({ guestMode, vcpu, inFlight }) => ({
      guestMode,
      vcpu,
      exit: null,
      open: inFlight === null
        ? null
        : { ...inFlight, ns: Infinity, address: null, startNs: situation.timeNs, index: -1 },
      activity: null,
    }));
    for (const { id } of situation.cpus) this.slices[id] = [];
    for (let cpu = 0; cpu < this.#readings.length; cpu++) this.#readings[cpu]!.activity = this.#look(cpu);
    let alarm: number | null = null;
    for (const [index, record] of records.entries()) {
      if (record.kind === "alarm") {
        this.#alarms.set(record.event, index);
        alarm = cpuNumber(record.name);
      }
      this.#read(index, record, alarm);
    }
    const last = records.at(-1);
    if (last !== undefined) { for (const cpu of this.slices.keys()) this.#close(cpu, last.timeNs); }
  }

  /** The processor whose software, or whose hardware, made record `index`; -1: none did. */
  cpuOf(index: number): number {
    return this.#cpuOf[index] ?? -1;
  }

  /** On whose behalf that processor was working then. */
  activityAt(index: number): Activity | null {
    return this.#activities[index] ?? null;
  }

  /** Index of the alarm with which event `event` began; undefined: it lies before the trace. */
  alarmOf(event: number): number | undefined {
    return this.#alarms.get(event);
  }

  /** The task that is current in `world` when record `index` is made. */
  taskAt(world: string, index: number): TaskName | undefined {
    return this.switches.findLast((s) => s.index < index && s.world === world)?.next ??
      this.#first.get(world);
  }

  /** Indices of the tracepoints of that name, in order. */
  tracepoints(name: string): readonly number[] {
    return this.#tracepoints.get(name) ?? [];
  }

  #read(index: number, record: TraceRecord, alarmCpu: number | null): void {
    const { kind, name, fields, timeNs, where } = record;
    const place = kind === "request" ? Number(where.slice("lapic".length)) : cpuNumber(where);
    const cpu = kind === "tracepoint" ? alarmCpu ?? place : place; // software may tell of another processor than its own
    if (cpu === null) return;
    this.#cpuOf[index] = cpu;
    const reading = this.#readings[cpu];
    if (reading === undefined) return;
    this.#activities[index] = reading.activity;
    switch (kind) {
      case "work":
      case "transition":
      case "instruction": {
        this.#close(cpu, timeNs);
        const address = kind === "instruction" ? Number(fields.address) : null;
        reading.open = {
          name,
          layer: Number(fields.layer),
          ns: Number(fields.ns),
          address,
          startNs: timeNs,
          index,
        };
        return;
      }
      case "entry":
        this.#close(cpu, timeNs);
        reading.guestMode = true;
        reading.exit = null;
        break;
      case "exit":
        this.#close(cpu, timeNs);
        reading.guestMode = false;
        reading.exit = { reason: Number(fields.reason), operand: Number(fields.operand) };
        break;
      case "interrupt":
      case "injection": {
        this.#close(cpu, timeNs);
        const world = this.#world(cpu);
        const handler = { index, cpu, world, vector: Number(fields.vector), injected: kind === "injection" };
        this.handlers.push(handler);
        this.#stack(world).push(handler);
        break;
      }
      case "iret":
        this.#stack(this.#world(cpu)).pop();
        break;
      case "request":
        this.requests.push(index);
        return;
      case "tracepoint":
        this.#tracepoint(index, record, cpu);
        break;
      default:
        return;
    }
    reading.activity = this.#look(cpu);
  }

  #tracepoint(index: number, { name, fields }: TraceRecord, cpu: number): void {
    const list = this.#tracepoints.get(name);
    if (list === undefined) this.#tracepoints.set(name, [index]);
    else list.push(index);
    const reading = this.#readings[cpu]!;
    if (name === "kvm_entry") reading.vcpu = String(fields.vcpu);
    if (name !== "sched_switch") return;
    const world = this.#world(cpu);
    const prev = { name: String(fields.prev_comm), pid: Number(fields.prev_pid) };
    const next = { name: String(fields.next_comm), pid: Number(fields.next_pid) };
    this.switches.push({ index, cpu, world, prev, next });
    this.#tasks.set(world, next);
    if (!reading.guestMode) reading.exit = null;
  }

  /** Ends the step in flight on `cpu`: by itself, or because something else begins. */
  #close(cpu: number, nowNs: number): void {
    const reading = this.#readings[cpu]!;
    const { open } = reading;
    if (open === null) return;
    reading.open = null;
    const endNs = Math.min(open.startNs + open.ns, nowNs);
    if (endNs <= open.startNs) return;
    const { startNs, name, layer, address, index } = open;
    const activity = index < 0 ? this.#look(cpu) : this.#activities[index]!;
    this.slices[cpu]!.push({ startNs, endNs, name, layer, address, activity, index });
  }

  #world(cpu: number): string {
    const { guestMode, vcpu } = this.#readings[cpu]!;
    return guestMode ? vcpu ?? `guest on cpu${cpu}` : `host.${cpu}`;
  }

  /** Handlers stand on the stack of the task that they interrupted: switching away from it puts them aside. */
  #stack(world: string): Handler[] {
    const pid = this.#tasks.get(world)?.pid ?? 0;
    const key = pid === 0 ? world : `${machineOf(world)} ${pid}`; // a task takes its stack along to another processor
    let stack = this.#stacks.get(key);
    if (stack === undefined) this.#stacks.set(key, stack = []);
    return stack;
  }

  #look(cpu: number): Activity {
    const world = this.#world(cpu);
    const { exit, guestMode } = this.#readings[cpu]!;
    return {
      world,
      handler: this.#stack(world).at(-1) ?? null,
      task: this.#tasks.get(world) ?? null,
      exit: guestMode ? null : exit,
    };
  }
}

/** `vm0.1` → `vm0`: whose processor a world is. */
export function machineOf(world: string): string {
  const dot = world.lastIndexOf(".");
  return dot < 0 ? world : world.slice(0, dot);
}

/** `cpu3` → 3. */
function cpuNumber(name: string): number | null {
  const match = /^cpu(\d+)$/.exec(name);
  return match === null ? null : Number(match[1]);
}
