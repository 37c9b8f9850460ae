/**
 * `compare`: one script on several systems under the same seed: latencies, exits, the host's CPU time, and the first
 * thing that two systems do differently.
 *
 * What the talk prints stands beside it; where the talk prints nothing, the row is a prediction and says so. A script that
 * boots machines of its own is watched up to its first `boot`.
 *
 * @module
 */

import type { TraceRecord, TraceSink } from "../../hw/sim/trace.ts";
import { young } from "../../hw/sim/young.ts";
import { profileWith } from "../../runtime/lab/defaults.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import { provenanceLines } from "../../runtime/lab/provenance.ts";
import { systemNamed } from "../../runtime/lab/systems.ts";
import { missRateText } from "../../runtime/measure/miss_rate.ts";
import { latencyRowId } from "../../runtime/measure/published.ts";
import { type Cell, tableLines } from "../../runtime/measure/table.ts";
import { timeText } from "../session/duration.ts";
import { DeadlockError } from "../shell/jobs.ts";
import { bootedText } from "./run_job.ts";
import { publishedRowOf, recordsOf, type RunRecord, valueOf } from "./run_record.ts";
import type { Source } from "../run/run_scripts.ts";
import { Session } from "../session/session.ts";
import { laboratoryWords } from "../words/index.ts";
import { recordLine } from "../words/step.ts";

/** What the command line says. */
export interface CompareOptions {
  readonly systems: readonly string[];
  readonly kernels: readonly string[];
  readonly seed: number;
  readonly profiles: readonly ProfileText[];
  readonly positional: readonly string[];
  readonly strict: boolean;
  readonly json: boolean;
}

/** Where it writes. */
export interface ComparePort {
  out(text: string): void;
  err(text: string): void;
}

/** How many records of a run are compared: the first system's are kept. */
const COMPARED = 100_000;

/** Keeps what happens at first. */
class FirstRecords implements TraceSink {
  readonly records: TraceRecord[] = [];
  /** Called when there are enough of them. */
  onFull: () => void = () => {};

  record(record: TraceRecord): void {
    this.records.push(record);
    if (this.records.length === COMPARED) this.onFull();
  }
}

/** Compares what happens with what happened on another system. */
class Comparison implements TraceSink {
  /** Where they part: what the other did, what this one does. */
  found: { readonly there: TraceRecord | undefined; readonly here: TraceRecord } | undefined;
  onFull: () => void = () => {};
  #at = 0;

  constructor(readonly other: readonly TraceRecord[]) {}

