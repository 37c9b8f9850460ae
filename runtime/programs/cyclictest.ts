/**
 * cyclictest (rt-tests 0.83): how late a task is woken by a timer.
 *
 * Each measuring thread sleeps to absolute points in time with clock_nanosleep() and compares the clock with the
 * point it asked for. Latencies are cut to whole microseconds; so is the average.
 *
 * *Modelled*: -a -d -h -H -i -l -m -n -p -q -t, long options likewise.
 *
 * *Not modelled*: signal timers (without -n), tracing options, -D, -v; they are refused by name.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { type CyclictestThread, histogramLines, threadLine } from "../measure/cyclictest_format.ts";
import { Histogram } from "../measure/histogram.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { Task } from "../linux/task.ts";
import type { Program, ProgramProcess } from "./program.ts";

/** The options of one run. */
export interface CyclictestOptions {
  /** `-t`: measuring threads. */
  threads: number;
  /** `-a`: processor of all threads; `"each"`: thread N on processor N; `null`: anywhere. */
  affinity: number | "each" | null;
  /** `-p`: SCHED_FIFO priority of the first thread; 0: SCHED_OTHER. */
  priority: number;
  /** `-i`: interval of the first thread, µs. */
  intervalUs: number;
  /** `-d`: by how much each further thread's interval is longer, µs. */
  distanceUs: number;
  /** `-l`: loops; 0: without end. */
  loops: number;
  /** `-h` or `-H`: bins of the histogram; 0: none. */
  histogram: number;
  /** `-H`: with a column for the sum. */
  histogramSum: boolean;
  /** `-q`: prints at the end only. */
  quiet: boolean;
  /** `-n`: clock_nanosleep(). */
  nanosleep: boolean;
  /** `-m`: memory locked. */
  locked: boolean;
}

/** What a run has measured. */
export interface CyclictestResult {
  /** As typed. */
  readonly options: CyclictestOptions;
  /** A row for each thread. */
  readonly threads: readonly CyclictestThread[];
  /** The kernel it ran on. */
  readonly kernel: Kernel;
}

/** Long names of the options, and whether they take a value. */
const LONG: Readonly<Record<string, string>> = {
  affinity: "a",
  distance: "d",
  histogram: "h",
  histofall: "H",
  interval: "i",
  loops: "l",
  mlockall: "m",
  nanosleep: "n",
  prio: "p",
  quiet: "q",
  threads: "t",
};
const WITH_VALUE = "dhHilp";
const OPTIONAL_VALUE = "at";
const FLAGS = "mnq";
/** Options of the real tool that are known and refused. */
const NOT_MODELLED = "bBcCDEfgIMoOPrRsSTuUvwWxyX";

/** Why a command line is not run, and what the tool ends with. */
export interface CyclictestRefusal {
  /** A line for descriptor 2. */
  readonly message: string;
  /** The exit status. */
  readonly status: number;
  /** Whether the usage follows on descriptor 1: for what the real tool refuses, not for what is not modelled here. */
  readonly usage?: boolean;
}

/** What the real tool prints for an option it does not have, shortened to the options that are modelled. */
const USAGE = `cyclictest V 0.83
Usage:
cyclictest <options>

-a [NUM] --affinity        thread N on processor N, or all threads on processor NUM
-d DIST  --distance=DIST   each further thread's interval is longer by DIST us, default 500
-h US    --histogram=US    print a histogram of latencies below US at the end
-H US    --histofall=US    likewise, with a column for all threads together
-i INTV  --interval=INTV   interval of the first thread, us, default 1000
-l LOOPS --loops=LOOPS     end after LOOPS loops
-m       --mlockall        lock memory
-n       --nanosleep       sleep by clock_nanosleep
-p PRIO  --prio=PRIO       SCHED_FIFO priority of the first thread, 0 to 99
-q       --quiet           print at the end only
-t [NUM] --threads=NUM     NUM threads; without NUM one for each processor
`;

