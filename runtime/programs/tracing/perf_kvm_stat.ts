/**
 * `perf kvm stat`: what VM exits cost, from each `kvm_exit` to the next `kvm_entry` of the same vCPU.
 *
 * *Document*: Linux 3.7 and 6.1 `tools/perf/builtin-kvm.c`.
 *
 * *Modelled*: `record`, `report --event=vmexit`. *Not modelled*: events `mmio` and `ioport`, `live`, lost events.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { TraceRecord, TraceSink } from "../../../hw/sim/trace.ts";
import { Errno } from "../../linux/errno.ts";
import type { Ftrace } from "../../linux/trace/ftrace.ts";
import { getopt } from "../getopt.ts";
import { pathOf, type ProgramProcess, readFile } from "../program.ts";
import { listen } from "./tracing.ts";

/** Where `record` writes to where nothing else is said. */
const FILE = "perf.data.guest";
/** First line of a file. */
const MAGIC = "rtkvm perf kvm stat 1";

/** What one vCPU has had of one exit reason; times in ns. */
interface Row {
  readonly vcpu: string;
  readonly reason: string;
  count: number;
  total: number;
  min: number;
  max: number;
  /** Sum of squared differences from the mean (Welford). */
  squares: number;
}

/** Pairs exits with entries. */
class ExitTimes implements TraceSink {
  readonly rows = new Map<string, Row>();
  readonly #open = new Map<string, { readonly reason: string; readonly fromNs: number }>();

  constructor(readonly trace: Ftrace, readonly pid: number | undefined) {}

  record(record: TraceRecord): void {
    for (const { event, cpu, text } of this.trace.matching(record)) {
      if (event.system !== "kvm" || event.vcpu === undefined) continue;
      const vcpu = event.vcpu(record, cpu);
      if (vcpu === undefined || (this.pid !== undefined && vcpu.pid !== this.pid)) continue;
      if (event.name === "kvm_exit") {
        const reason = /reason (\S+)/.exec(text)?.[1] ?? "";
        this.#open.set(vcpu.name, { reason, fromNs: record.timeNs });
      } else {
        const exit = this.#open.get(vcpu.name);
        if (exit === undefined) continue;
        this.#open.delete(vcpu.name);
        this.#add(vcpu.name, exit.reason, record.timeNs - exit.fromNs);
      }
    }
  }

  #add(vcpu: string, reason: string, ns: number): void {
    const key = `${vcpu} ${reason}`;
    const row = this.rows.get(key) ?? { vcpu, reason, count: 0, total: 0, min: ns, max: ns, squares: 0 };
    this.rows.set(key, row);
    const before = row.count === 0 ? ns : row.total / row.count;
    row.count++;
    row.total += ns;
    row.min = Math.min(row.min, ns);
    row.max = Math.max(row.max, ns);
    row.squares += (ns - before) * (ns - row.total / row.count);
  }
}

/** `perf kvm stat record`. */
export function* kvmStatRecord(command: ProgramProcess, args: readonly string[]): Activity<number> {
  const { system } = command;
  const parsed = getopt(args, {
    flags: "a",
    values: "po",
    long: { "pid": "p", "output": "o", "all-cpus": "a" },
    commandFollows: true,
  });
  if (typeof parsed === "string") {
    command.stderr(`perf kvm stat record: ${parsed}\n`);
    return 129;
  }
  const value = (wanted: string) => parsed.options.findLast(({ letter }) => letter === wanted)?.value;
  if (!system.trace.options.events.some((event) => event.name === "kvm_exit")) {
    command.stderr(
      "invalid or unsupported event: 'kvm:kvm_entry'\nRun 'perf list' for a list of valid events\n",
    );
    return 129;
  }
  const pid = value("p"), path = value("o") ?? FILE;
  const file = system.vfs.open(pathOf(command, path), { write: true, create: true, truncate: true });
  if (file instanceof Errno) {
    command.stderr(`failed to open ${path}: ${file.message}\n`);
    return 255;
  }
  const times = new ExitTimes(system.trace, pid === undefined ? undefined : Number(pid));
  const status = yield* listen(command, times, parsed.operands);
  if (status === undefined) return 127;
  const rows = [...times.rows.values()];
  const text = [MAGIC, `pid ${pid ?? "all"}`, ...rows.map((row) => JSON.stringify(row)), ""].join("\n");
  const written = yield* file.write(text);
  if (written instanceof Errno) {
    command.stderr(`failed to write ${path}: ${written.message}\n`);
    return 255;
  }
  const samples = 2 * rows.reduce((sum, { count }) => sum + count, 0);
  command.stderr("[ perf record: Woken up 1 times to write data ]\n");
  command.stderr(
    `[ perf record: Captured and wrote ${
      (text.length / 2 ** 20).toFixed(3)
    } MB ${path} (${samples} samples) ]\n`,
  );
  return status;
}

