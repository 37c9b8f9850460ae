/**
 * CPU time and memory of whole runs, what a step and the way back take, and the engine's cost per event, beside their limits.
 *
 * ```sh
 * deno task bench                 # everything, 5 rounds
 * deno task bench --rounds=9 kvm  # only what has "kvm" in its name
 * ```
 *
 * The runs take turns, A B C A B C, so that a busy moment of the machine hits all of them; medians are printed. CPU
 * time is user + system of the whole process, start-up included. The status is 1 if a limit is exceeded or a run
 * fails.
 */
import { type Cell, type Column, tableLines } from "../runtime/measure/table.ts";
import { ENGINE_BENCHES, type EngineBench } from "./bench_engine.ts";
import { BUNDLE, bundle } from "./install.ts";
import { cpuMs, STEPPING_BENCHES, type SteppingBench } from "./bench_stepping.ts";

/** Where the bundle that `deno task install` makes stands for the bench. */
const INSTALLED = `${BUNDLE}/bench`;

/** A whole `deno run --allow-read=. mod.ts …`. */
interface WholeRun {
  readonly name: string;
  /** Another module than mod.ts. */
  readonly module?: string;
  /** It ends as soon as it has begun. */
  readonly isStart?: true;
  /** The line that a start is given; without one its standard input is empty. */
  readonly typed?: string;
  readonly args: readonly string[];
  /** Most CPU time, s. */
  readonly limitCpuS?: number;
  /** Largest resident set, MiB. */
  readonly limitMiB?: number;
  /** A shorter run of the same kind: this one needs no more memory, give or take {@linkcode GROWTH_MIB}. */
  readonly shorter?: string;
}

/** By how much the largest resident sets of equal runs differ: when the collector happens to come by. */
const GROWTH_MIB = 25;

/** Three of the host's CPUs run endless loops: all that are online on rfc-v2, all but the vCPU's on kvm. */
const idleLoops = (system: string) => [
  ...["run", "examples/slide25_row.rtk", "--seed", "1", "--system", system],
  ...["--", "300000", "3"],
];

/** A row of slide 26: so many simulated seconds, 1000 loops of cyclictest each. */
const underIperf = (system: string, seconds: number) => [
  ...["run", "examples/slide26_row.rtk", "--seed", "1", "--system", system],
  ...["--", String(1000 * seconds)],
];

/** Rows of slide 26: a short and a long one, and that by the installed command. */
function slide26(system: string, limitCpuS: number): WholeRun[] {
  const short = { name: `30 s under iperf, ${system}`, args: underIperf(system, 30), limitMiB: 200 };
  const name = `300 s under iperf, ${system}`;
  const long = { name, args: underIperf(system, 300), limitCpuS, limitMiB: 200 };
  const module = `${INSTALLED}/mod.js`;
  return [short, { ...long, shorter: short.name }, { ...long, name: `${name}, installed`, module }];
}

/**
 * The program's start, from its source or as it is installed. The first prompt is all that there is before a line has been
 * entered, without a terminal, which needs some 0.03 s more.
 */
const starts = (from: string, module: string): WholeRun[] =>
  [
    { name: "version", args: ["version"] },
    { name: "first prompt", args: [], limitCpuS: 0.2 },
    { name: "first line at the prompt", args: [], typed: "echo one line" },
    { name: "script of one line", args: ["run", "tests/one_line.rtk"], limitCpuS: 0.12 },
  ].map((run) => ({ ...run, name: `start, ${from}: ${run.name}`, module, isStart: true }));

const WHOLE_RUNS: readonly WholeRun[] = [
  { name: "start, Deno alone", module: "tests/bench_nothing.ts", args: [], isStart: true },
  ...starts("source", "mod.ts"),
  ...starts("installed", `${INSTALLED}/mod.js`),
  // 2,500 lines a second.
  {
    name: "10,000 lines parsed",
    module: "tests/bench_parse.ts",
    args: ["10000"],
    limitCpuS: 4,
    limitMiB: 250,
  },
  { name: "300,000 idle loops, rfc-v2", args: idleLoops("rfc-v2"), limitCpuS: 0.8 },
  { name: "300,000 idle loops, kvm", args: idleLoops("kvm"), limitCpuS: 1.6 },
  ...slide26("rfc-v2", 2),
  ...slide26("kvm", 6),
  { name: "demo", args: ["demo"], limitCpuS: 6, limitMiB: 150 },
  { name: "every slide", args: ["slides", "all"], limitCpuS: 30, limitMiB: 185 },
];

