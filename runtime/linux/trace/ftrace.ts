/**
 * ftrace: events of a kernel in a ring buffer, and the files that it is driven by.
 *
 * *Document*: Linux 3.5 and 6.18 `Documentation/trace/{ftrace,events}.txt`, `kernel/trace/{trace,trace_output,trace_events}.c`.
 *
 * *Modelled*: the tracer `nop`; events that are switched on one by one, by system or all, by `set_event` and by the
 * `enable` files; `tracing_on`, `trace`, `trace_marker`, `buffer_size_kb`: a buffer that forgets the oldest.
 *
 * *Not modelled*: function tracers, filters, triggers, `trace_pipe`, `per_cpu`, `format` files. They are absent.
 *
 * *Deviations*: tracing takes no time. Instruction addresses are 0: the model has no instructions. An interrupt's entry is
 * told when the processor takes it, not when its handler begins.
 *
 * @module
 */

import { attribute, directory, type Entries, readOnly } from "../fs/computed_nodes.ts";
import { FrameKind } from "../../../hw/register_file.ts";
import type { TraceRecord, TraceSink } from "../../../hw/sim/trace.ts";
import { EINVAL, type Errno } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { AttributeNode, DirectoryNode, Node } from "../fs/vfs.ts";

/** Of directories: only root looks into tracefs. */
const MODE = 0o700;

/** An event that can be switched on. */
export interface TraceEvent {
  /** `sched`, `kvm`: a directory of `events`. */
  readonly system: string;
  readonly name: string;
  /** Which records it is made of: the kind, and for tracepoints the name. */
  readonly kind: string;
  /** What stands behind its name; undefined: this record is none. */
  text(record: TraceRecord, cpu: KernelCpu): string | undefined;
  /** Which virtual CPU enters or leaves guest mode, and the process that it belongs to. */
  vcpu?(record: TraceRecord, cpu: KernelCpu): { readonly name: string; readonly pid: number } | undefined;
}

/** An entry of the buffer. */
interface Entry {
  readonly timeNs: number;
  readonly cpu: number;
  readonly task: string;
  readonly pid: number;
  readonly flags: string;
  readonly text: string;
}

/** Where records of one CPU are found, and what stands in the head of the table. */
export interface FtraceOptions {
  /** The kernel runs on the processors themselves: records of `cpuN` are its own too. */
  readonly physical: boolean;
  /** The flags have a column for disabled migration (since 5.14). */
  readonly modern: boolean;
  readonly events: readonly TraceEvent[];
  /** The CPU that executes now. */
  thisCpu(): KernelCpu;
}

/** Bytes of an entry, on average: header, fields, padding. */
const ENTRY_BYTES = 64;
/** TRACE_BUF_SIZE_DEFAULT, in KiB for each CPU. */
const BUFFER_KB = 1408;

/** Tracing of one kernel. */
export class Ftrace implements TraceSink {
  readonly #byKind = new Map<string, TraceEvent[]>();
  readonly #enabled = new Set<TraceEvent>();
  readonly #entries: Entry[] = [];
  #written = 0;
  #on = true;
  #bufferKb = BUFFER_KB;

  /** Makes it; nothing is on. */
  constructor(readonly kernel: Kernel, readonly options: FtraceOptions) {
    for (const event of options.events) {
      const key = keyOf(event.kind, event.name);
      this.#byKind.set(key, [...this.#byKind.get(key) ?? [], event]);
    }
  }

  /** @inheritdoc */
  record(record: TraceRecord): void {
    for (const { event, entry } of this.#entriesOf(record)) {
      if (this.#enabled.has(event)) this.#write(entry());
    }
  }

  /** The lines that a record would be of those events that are `wanted`, whatever is switched on. */
  *lines(record: TraceRecord, wanted: (event: TraceEvent, cpu: number) => boolean): Generator<string> {
    for (const { event, cpu, entry } of this.#entriesOf(record)) {
      if (wanted(event, cpu)) yield this.#line(entry());
    }
  }

  *#entriesOf(record: TraceRecord): Generator<{ event: TraceEvent; cpu: number; entry: () => Entry }> {
    for (const { event, cpu, text } of this.matching(record)) {
      yield { event, cpu: cpu.id, entry: () => this.#entry(cpu, `${event.name}: ${text}`, record) };
    }
  }