/** `perf kvm stat report`. */
export function* kvmStatReport(command: ProgramProcess, args: readonly string[]): Activity<number> {
  const parsed = getopt(args, {
    values: "eVkip",
    long: { "event": "e", "vcpu": "V", "key": "k", "input": "i", "pid": "p" },
  });
  if (typeof parsed === "string") {
    command.stderr(`perf kvm stat report: ${parsed}\n`);
    return 129;
  }
  const value = (wanted: string) => parsed.options.findLast(({ letter }) => letter === wanted)?.value;
  const event = value("e") ?? "vmexit", key = value("k") ?? "sample";
  if (event !== "vmexit") {
    command.stderr(`perf kvm stat report: event ${event} is not modelled\n`);
    return 129;
  }
  if (!["sample", "time"].includes(key)) {
    command.stderr(`Unknown compare key:${key}\n`);
    return 255;
  }
  const path = value("i") ?? FILE;
  const text = yield* readFile(command.system, pathOf(command, path));
  if (text instanceof Errno) {
    command.stderr(`failed to open ${path}: ${text.message}  (try 'perf record' first)\n`);
    return 255;
  }
  const [magic, pid = "", ...lines] = text.split("\n");
  if (magic !== MAGIC) {
    command.stderr(`incompatible file format (rerun with -v to learn more)\n`);
    return 255;
  }
  const vcpu = value("V");
  const rows = lines.filter((line) => line !== "").map((line): Row => JSON.parse(line))
    .filter((row) => vcpu === undefined || row.vcpu.endsWith(`.${vcpu}`));
  command.stdout(reportText(merge(rows), {
    of: pid === "pid all" ? "all VMs" : `pid(s) ${pid.slice(4)}`,
    vcpu: vcpu === undefined ? "all VCPUs" : `VCPU ${vcpu}`,
    byTime: key === "time",
  }));
  return 0;
}

/** One row for each reason: those of all vCPUs together (Chan's formula for the squares). */
function merge(rows: readonly Row[]): Row[] {
  const merged = new Map<string, Row>();
  for (const row of rows) {
    const other = merged.get(row.reason);
    if (other === undefined) {
      merged.set(row.reason, { ...row });
      continue;
    }
    const apart = row.total / row.count - other.total / other.count;
    other.squares += row.squares + apart * apart * row.count * other.count / (row.count + other.count);
    other.count += row.count;
    other.total += row.total;
    other.min = Math.min(other.min, row.min);
    other.max = Math.max(other.max, row.max);
  }
  return [...merged.values()];
}

function reportText(rows: readonly Row[], head: { of: string; vcpu: string; byTime: boolean }): string {
  const samples = rows.reduce((sum, { count }) => sum + count, 0);
  const totalNs = rows.reduce((sum, { total }) => sum + total, 0);
  const us = (ns: number) => (ns / 1000).toFixed(2);
  const percent = (part: number, whole: number) => (100 * part / whole).toFixed(2).padStart(8);
  const sorted = rows.toSorted((a, b) => head.byTime ? b.total - a.total : b.count - a.count);
  const lines = sorted.map(({ reason, count, total, min, max, squares }) => {
    const mean = total / count;
    // stddev_stats(): of the mean, in percent of it
    const spread = count < 2 || mean === 0 ? 0 : 100 * Math.sqrt(squares / (count - 1) / count) / mean;
    return `${reason.padStart(20)} ${String(count).padStart(10)} ${percent(count, samples)}% ` +
      `${percent(total, totalNs)}% ${us(min).padStart(9)}us ${us(max).padStart(9)}us ` +
      `${us(mean).padStart(9)}us ( +-${spread.toFixed(2).padStart(7)}% )\n`;
  });
  return `\n\nAnalyze events for ${head.of}, ${head.vcpu}:\n\n${"VM-EXIT".padStart(20)} ${
    "Samples".padStart(10)
  } ` +
    `${"Samples%".padStart(9)} ${"Time%".padStart(9)} ${"Min Time".padStart(11)} ${
      "Max Time".padStart(11)
    } ` +
    `${"Avg time".padStart(16)} \n\n${lines.join("")}\n` +
    `Total Samples:${samples}, Total events handled time:${us(totalNs)}us.\n\n`;
}