  record(here: TraceRecord): void {
    const there = this.other[this.#at++];
    if (there === undefined && this.other.length === COMPARED) return this.onFull();
    if (there !== undefined && isSame(there, here)) return;
    this.found ??= { there, here };
    this.onFull();
  }
}

function isSame(a: TraceRecord, b: TraceRecord): boolean {
  return a.timeNs === b.timeNs && a.where === b.where && a.kind === b.kind && a.name === b.name &&
    JSON.stringify(a.fields) === JSON.stringify(b.fields);
}

/** Runs the comparison; answers the first exit status that is not 0. */
export function compare(source: Source, options: CompareOptions, port: ComparePort): number {
  const profile = profileWith(options.profiles);
  const records: RunRecord[] = [];
  const partings: string[] = [];
  let reference: FirstRecords | undefined;
  let status = 0;
  const variants = options.kernels.flatMap((kernel) => options.systems.map((system) => ({ system, kernel })));
  const nameOf = ({ system, kernel }: Variant) => options.kernels.length > 1 ? `${system} ${kernel}` : system;
  for (const variant of variants) {
    const sink = reference === undefined ? new FirstRecords() : new Comparison(reference.records);
    const run = runOn(variant, source, options, sink);
    if (run.status !== 0) {
      port.err(`rtkvm: compare: ${nameOf(variant)}: status ${run.status}\n${run.stderr}`);
      if (status === 0) status = run.status;
    }
    records.push(...run.records);
    if (sink instanceof FirstRecords) reference = sink;
    else partings.push(...partingLines(nameOf(variants[0]!), nameOf(variant), sink));
  }
  if (options.json) {
    for (const record of records) port.out(`${JSON.stringify(record)}\n`);
    return status;
  }
  if (records.length === 0) {
    port.err("rtkvm: compare: nothing was measured: the script runs no cyclictest, iperf or ping\n");
    return status === 0 ? 1 : status;
  }
  const rows = records.flatMap((record) => {
    const row = record.program === "cyclictest" ? publishedRowOf(record) : undefined;
    return row === undefined ? [] : [latencyRowId(row)];
  });
  port.out(`${source.path} on ${variants.length} systems and kernels, seed ${options.seed}\n\n`);
  port.out(`${compareLines(records).join("\n")}\n\n${partings.join("\n")}\n`);
  port.out(`\n${provenanceLines(profile, [...new Set(rows)]).join("\n")}\n`);
  return status;
}

/** What is run. */
interface Variant {
  readonly system: string;
  readonly kernel: string;
}

function runOn(
  { system, kernel }: Variant,
  { path, script, folder }: Source,
  { seed, profiles, positional, strict }: CompareOptions,
  sink: FirstRecords | Comparison,
): { readonly status: number; readonly stderr: string; readonly records: readonly RunRecord[] } {
  let stderr = "";
  const session = new Session({
    io: { out: () => {}, err: (part) => void (stderr += part) },
    ...{ system: systemNamed(system)!, kernel, seed, profiles, strict, name: path, folder },
    words: laboratoryWords,
  });
  session.shell.positional = [...positional];
  const { engine, options } = session.lab;
  engine.trace = sink;
  sink.onFull = young(() => void (engine.trace = null)); // the rest of the run goes at full speed
  let status: number;
  try {
    status = session.run(script);
  } catch (error) {
    if (!(error instanceof DeadlockError)) throw error;
    stderr += `${error.message}\n`;
    status = 1;
  }
  const origin = { script: path, args: positional, booted: bootedText({ system, kernel }), set: {} };
  const records = recordsOf(session.results, session.lab.traffic, options.profile.hash, origin);
  return { status, stderr, records };
}

function partingLines(first: string, system: string, { found }: Comparison): string[] {
  if (found === undefined) {
    return [`${system}: nothing differs from ${first} in the first ${COMPARED} records of the trace`];
  }
  const { there, here } = found;
  const width = Math.max(first.length, system.length);
  const line = (name: string, record: TraceRecord | undefined) =>
    `  ${name.padEnd(width)} ${record === undefined ? "(has ended)" : recordLine(record)}`;
  return [
    `${system} first differs from ${first} at ${timeText(here.timeNs)}:`,
    line(first, there),
    line(system, here),
  ];
}

/** The table: what was measured on each system, published or predicted. */
function compareLines(records: readonly RunRecord[]): string[] {
  const columns = [
    { title: "system", align: "left" },
    { title: "kernel", align: "left" },
    ...["min", "avg", "mean", "max*", "exits/loop", "host CPU %", "n"].map((title) => ({ title })),
    { title: "the talk", align: "left" },
  ] as const;
  const latencies = records.filter((record) => record.program === "cyclictest");
  const blocks: string[] = [];
  if (latencies.length > 0) {
    blocks.push(
      "us; exits per loop of cyclictest",
      ...tableLines(
        columns,
        latencies.map((record): Cell[] => {
          const row = publishedRowOf(record);
          const { system, kernel, min_us, avg_us, mean_us, max_us, exits, n } = record;
          return [
            ...[
              system,
              kernel,
              min_us ?? undefined,
              avg_us ?? undefined,
              mean_us?.toFixed(2),
              max_us ?? undefined,
            ],
            (exits.total / n).toFixed(2),
            record.host_cpu_percent?.toFixed(1),
            n,
            row === undefined
              ? "prediction: the talk prints nothing"
              : `slide ${row.slide}: ${row.minUs}/${row.avgUs}/${row.maxUs}`,
          ];
        }),
      ),
      ...[...new Set(latencies.map(({ n }) => n))].map((n) =>
        `* maxima are not ranked: beyond the largest of them, ${missRateText(n)}`
      ),
    );
  }
  const traffic = records.filter((record) => record.program !== "cyclictest");
  if (traffic.length > 0) {
    if (blocks.length > 0) blocks.push("");
    blocks.push(...tableLines(
      [{ title: "system", align: "left" }, { title: "program", align: "left" }, { title: "Gb/s" }, {
        title: "us",
      }, {
        title: "host CPU %",
      }],
      traffic.map((record): Cell[] => {
        const value = valueOf(record)?.toFixed(2);
        const isIperf = record.program === "iperf";
        const cells = isIperf ? [value, "-"] : ["-", value];
        return [record.system, record.program, ...cells, record.host_cpu_percent.toFixed(1)];
      }),
    ));
  }
  return blocks;
}