/** What one run used. */
interface Usage {
  readonly cpuS: number;
  readonly rssMiB?: number;
}

/**
 * Runs a command with empty standard input, or the line that is typed: what the probe says, or why the run failed. The probe takes half as long as
 * Deno's own start, so what only starts is timed by bash, which does not know its memory.
 */
async function measure(run: WholeRun): Promise<Usage | string> {
  const options = ["--allow-read=.", ...run.isStart ? [] : ["--preload=tests/bench_probe.ts"]];
  const line = [Deno.execPath(), "run", ...options, run.module ?? "mod.ts", ...run.args];
  const timed = run.typed === undefined ? 'time "$@"' : 'time "$@" <<< "$TYPED"';
  const [program, ...args] = run.isStart ? ["bash", "-c", timed, "bash", ...line] : line;
  const command = new Deno.Command(program!, {
    args,
    cwd: new URL("..", import.meta.url),
    env: { NO_COLOR: "1", TIMEFORMAT: '@bench {"userS":%3U,"systemS":%3S}', TYPED: run.typed ?? "" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  });
  const { code, stderr } = await command.output();
  const text = new TextDecoder().decode(stderr);
  const report = text.match(/^@bench (\{.*\})$/m)?.[1];
  if (code !== 0 || report === undefined) return `status ${code}: ${text.split("\n")[0]}`;
  const { userS, systemS, maxRssKiB }: Record<string, number> = JSON.parse(report);
  const cpuS = (userS ?? NaN) + (systemS ?? NaN);
  return maxRssKiB === undefined ? { cpuS } : { cpuS, rssMiB: maxRssKiB / 1024 };
}

function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** `ok`, or by how much a limit is exceeded. */
function verdict(value: number | undefined, limit: number): string {
  if (value === undefined || Number.isNaN(value)) return "not measured";
  return value <= limit ? "ok" : `${((value / limit - 1) * 100).toFixed(0)} % over`;
}

async function wholeRuns(runs: readonly WholeRun[], rounds: number): Promise<boolean> {
  const usages = runs.map((): Usage[] => []);
  const failures = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    for (const [i, run] of runs.entries()) {
      if (failures.has(run.name)) continue;
      const usage = await measure(run);
      if (typeof usage === "string") failures.set(run.name, usage);
      else usages[i]?.push(usage);
    }
  }
  let fine = failures.size === 0;
  const columns: Column[] = [
    { title: "whole run", align: "left" },
    { title: "CPU s" },
    { title: "limit" },
    { title: "ratio" },
    { title: "MiB" },
    { title: "limit" },
    { title: "verdict", align: "left" },
  ];
  const memory = (at: number) => median(usages[at]?.flatMap(({ rssMiB }) => rssMiB ?? []) ?? []);
  const rows = runs.map((run, i): Cell[] => {
    const cpuS = median(usages[i]?.map((usage) => usage.cpuS) ?? []);
    const rssMiB = memory(i);
    const failure = failures.get(run.name);
    const verdicts = [verdict(cpuS, run.limitCpuS ?? Infinity)];
    if (run.limitMiB !== undefined) verdicts.push(`memory ${verdict(rssMiB, run.limitMiB)}`);
    const shorterMiB = memory(runs.findIndex(({ name }) => name === run.shorter));
    if (shorterMiB !== undefined) verdicts.push(`growth ${verdict(rssMiB, shorterMiB + GROWTH_MIB)}`);
    if (verdicts.some((text) => !text.endsWith("ok"))) fine = false;
    return [
      run.name,
      cpuS?.toFixed(3),
      run.limitCpuS ?? "-",
      cpuS === undefined || run.limitCpuS === undefined ? undefined : (cpuS / run.limitCpuS).toFixed(2),
      rssMiB?.toFixed(0),
      run.limitMiB ?? "-",
      failure === undefined ? verdicts.join(", ") : `FAILED, ${failure}`,
    ];
  });
  console.log(tableLines(columns, rows).join("\n"));
  return fine;
}