/** Reads the command line. Returns the options, or why it is refused. */
export function parseCyclictest(argv: readonly string[]): CyclictestOptions | CyclictestRefusal {
  const options: CyclictestOptions = {
    threads: 1,
    affinity: null,
    priority: 0,
    intervalUs: 1000,
    distanceUs: 500,
    loops: 0,
    histogram: 0,
    histogramSum: false,
    quiet: false,
    nanosleep: false,
    locked: false,
  };
  const args = argv.slice(1);
  const isNumber = (text: string | undefined): text is string => text !== undefined && /^\d+$/.test(text);
  for (let i = 0; i < args.length; i++) {
    let word = args[i]!;
    let value: string | undefined;
    if (word.startsWith("--")) {
      const [name, given] = word.slice(2).split("=", 2) as [string, string | undefined];
      const short = LONG[name];
      if (short === undefined) {
        return { message: `cyclictest: unrecognized option '${word}'`, status: 0, usage: true }; // as 0.83 ends
      }
      word = `-${short}`;
      value = given;
    }
    if (!/^-[A-Za-z]/.test(word)) return { message: `cyclictest: unexpected argument '${word}'`, status: 1 };
    const letters = word.slice(1);
    for (let k = 0; k < letters.length; k++) {
      const letter = letters[k]!;
      if (NOT_MODELLED.includes(letter)) {
        return { message: `cyclictest: option -${letter} is not modelled`, status: 1 };
      }
      if (FLAGS.includes(letter)) {
        apply(options, letter, "");
        continue;
      }
      if (!WITH_VALUE.includes(letter) && !OPTIONAL_VALUE.includes(letter)) {
        return { message: `cyclictest: invalid option -- '${letter}'`, status: 0, usage: true };
      }
      const rest = letters.slice(k + 1);
      if (rest !== "") value = rest;
      else if (value === undefined && isNumber(args[i + 1])) value = args[++i];
      if (value === undefined && WITH_VALUE.includes(letter)) {
        return {
          message: `cyclictest: option requires an argument -- '${letter}'`,
          status: 0,
          usage: true,
        };
      }
      if (value !== undefined && !isNumber(value)) {
        return { message: `cyclictest: -${letter}: '${value}' is not a number`, status: 1 };
      }
      const complaint = apply(options, letter, value ?? "");
      if (complaint !== null) return { message: complaint, status: 1, usage: true };
      break;
    }
  }
  if (!options.nanosleep) {
    return { message: "cyclictest: signal timers are not modelled: use -n (clock_nanosleep)", status: 1 };
  }
  if (options.loops === 0) {
    return { message: "cyclictest: a run without end is not modelled: use -l LOOPS", status: 1 };
  }
  return options;
}

/** Sets one option. Returns a complaint, or null. */
function apply(options: CyclictestOptions, letter: string, value: string): string | null {
  const number = Number(value);
  switch (letter) {
    case "a":
      options.affinity = value === "" ? "each" : number;
      return null;
    case "t":
      options.threads = value === "" ? 0 : number;
      return null;
    case "m":
      options.locked = true;
      return null;
    case "n":
      options.nanosleep = true;
      return null;
    case "q":
      options.quiet = true;
      return null;
    case "d":
      options.distanceUs = number;
      return null;
    case "i":
      options.intervalUs = number;
      return number > 0 ? null : "cyclictest: interval must be at least 1 us";
    case "l":
      options.loops = number;
      return null;
    case "p":
      options.priority = number;
      return number <= 99 ? null : `cyclictest: priority ${number} is out of range, must be 0 ... 99`;
    default:
      options.histogram = number;
      options.histogramSum = letter === "H";
      return number > 0 && number <= 1_000_000
        ? null
        : `cyclictest: histogram of ${number} us is out of range, must be 1 ... 1000000`;
  }
}

/** One measuring thread. */
class Thread {
  readonly histogram: Histogram;
  task!: Task;

  constructor(readonly number: number, readonly options: CyclictestOptions) {
    this.histogram = new Histogram(Math.max(options.histogram, 1));
  }

  get intervalUs(): number {
    return this.options.intervalUs + this.number * this.options.distanceUs;
  }

  get priority(): number {
    return Math.max(0, this.options.priority - this.number);
  }
}

