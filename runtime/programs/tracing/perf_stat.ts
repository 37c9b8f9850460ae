/**
 * `perf stat`: how often tracepoints are passed while a command runs.
 *
 * *Modelled*: `-e`, `-a`, `-C`, `-p`, `-x`; tracepoints, context switches. *Not modelled*: `-I`, `-r`, groups and modifiers
 * of events.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { TraceRecord, TraceSink } from "../../../hw/sim/trace.ts";
import { parseCpuList } from "../../linux/cpu_mask.ts";
import type { Ftrace, TraceEvent } from "../../linux/trace/ftrace.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { getopt } from "../getopt.ts";
import { Placement, type ProgramProcess } from "../program.ts";
import { eventPattern, listen } from "./tracing.ts";

/** Events that the processors or the kernel of the model do not count. */
const UNSUPPORTED = new Set(
  ("cycles cpu-cycles instructions branches branch-instructions branch-misses cache-references cache-misses bus-cycles " +
    "ref-cycles stalled-cycles-frontend stalled-cycles-backend").split(" "),
);

/** What one name of `-e` counts; undefined: nothing that can be counted here. */
interface Counted {
  readonly name: string;
  readonly event: TraceEvent | undefined;
}

/** Counts events while it listens. */
class Counter implements TraceSink {
  readonly counts = new Map<TraceEvent, number>();

  constructor(readonly trace: Ftrace, readonly wanted: (event: TraceEvent, cpu: KernelCpu) => boolean) {}

  record(record: TraceRecord): void {
    for (const { event, cpu } of this.trace.matching(record)) {
      if (this.wanted(event, cpu)) this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
    }
  }
}

/** The command. */
export function* perfStat(command: ProgramProcess, args: readonly string[]): Activity<number> {
  const { kernel, system: { trace } } = command;
  const parsed = getopt(args, {
    flags: "av",
    values: "eCpx",
    long: {
      "event": "e",
      "all-cpus": "a",
      "cpu": "C",
      "pid": "p",
      "field-separator": "x",
      "verbose": "v",
    },
    notModelled: [
      ..."AdIDiGtrS",
      "interval-print",
      "repeat",
      "per-core",
      "per-socket",
      "delay",
      "output",
      "o",
    ],
    commandFollows: true,
  });
  if (typeof parsed === "string") {
    command.stderr(`perf stat: ${parsed}\n`);
    return 129;
  }
  const value = (wanted: string) => parsed.options.findLast(({ letter }) => letter === wanted)?.value;
  const names = parsed.options.filter(({ letter }) => letter === "e").flatMap(({ value }) =>
    value.split(",")
  );
  const counted: Counted[] = [];
  for (const name of names.length > 0 ? names : ["cs", "cycles", "instructions"]) {
    const found = eventsOf(name, trace.options.events);
    if (found === undefined) {
      command.stderr(
        `event syntax error: '${name}'\n                     \\___ unknown tracepoint or event\n`,
      );
      command.stderr("Run 'perf list' for a list of valid events\n");
      return 129;
    }
    counted.push(...found);
  }
  const cpuText = value("C"), pidText = value("p");
  const cpus = cpuText === undefined ? undefined : parseCpuList(cpuText, kernel.cpus.length);
  if (cpuText !== undefined && typeof cpus !== "number") {
    command.stderr(`perf stat: invalid CPU list: ${cpuText}\n`);
    return 129;
  }
  const everywhere = parsed.options.some(({ letter }) => letter === "a") || cpuText !== undefined;
  if (!everywhere && pidText === undefined && parsed.operands.length === 0) {
    command.stderr("perf stat: no command given: name one, or -a for all CPUs, or -p PID\n");
    return 129;
  }
  const pid = pidText === undefined ? undefined : Number(pidText);
  if (pid !== undefined && ![...kernel.tasks.values()].some(({ tgid }) => tgid === pid)) {
    command.stderr("Problems finding threads of monitor\n");
    return 129;
  }
  const own = Placement.of(command.task);
  const wanted = (event: TraceEvent, cpu: KernelCpu) => {
    if (!counted.some((each) => each.event === event)) return false;
    if (cpus !== undefined) return ((cpus as number) & (1 << cpu.id)) !== 0;
    if (everywhere) return true;
    const { tgid } = cpu.current;
    return pid === undefined ? own.started.has(tgid) : tgid === pid;
  };
  const counter = new Counter(trace, wanted);
  const fromNs = kernel.nowNs;
  const status = yield* listen(command, counter, parsed.operands, own);
  if (status === undefined) return 127;
  const separator = value("x");
  const print = separator === undefined ? human : machine;
  const what = cpuText !== undefined
    ? `CPU(s) ${cpuText}`
    : everywhere
    ? "system wide"
    : pid !== undefined
    ? `process id ${pid}`
    : parsed.operands.join(" ");
  command.stderr(print(counted, counter.counts, what, kernel.nowNs - fromNs, separator ?? ""));
  return status;
}

/** The events that a name stands for; undefined: it is none. */
function eventsOf(name: string, events: readonly TraceEvent[]): readonly Counted[] | undefined {
  if (name === "cs" || name === "context-switches") {
    return [{ name, event: events.find((event) => event.name === "sched_switch") }];
  }
  if (UNSUPPORTED.has(name)) return [{ name, event: undefined }];
  const [system = "", event = ""] = name.split(":");
  const pattern = eventPattern(event);
  const found = events.filter((each) => each.system === system && pattern.test(each.name));
  if (found.length === 0) return undefined;
  return found.map((each) => ({ name: `${each.system}:${each.name}`, event: each }));
}

function human(
  counted: readonly Counted[],
  counts: ReadonlyMap<TraceEvent, number>,
  what: string,
  elapsedNs: number,
): string {
  const rows = counted.map(({ name, event }) => {
    const text = event === undefined ? "<not supported>" : thousands(counts.get(event) ?? 0);
    return `${text.padStart(18)}      ${name.padEnd(50)}\n`;
  });
  return `\n Performance counter stats for '${what}':\n\n${rows.join("")}\n` +
    `${(elapsedNs / 1e9).toFixed(9).padStart(18)} seconds time elapsed\n\n`;
}

function machine(
  counted: readonly Counted[],
  counts: ReadonlyMap<TraceEvent, number>,
  _what: string,
  elapsedNs: number,
  separator: string,
): string {
  return counted.map(({ name, event }) => {
    const [text, time, share] = event === undefined
      ? ["<not supported>", "0", "100.00"]
      : [String(counts.get(event) ?? 0), String(elapsedNs), "100.00"];
    return [text, "", name, time, share, "", ""].join(separator) + "\n";
  }).join("");
}

function thousands(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