  /** The events that a record is, whatever is switched on. */
  *matching(record: TraceRecord): Generator<{ event: TraceEvent; cpu: KernelCpu; text: string }> {
    const events = this.#byKind.get(keyOf(record.kind, record.name));
    const cpu = events && this.#cpuOf(record.where);
    if (cpu === undefined) return;
    for (const event of events!) {
      const text = event.text(record, cpu);
      if (text !== undefined) yield { event, cpu, text };
    }
  }

  /** The directory; mount it where the era has it. */
  directory(): DirectoryNode {
    const fixed = (text: string) => readOnly(() => text);
    return directory([
      ["available_events", fixed(this.options.events.map((event) => `${idOf(event)}\n`).join(""))],
      ["available_tracers", fixed("nop\n")],
      [
        "buffer_size_kb",
        attribute(0o644, () => `${this.#bufferKb}\n`, (text) => {
          if (!/^\s*[1-9]\d*\s*$/.test(text)) return EINVAL;
          this.#bufferKb = Number(text);
          this.#clear();
        }),
      ],
      [
        "current_tracer",
        attribute(0o644, () => "nop\n", (text) => text.trim() === "nop" ? undefined : EINVAL),
      ],
      ["events", directory(() => this.#eventFiles(), MODE)],
      ["set_event", this.#setEvent()],
      ["trace", attribute(0o644, () => this.#text(), () => this.#clear(), () => this.#clear())],
      ["trace_marker", attribute(0o220, undefined, (text) => this.#mark(text))],
      [
        "tracing_on",
        attribute(0o644, () => this.#on ? "1\n" : "0\n", (text) => {
          if (!/^\s*[01]\s*$/.test(text)) return EINVAL;
          this.#on = text.trim() === "1";
          this.#listen();
        }),
      ],
    ], MODE);
  }

  // ---- what is on ----

  /** Has the engine tell of what happens only while somebody wants to know. */
  #listen(): void {
    this.kernel.engine.recordTo(this, this.#on && this.#enabled.size > 0);
  }

  #switch(events: readonly TraceEvent[], on: boolean): void {
    for (const event of events) on ? this.#enabled.add(event) : this.#enabled.delete(event);
    this.#listen();
  }

  #eventFiles(): Entries {
    const { events } = this.options;
    const files = new Map<string, Node>([["enable", this.#enable(events)]]);
    for (const system of new Set(events.map((event) => event.system))) {
      files.set(system, directory(() => this.#systemFiles(system), MODE));
    }
    return files;
  }

  #systemFiles(system: string): Entries {
    const events = this.options.events.filter((event) => event.system === system);
    const files = new Map<string, Node>([["enable", this.#enable(events)]]);
    for (const event of events) {
      files.set(event.name, directory([["enable", this.#enable([event])]], MODE));
    }
    return files;
  }

  /** `enable` of one event or several: `X` where they differ. */
  #enable(events: readonly TraceEvent[]): AttributeNode {
    return attribute(0o644, () => {
      const on = events.filter((event) => this.#enabled.has(event)).length;
      return on === 0 ? "0\n" : on === events.length ? "1\n" : "X\n";
    }, (text) => {
      if (!/^\s*[01]\s*$/.test(text)) return EINVAL;
      this.#switch(events, text.trim() === "1");
    });
  }

  /** `set_event`: `kvm:kvm_exit`, `kvm:*`, `kvm_exit`, `*:*`, with `!` in front to switch off; opening it with `>` clears it. */
  #setEvent(): AttributeNode {
    const { events } = this.options;
    return attribute(
      0o644,
      () => events.filter((event) => this.#enabled.has(event)).map((event) => `${idOf(event)}\n`).join(""),
      (text): Errno | void => {
        for (const word of text.split(/\s+/).filter((each) => each !== "")) {
          const [, off, system, , name = "*"] = /^(!?)([^:]*)(:(.*))?$/.exec(word)!;
          const matches = (pattern: string, value: string) =>
            pattern === "" || pattern === "*" || pattern === value;
          const meant = events.filter((event) =>
            word.includes(":")
              ? matches(system!, event.system) && matches(name, event.name)
              : system === event.system || system === event.name
          );
          if (meant.length === 0) return EINVAL;
          this.#switch(meant, off === "");
        }
      },
      () => this.#switch(events, false),
    );
  }

  // ---- the buffer ----

  #clear(): void {
    this.#entries.length = this.#written = 0;
  }

  #mark(text: string): void {
    if (!this.#on) return;
    this.#write(this.#entry(this.options.thisCpu(), `tracing_mark_write: ${text.replace(/\n$/, "")}`));
  }

  #entry(cpu: KernelCpu, text: string, record?: TraceRecord): Entry {
    // A switch is told by the task that gives the CPU away.
    const { prev_comm: comm, prev_pid: pid } = record?.fields ?? {};
    const task = comm === undefined ? cpu.current.name : String(comm);
    return {
      timeNs: this.kernel.nowNs,
      cpu: cpu.id,
      task: task.slice(0, 15),
      pid: pid === undefined ? cpu.current.pid : Number(pid),
      flags: this.#flags(cpu, record?.kind === "interrupt"),
      text,
    };
  }

  #write(entry: Entry): void {
    this.#entries.push(entry);
    this.#written++;
    const most = Math.floor(this.#bufferKb * 1024 / ENTRY_BYTES) * this.kernel.cpus.length;
    // The oldest are forgotten many at a time: that is seldom, and only the newest are shown.
    if (this.#entries.length > 2 * most) this.#entries.splice(0, this.#entries.length - most);
  }

  #cpuOf(where: string): KernelCpu | undefined {
    const match = /^(.*?)\.?(\d+)$/.exec(where);
    const [, name, id] = match ?? [];
    const isOwn = name === this.kernel.name || (this.options.physical && name === "cpu");
    return isOwn ? this.kernel.cpus[Number(id)] : undefined;
  }

  /** Interrupts off, need-resched, hard or soft interrupt, depth of sections without preemption. */
  #flags(cpu: KernelCpu, isInterrupt: boolean): string {
    const { current, idle, registers: { interruptFlag, context } } = cpu;
    const inInterrupt = isInterrupt || context.frames[context.depth]?.kind === FrameKind.Interrupt;
    const depth = current.preemptCount - (current === idle ? 1 : 0);
    return [
      interruptFlag && !isInterrupt ? "." : "d",
      cpu.needResched ? "N" : ".",
      inInterrupt ? "h" : cpu.softirqs.running ? "s" : ".",
      depth > 0 ? Math.min(depth, 9) : ".",
      ...(this.options.modern ? ["."] : []),
    ].join("");
  }

  #text(): string {
    const most = Math.floor(this.#bufferKb * 1024 / ENTRY_BYTES) * this.kernel.cpus.length;
    return this.file(this.#entries.slice(-most).map((entry) => this.#line(entry)), this.#written);
  }

  /** What `trace` would be if these lines were in the buffer, of so many that were ever written. */
  file(lines: readonly string[], written = lines.length): string {
    const counts = `# entries-in-buffer/entries-written: ${lines.length}/${written}   #P:${this.#online}`;
    return [`# tracer: nop\n#\n${counts}\n#`, ...headOf(this.options.modern), ...lines, ""].join("\n");
  }

  #line({ timeNs, cpu, task, pid, flags, text }: Entry): string {
    const seconds = Math.floor(timeNs / 1e9), us = Math.floor(timeNs % 1e9 / 1000);
    const time = `${String(seconds).padStart(5)}.${String(us).padStart(6, "0")}`;
    const width = this.options.modern ? 7 : 5;
    return `${task.padStart(16)}-${String(pid).padEnd(width)} [${String(cpu).padStart(3, "0")}] ` +
      `${flags} ${time}: ${text}`;
  }

  get #online(): number {
    return this.kernel.cpus.filter(({ state }) => state === "online").length;
  }
}

function headOf(modern: boolean): readonly string[] {
  return modern
    ? [
      "#                                _-----=> irqs-off/BH-disabled",
      "#                               / _----=> need-resched",
      "#                              | / _---=> hardirq/softirq",
      "#                              || / _--=> preempt-depth",
      "#                              ||| / _-=> migrate-disable",
      "#                              |||| /     delay",
      "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION",
      "#              | |         |   |||||     |         |",
    ]
    : [
      "#                              _-----=> irqs-off",
      "#                             / _----=> need-resched",
      "#                            | / _---=> hardirq/softirq",
      "#                            || / _--=> preempt-depth",
      "#                            ||| /     delay",
      "#           TASK-PID   CPU#  ||||    TIMESTAMP  FUNCTION",
      "#              | |       |   ||||       |         |",
    ];
}

function keyOf(kind: string, name: string): string {
  return kind === "tracepoint" ? name : `${kind} *`;
}

function idOf({ system, name }: TraceEvent): string {
  return `${system}:${name}`;
}