/** The measuring thread's life: `timerthread()` of cyclictest.c. */
function* measure(
  thread: Thread,
  kernel: Kernel,
  command: ProgramProcess,
): Activity<number> {
  const { task, histogram } = thread;
  const { clockRead } = kernel;
  const timer = kernel.sleepTimer(task);
  const intervalNs = thread.intervalUs * 1000;
  const loops = thread.options.loops;
  const part = Math.max(1, Math.floor(loops / 100));
  yield clockRead;
  let nextNs = kernel.nowNs + intervalNs;
  for (let loop = 1; loop <= loops; loop++) {
    // clock_nanosleep(), spelled out as in Kernel.sleepUntil: no step of the measured loop passes through another activity.
    yield kernel.enterSleep(task);
    const program = kernel.armSleep(task, timer, nextNs);
    if (program !== null) yield program;
    const away = kernel.fallAsleep(task, timer);
    if (away !== null) yield away;
    const preempted = kernel.leaveSleep(task);
    if (preempted !== null) yield preempted;
    yield clockRead;
    const nowNs = kernel.nowNs;
    histogram.record(nowNs - nextNs);
    nextNs += intervalNs;
    while (nextNs < nowNs) nextNs += intervalNs; // the points that have passed are given up
    if (loop % part === 0) command.progress(loop / loops);
  }
  return 0;
}

const doc =
  `Usage: cyclictest -n -l LOOPS [-a [NUM]] [-d DIST] [-h US | -H US] [-i INTV] [-m] [-p PRIO] [-q] [-t [NUM]]
Effects: sleeps LOOPS times for INTV us (1000) and prints how late it woke, us: minimum, last, average, maximum; -h with a
         histogram. -a: on processor NUM; -t: NUM threads, each with DIST us (500) more; -p: SCHED_FIFO priority
Exit status: 0; 1 on a value out of range or an option that is not modelled; 0 after the usage, as version 0.83 ends
Differs from the real one: -n and -l are needed; no signal timers, tracing options, -D, -v; nothing is printed before the end`;

/** The program. */
export const cyclictest: Program = {
  name: "cyclictest",
  summary: "measures how late a task is woken by a timer",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const options = parseCyclictest(command.argv);
    if ("message" in options) {
      command.stderr(`${options.message}\n`);
      if (options.usage) command.stdout(USAGE);
      return options.status;
    }
    const { kernel, processors, task: main } = command;
    const count = options.threads === 0 ? processors.length : options.threads;
    if (typeof options.affinity === "number" && options.affinity >= processors.length) {
      command.stderr(
        `cyclictest: processor ${options.affinity} does not exist, there are ${processors.length}\n`,
      );
      return 1;
    }
    command.stdout("# /dev/cpu_dma_latency set to 0us\n");
    const threads: Thread[] = [];
    let running = count;
    for (let number = 0; number < count; number++) {
      const thread = new Thread(number, options);
      const at = options.affinity === "each" ? number % processors.length : options.affinity;
      const allowed = at === null ? main.allowed : 1 << processors[at]!;
      thread.task = kernel.createTask(
        "cyclictest",
        allowed,
        () => measure(thread, kernel, command),
        () => {
          running--;
          kernel.wake(main, kernel.cpus[thread.task.cpu]!);
        },
        main,
      );
      if (thread.priority > 0) {
        thread.task.policy = "SCHED_FIFO";
        thread.task.rtPriority = thread.priority;
      }
      threads.push(thread);
      const here = kernel.cpus[main.cpu]!;
      kernel.wake(thread.task, here);
      yield* here.sendPendingIpis();
    }
    while (running > 0) yield* kernel.cpus[main.cpu]!.sleep();
    const rows: CyclictestThread[] = threads.map((thread) => ({
      number: thread.number,
      tid: thread.task.pid,
      priority: thread.priority,
      intervalUs: thread.intervalUs,
      histogram: thread.histogram,
    }));
    command.measured({ options, threads: rows, kernel });
    if (options.histogram > 0) {
      const lines = [...histogramLines(rows, { withSum: options.histogramSum })];
      command.stdout(`${lines.join("\n")}\n`); // tens of thousands, written at once as stdio does
    } else for (const row of rows) command.stdout(`${threadLine(row)}\n`);
    return 0;
  },
};
