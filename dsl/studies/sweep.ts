/**
 * `sweep`: one script under many seeds, systems, kernels and parameter values; and `merge`: the records of several
 * sweeps as one.
 *
 * Every run is a machine of its own, from its own seed, and runs under one seed see the same random numbers. The order of
 * runs and records is that of the options (settings, systems, kernels, seeds), however many threads there are.
 *
 * @module
 */

import { type LabProfile, parameterSettings, profileWith } from "../../runtime/lab/defaults.ts";
import { KERNEL_NAMES } from "../../runtime/lab/kernels.ts";
import { ProfileError, type ProfileText } from "../../runtime/lab/profile.ts";
import type { ScriptFolder } from "../../runtime/lab/script_folder.ts";
import { SYSTEMS } from "../../runtime/lab/systems.ts";
import { parseRate, type WishedRate } from "../../runtime/measure/miss_rate.ts";
import type { HostPort } from "../host/host_port.ts";
import { ProgressLine } from "../host/progress.ts";
import { bootedText, type RunJob, type RunOutcome } from "./run_job.ts";
import { RunPool } from "./run_pool.ts";
import { parseRecord, type RunRecord, type Settings } from "./run_record.ts";
import { MergeError, sweepLines } from "./sweep_table.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** A script that has been read and parses. */
export interface SweepScript {
  readonly path: string;
  readonly text: string;
  readonly folder: ScriptFolder;
}

/** The values of the options, as written; undefined where absent. */
export interface SweepValues {
  readonly seeds: string | undefined;
  readonly system: string | undefined;
  readonly kernel: string | undefined;
  readonly threads: string | undefined;
  readonly rate: string | undefined;
  /** Of each `--set`. */
  readonly set: readonly string[];
}

/** What is swept. */
export interface SweepPlan {
  readonly seeds: readonly number[];
  readonly systems: readonly string[];
  readonly kernels: readonly string[];
  readonly settings: readonly Settings[];
  readonly threads: number;
  readonly rates: readonly WishedRate[] | undefined;
}

/** More runs than this in one command are a slip of the finger. */
const MOST_RUNS = 100_000;

/** Reads the options; a text says what is wrong with them. */
export function planSweep(values: SweepValues, processors: number): SweepPlan | string {
  const seeds = parseSeeds(values.seeds ?? "1-10");
  if (seeds === undefined) {
    return `--seeds ${values.seeds}: expected numbers and ranges, like 1-50 or 1,5,10-20, each once`;
  }
  const systems = names("system", values.system ?? "rfc-v2", SYSTEMS.map(({ name }) => name));
  if (typeof systems === "string") return systems;
  const kernels = names("kernel", values.kernel ?? KERNEL_NAMES[1]!, KERNEL_NAMES);
  if (typeof kernels === "string") return kernels;
  let settings: Settings[] = [{}];
  for (const text of values.set) {
    const [, path, list] = /^([\w.]+)=(.+)$/.exec(text) ?? [];
    if (path === undefined) {
      return `--set ${text}: expected PARAMETER=VALUE,VALUE…, like hw.processor.vm_exit=200ns,300ns`;
    }
    settings = settings.flatMap((each) =>
      list!.split(",").map((value) => ({ ...each, [path]: value.trim() }))
    );
  }
  const threads = Number(values.threads ?? processors);
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
    return `--threads ${values.threads}: expected an integer from 1 to 256`;
  }
  const rates = values.rate?.split(",").map(parseRate);
  if (rates?.includes(undefined)) {
    return `--rate ${values.rate}: expected N/second, minute, hour, day or week, like 1/day`;
  }
  const runs = seeds.length * systems.length * kernels.length * settings.length;
  if (runs > MOST_RUNS) return `${runs} runs: expected at most ${MOST_RUNS}`;
  return { seeds, systems, kernels, settings, threads, rates: rates as WishedRate[] | undefined };
}

/** `1-3,7` is 1, 2, 3, 7; undefined where the text is no such list, or has a seed twice. */
function parseSeeds(text: string): number[] | undefined {
  const seeds = new Set<number>();
  for (const part of text.split(",")) {
    const [, from, to = from] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
    const first = Number(from), last = Number(to);
    if (from === undefined || last < first || last - first >= MOST_RUNS || !Number.isSafeInteger(last)) {
      return undefined;
    }
    for (let seed = first; seed <= last; seed++) {
      if (seeds.has(seed)) return undefined;
      seeds.add(seed);
    }
  }
  return [...seeds];
}

function names(what: string, text: string, known: readonly string[]): string[] | string {
  const list = text.split(",").map((name) => name.trim());
  const stranger = list.find((name) => !known.includes(name));
  return stranger === undefined ? [...new Set(list)] : unknownName(what, stranger, known);
}