/** The ns per event of one side, in one go after a warm-up. */
function nsPerEvent(run: (n: number) => number, n: number): number {
  const start = performance.now();
  run(n);
  return (performance.now() - start) * 1e6 / n;
}

function engineCosts(benches: readonly EngineBench[], rounds: number): boolean {
  const n = 2_000_000;
  let fine = true;
  const rows = benches.map((bench): Cell[] => {
    const sums = [bench.engine(n / 10), bench.baseline(n / 10)];
    const same = sums[0] === sums[1];
    const pairs = Array.from({ length: rounds }, () => {
      const engine = nsPerEvent((count) => bench.engine(count), n);
      return { engine, baseline: nsPerEvent((count) => bench.baseline(count), n) };
    });
    const ratio = median(pairs.map(({ engine, baseline }) => engine / baseline)) ?? NaN;
    const result = same ? verdict(ratio, bench.limitRatio) : `FAILED, checksums differ: ${sums.join(", ")}`;
    if (result !== "ok") fine = false;
    return [
      bench.name,
      median(pairs.map(({ engine }) => engine))?.toFixed(1),
      median(pairs.map(({ baseline }) => baseline))?.toFixed(1),
      ratio.toFixed(2),
      bench.limitRatio,
      result,
    ];
  });
  const columns: Column[] = [
    { title: "engine", align: "left" },
    { title: "ns" },
    { title: "ns without" },
    { title: "ratio" },
    { title: "limit" },
    { title: "verdict", align: "left" },
  ];
  console.log(tableLines(columns, rows).join("\n"));
  return fine;
}

async function waits(benches: readonly SteppingBench[], rounds: number): Promise<boolean> {
  let fine = true;
  const rows: Cell[][] = [];
  for (const bench of benches) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await cpuMs(bench));
    const ms = median(times);
    const result = verdict(ms, bench.limitMs);
    if (result !== "ok") fine = false;
    rows.push([bench.name, ms?.toFixed(2), bench.limitMs, ((ms ?? NaN) / bench.limitMs).toFixed(2), result]);
  }
  const columns: Column[] = [
    { title: "at the prompt", align: "left" },
    { title: "CPU ms" },
    { title: "limit" },
    { title: "ratio" },
    { title: "verdict", align: "left" },
  ];
  console.log(tableLines(columns, rows).join("\n"));
  return fine;
}

const rounds = Number(Deno.args.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length) ?? 5);
if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError("--rounds: expected a positive integer");
const wanted = Deno.args.filter((arg) => !arg.startsWith("--"));
const chosen = <T extends { readonly name: string }>(all: readonly T[]) =>
  all.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));

const benches = chosen(ENGINE_BENCHES), stepping = chosen(STEPPING_BENCHES), runs = chosen(WHOLE_RUNS);
if (benches.length + stepping.length + runs.length === 0) {
  throw new RangeError(`Nothing is called ${wanted.join(" or ")}`);
}
let areFine = true;
const table = (isFine: boolean) => {
  console.log("");
  areFine = isFine && areFine;
};
if (runs.some(({ module }) => module?.startsWith(INSTALLED))) {
  await bundle(new URL(`../${INSTALLED}`, import.meta.url).pathname);
}
// First what this process is not to have grown for: a child's peak of memory begins with its parent's.
if (runs.length > 0) table(await wholeRuns(runs, rounds));
if (benches.length > 0) table(engineCosts(benches, rounds));
if (stepping.length > 0) table(await waits(stepping, rounds));
console.log(`medians of ${rounds} rounds`);
if (!areFine) Deno.exit(1);