/** Runs a sweep; answers the exit status: the first of a run that is not 0. */
export async function sweep(
  script: SweepScript,
  plan: SweepPlan,
  options: {
    readonly profiles: readonly ProfileText[];
    readonly positional: readonly string[];
    readonly strict: boolean;
    readonly json: boolean;
    /** Files with records of runs that need not be repeated. */
    readonly resume: readonly string[];
  },
  host: HostPort,
): Promise<number> {
  const { seeds, systems, kernels, settings, threads } = plan;
  let profile: LabProfile;
  const hashes = new Map<Settings, string>();
  try {
    profile = profileWith(options.profiles);
    for (const set of settings) {
      hashes.set(set, profileWith([...options.profiles, ...parameterSettings(set)]).hash);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    host.err(`${error instanceof ProfileError ? "" : "rtkvm: sweep: --set "}${error.message}\n`);
    return 1;
  }
  const { profiles, positional, strict } = options;
  const earlier = readRecords(options.resume, host);
  if (earlier === undefined) return 1;
  const planned: RunJob[] = settings.flatMap((set) =>
    systems.flatMap((system) =>
      kernels.flatMap((kernel) =>
        seeds.map((seed) => ({ ...script, positional, system, kernel, seed, profiles, set, strict }))
      )
    )
  );
  const known = new Map<string, RunRecord[]>();
  for (const record of earlier) {
    const key = keyOf(record);
    known.set(key, [...known.get(key) ?? [], record]);
  }
  const key = (job: RunJob) =>
    keyOf({
      ...job,
      script: job.path,
      args: positional,
      booted: bootedText(job),
      profile: hashes.get(job.set)!,
    });
  const jobs = planned.filter((job) => !known.has(key(job)));
  const progress = new ProgressLine(host.errIsTerminal ? (part) => host.err(part) : undefined);
  const showProgress = (ended: number) => progress.show(`sweep: ${ended} of ${jobs.length} runs`);
  showProgress(0);
  const fresh = new Map<RunJob, readonly RunRecord[]>();
  let status = 0;
  const pool = new RunPool(threads);
  const told = (outcome: RunOutcome, job: RunJob) => {
    if (outcome.status !== 0) {
      progress.clear();
      host.err(`rtkvm: sweep: ${job.system}, ${job.kernel}, seed ${job.seed}: status ${outcome.status}\n`);
      host.err(outcome.stderr);
      if (status === 0) status = outcome.status;
    }
    if (options.json) {
      progress.clear();
      for (const record of outcome.records) host.out(`${JSON.stringify(record)}\n`);
    } else fresh.set(job, outcome.records);
  };
  try {
    await pool.run(jobs, told, showProgress);
  } finally {
    pool.close();
    progress.clear();
  }
  if (options.json) return status;
  const records = planned.flatMap((job) => fresh.get(job) ?? known.get(key(job)) ?? []);
  const runs = `${planned.length} ${planned.length === 1 ? "run" : "runs"}`;
  host.out(`${script.path}: ${runs}, ${seeds.length === 1 ? "seed" : "seeds"} ${seedsText(seeds)}\n\n`);
  if (records.length === 0) {
    host.err("rtkvm: sweep: no run has measured anything: the script runs no cyclictest, iperf or ping\n");
    return status === 0 ? 1 : status;
  }
  const { rates } = plan;
  host.out(`${sweepLines(records, rates === undefined ? { profile } : { profile, rates }).join("\n")}\n`);
  return status;
}

/** `1 to 50`, `1, 5, 7`. */
function seedsText(seeds: readonly number[]): string {
  const isRange = seeds.length > 1 && seeds.every((seed, i) => seed === seeds[0]! + i);
  return isRange ? `${seeds[0]} to ${seeds.at(-1)}` : seeds.join(", ");
}

/** Which run a record is of. */
function keyOf(
  { script, args, booted, set, seed, profile }: Pick<
    RunRecord,
    "script" | "args" | "booted" | "set" | "seed" | "profile"
  >,
): string {
  return JSON.stringify([script, args, booted, set, seed, profile]);
}

/** The records that files have; undefined where one cannot be read, which has been said. */
function readRecords(paths: readonly string[], host: HostPort): RunRecord[] | undefined {
  const records: RunRecord[] = [];
  for (const path of paths) {
    const file = host.read(path);
    if ("problem" in file) {
      host.err(`rtkvm: ${path}: ${file.problem}\n`);
      return undefined;
    }
    for (const [i, line] of file.text.split("\n").entries()) {
      if (line.trim() === "") continue;
      const record = parseRecord(line);
      if (typeof record === "string") {
        host.err(`rtkvm: ${path}:${i + 1}: ${record}\n`);
        return undefined;
      }
      records.push(record);
    }
  }
  return records;
}

/** Prints the tables of records that `sweep --json` has written to files; answers the exit status. */
export function merge(paths: readonly string[], profile: LabProfile, host: HostPort): number {
  const records = readRecords(paths, host);
  if (records === undefined) return 1;
  if (records.length === 0) {
    host.err(`rtkvm: merge: no record in ${paths.join(", ")}\n`);
    return 1;
  }
  const hashes = new Set(
    records.filter(({ set }) => Object.keys(set).length === 0).map((each) => each.profile),
  );
  const known = hashes.size === 1 && hashes.has(profile.hash);
  try {
    host.out(`${sweepLines(records, known ? { profile } : {}).join("\n")}\n`);
  } catch (error) {
    if (!(error instanceof MergeError)) throw error;
    host.err(`rtkvm: merge: ${error.message}\n`);
    return 1;
  }
  if (!known) host.err("note: not the profile of this version, so its parameters are not counted here\n");
  return 0;
}
